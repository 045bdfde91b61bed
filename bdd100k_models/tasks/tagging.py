"""Image tagging: weather or scene of a picture. MMClassification; ``tagging.json``; accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bdd100k_models.data.tags import label_file, read_tags
from bdd100k_models.errors import UserError
from bdd100k_models.evaluation import tagging_metrics
from bdd100k_models.files import read_json, write_json
from bdd100k_models.frames.tagging import tagging_frame, tagging_prediction
from bdd100k_models.tasks.base import (
    Converter,
    Forward,
    ImageRecord,
    OutputFile,
    Pipeline,
    Prediction,
    StepsPipeline,
    Task,
    test_data,
)
from bdd100k_models.zoo.tasks import TASKS

if TYPE_CHECKING:
    from mmcv import Config
    from torch import nn

    from bdd100k_models.tasks.base import Detector

_FACTS = TASKS["tagging"]

#: Dataset type of a config -> the attribute that its models predict.
ATTRIBUTES: dict[str, str] = dict(zip(_FACTS.dataset_types, _FACTS.tags, strict=True))

_PREDS = "preds.json"
_COLUMNS = ("class_scores", "pred_score", "pred_label", "pred_class")


class TaggingTask(Task):
    """Image tagging. Whether weather or scene, the config says."""

    facts = _FACTS
    headline = ("accuracy", "precision", "recall", "f1_score")
    scores_failed = False

    def register(self) -> None:
        from bdd100k_models.models import dla  # noqa: F401
        from bdd100k_models.tasks import tagging_datasets  # noqa: F401

    def build_network(self, model_cfg: Config) -> nn.Module:
        from mmcls.models import build_classifier

        return build_classifier(model_cfg)

    def build_dataset(self, data_cfg: Any, default_args: dict[str, Any] | None = None) -> Any:
        from mmcls.datasets import build_dataset

        return build_dataset(data_cfg, default_args)

    def class_names(self, cfg: Config) -> tuple[str, ...]:
        """The tags that the config's dataset type stands for, unless it names others.

        Raises:
            UserError: the dataset type is none of tagging.
        """
        return super().class_names(cfg) or _FACTS.tags[attribute_of(cfg)]

    def head_classes(self, network: nn.Module) -> int | None:
        count = getattr(getattr(network, "head", None), "num_classes", None)
        return int(count) if count is not None else None

    def check_classes(self, names: tuple[str, ...], cfg: Config) -> None:
        """A checkpoint for the other attribute has classes of that one.

        Raises:
            UserError: it is one.
        """
        own = attribute_of(cfg)
        for attribute, tags in _FACTS.tags.items():
            if attribute != own and set(names) == set(tags):
                raise UserError(
                    f"the checkpoint predicts {attribute} ({', '.join(names)}), the config {own} "
                    f"({', '.join(self.class_names(cfg))}); take the config that belongs to it"
                )

    def pipeline(self, cfg: Config, options: Any, detector: Detector | None) -> Pipeline:
        from mmcls.datasets.pipelines import Compose

        return StepsPipeline(test_data(cfg)["pipeline"], Compose)

    def forward(
        self, network: nn.Module, cfg: Config, options: Any, detector: Detector | None
    ) -> Forward:
        """(C,) float32 class scores of each picture, which sum to 1."""
        model: Any = network

        def forward(batch: Any) -> list[Any]:
            results: list[Any] = model(return_loss=False, **batch)
            return results

        return forward

    def converter(self, cfg: Config, options: Any, classes: tuple[str, ...]) -> Converter:
        folder, labels = self.sources(test_data(cfg))
        return TaggingConverter(attribute_of(cfg), classes, folder, labels)

    def sources(self, data: Mapping[str, Any]) -> tuple[Path, Path | None]:
        """Image folder and label file; the file of 2018 where that of 2020 is not there."""
        folder, labels = super().sources(data)
        return folder, label_file(labels) if labels is not None else None


def attribute_of(cfg: Config) -> str:
    """``weather`` or ``scene``: what a config's models predict.

    Raises:
        UserError: the dataset type is none of tagging.
    """
    kind = test_data(cfg).get("type")
    if kind not in ATTRIBUTES:
        raise UserError(
            f"{cfg.filename}: data.test.type is {kind!r}; tagging takes {' or '.join(ATTRIBUTES)}"
        )
    return ATTRIBUTES[kind]


class TaggingConverter(Converter):
    """Class scores as tags and as ``preds.json``; scores beside them where tags are known.

    Args:
        attribute: ``weather`` or ``scene``.
        classes: its values, in the order of the scores.
        folder: where the pictures of the dataset are.
        labels: the label file that knows their tags, if there is one.
    """

    outputs = (OutputFile("tagging", "tagging.json"), OutputFile("preds", _PREDS, frames=False))

    def __init__(
        self, attribute: str, classes: tuple[str, ...], folder: Path, labels: Path | None
    ) -> None:
        self.attribute = attribute
        self.classes = classes
        self._folder = folder
        self._labels = labels

    def __call__(self, result: np.ndarray, record: ImageRecord) -> Prediction:
        """``result``: (C,) class scores."""
        scores = np.asarray(result)
        frame = tagging_frame(record.name, scores, self.classes, self.attribute)
        return Prediction({"tagging": frame, "preds": tagging_prediction(scores, self.classes)})

    def nothing(self, record: ImageRecord, height: int, width: int) -> Prediction:
        frame = {"name": record.name, "attributes": {}, "labels": []}
        return Prediction({"tagging": frame, "preds": dict.fromkeys(_COLUMNS)})

    def arrays(self, result: np.ndarray) -> dict[str, np.ndarray]:
        scores = np.asarray(result)
        return {"scores": scores, "classes": np.argmax(scores, keepdims=True)}

    def identity(self) -> dict[str, Any]:
        return {"attribute": self.attribute}

    def finish(self, records: Sequence[ImageRecord], out_dir: Path) -> None:
        """Turn ``preds.json`` into its columns, and write ``results.json``.

        The latter holds the scores of those images whose tag is known, and their number.
        """
        rows = read_json(out_dir / _PREDS)
        columns = {key: [row[key] for row in rows] for key in _COLUMNS}
        write_json(out_dir / _PREDS, columns)
        results = self._results(records, columns["class_scores"])
        write_json(out_dir / "results.json", results)
        if results["images"]:
            shown = ", ".join(
                f"{key} {value:.2f}" for key, value in results.items() if key != "images"
            )
            print(f"{self.attribute} of {results['images']} images: {shown}")

    def _results(
        self, records: Sequence[ImageRecord], class_scores: Sequence[Any]
    ) -> dict[str, Any]:
        pairs = [
            (scores, self.classes.index(tag))
            for scores, tag in zip(class_scores, self._true_tags(records), strict=True)
            if tag in self.classes and scores is not None
        ]
        if not pairs:
            return {"images": 0}
        scores, targets = zip(*pairs, strict=True)
        return {"images": len(pairs), **tagging_metrics(scores, targets)}

    def _true_tags(self, records: Sequence[ImageRecord]) -> list[str]:
        """Tags of the dataset's images, empty where unknown; others may bear the same names."""
        own = [
            Path(record.path).parent.resolve() == (self._folder / record.name).parent.resolve()
            for record in records
        ]
        if self._labels is None or not self._labels.is_file() or not any(own):
            return [""] * len(records)
        known = read_tags(self._labels, self.attribute)
        return [
            known.get(record.name, "") if is_own else ""
            for record, is_own in zip(records, own, strict=True)
        ]


TASK = TaggingTask
