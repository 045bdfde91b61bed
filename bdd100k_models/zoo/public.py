"""Weights of others that fit the published models: where they are, and what is known of them.

The published weights of the zoo may be out of reach; checkpoints of the same architectures, trained
on other data sets, can be had. Each model's source stands in its task's ``metafile.yml``; what its
classes are called in ours stands in ``zoo.public_classes``. Nothing of this is the zoo's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, get_args
from urllib.parse import urlparse

from bdd100k_models.zoo.public_classes import ClassMap, class_map

if TYPE_CHECKING:
    from bdd100k_models.zoo.catalogue import PublishedModel

#: How far a file fits a model. ``identical``: loads as it is, and its classes are the task's.
#: ``rows``: all but the class layers. ``backbone_neck``, ``backbone``: as their names say; what
#: is after that starts fresh, so that nothing can run without training.
Fit = Literal["identical", "rows", "backbone_neck", "backbone"]
FITS: tuple[Fit, ...] = get_args(Fit)

#: The file beside results that says whose weights they are of, where they are not the zoo's.
BESIDE = "public_weights.json"

#: Terms of the data sets, as far as they bind who uses weights that were trained on them.
DATASET_TERMS: Mapping[str, str] = MappingProxyType(
    {
        "ADE20K": "its terms limit commercial use",
        "BDD100K": "its terms limit commercial use",
        "COCO": "annotations CC BY 4.0, pictures under their own terms",
        "Cityscapes": "its terms limit commercial use",
        "ImageNet-1k": "its terms limit commercial use",
    }
)

#: What the leading digits of a SHA-256 look like in a file's name; a date is none.
_DIGITS = re.compile(r"-(?!20\d\d[01]\d[0-3]\d[_.])([0-9a-f]{8})(?=[_.])")


@dataclass(frozen=True)
class PublicSource:
    """A checkpoint of others that fits a published model, as far as ``fit`` says.

    Attributes:
        urls: where the file is, the first to ask first; the same bytes under each.
        config: the config that it was trained with, ``PACKAGE: PATH`` for those that an installed
            OpenMMLab package brings (``mmdet: configs/…``), ``REPOSITORY: PATH`` for others.
        dataset: what it was trained on, a key of ``DATASET_TERMS``.
        metric: the figure that it was published with, on its own data set; None where it has none
            that says something about this use.
        fit: how much of it the model here can take.
        sha256: first hexadecimal digits of the file's SHA-256; None where nobody has told them.
        rename: prefixes of its keys -> those of the model here, the first that matches; empty
            where the names are equal.
        taken: prefixes of the model's keys that it gives, where the fit is no more than a
            backbone or neck; empty for all that has the same name and shape.
        left_out: prefixes of its keys that the model has no part for.
        options: settings of its own test that differ from those of the model here, as
            ``--cfg-options`` has them.
        note: what else its user must know.
    """

    urls: tuple[str, ...]
    config: str
    dataset: str
    fit: Fit
    metric: str | None = None
    sha256: str | None = None
    rename: Mapping[str, str] = field(default_factory=dict)
    taken: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    note: str | None = None

    @property
    def filename(self) -> str:
        """The name under which its host has it."""
        return PurePosixPath(urlparse(self.urls[0]).path).name

    @property
    def host(self) -> str:
        """The first host that has it."""
        return urlparse(self.urls[0]).netloc

    @property
    def owner(self) -> str:
        """Whose weights they are."""
        package = self.config.partition(":")[0]
        return _OWNERS.get(package, package)

    @property
    def terms(self) -> tuple[str, ...]:
        """What is known of licences: of the weights, of the data set."""
        package = self.config.partition(":")[0]
        weights = ("OpenMMLab: code Apache-2.0, no licence told for the weights",)
        data = f"{self.dataset}: {DATASET_TERMS[self.dataset]}"
        return (*(weights if package in _OWNERS else ()), data)

    def classes(self, task: str) -> ClassMap | None:
        """Its classes in those of a task; None where they say nothing about them."""
        return class_map(self.dataset, task)

    def runs(self, task: str) -> bool:
        """Whether results of the task come out of it without training."""
        return self.fit in ("identical", "rows") and self.classes(task) is not None


_OWNERS = {
    "mmcls": "MMClassification",
    "mmdet": "MMDetection",
    "mmpose": "MMPose",
    "mmseg": "MMSegmentation",
}


def digits_of(url: str) -> str | None:
    """The first digits of the SHA-256 that a file's name tells; None where it tells none.

    OpenMMLab writes them before the ending, or before a date: ``…-e10bd31c.pth``,
    ``…-ec54d7f3_20200709.pth``.
    """
    found: list[str] = _DIGITS.findall(PurePosixPath(urlparse(url).path).name)
    return found[-1] if found else None


def public_source(model: PublishedModel) -> PublicSource | None:
    """The public weights that fit a published model best; None where none are known."""
    return model.public
