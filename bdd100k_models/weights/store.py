"""Where weights are kept and looked for.

A checkpoint is looked for in this order: the one given, a ``load_from`` that the user set, the
local store, the mirrors that the user configured, the published URL. Downloads go into the store.
``public`` in the place of a file stands for weights of others that fit the model; they have a
folder of their own there, and nothing takes them for the published ones.

Store: ``$BDD100K_MODELS_HOME``, else ``~/.cache/bdd100k_models``. Mirrors: folders or base URLs
that stand for ``https://dl.cv.ethz.ch/bdd100k``, separated by white space in
``$BDD100K_MODELS_MIRRORS``.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlparse

from bdd100k_models.errors import UserError
from bdd100k_models.files import REPOSITORY, replacing
from bdd100k_models.weights.digests import md5, verify, write_md5
from bdd100k_models.weights.reading import read_checkpoint, refuse_other_files
from bdd100k_models.weights.transfer import NotFoundError, fetch, is_url
from bdd100k_models.zoo import catalogue
from bdd100k_models.zoo.catalogue import SERVER as PUBLISHED_BASE
from bdd100k_models.zoo.configs import published_model

if TYPE_CHECKING:
    from mmcv import Config

    from bdd100k_models.zoo.catalogue import PublishedModel
    from bdd100k_models.zoo.public import PublicSource

STORE_VARIABLE = "BDD100K_MODELS_HOME"
MIRRORS_VARIABLE = "BDD100K_MODELS_MIRRORS"

#: Given in the place of a file: the weights of others that fit the model.
PUBLIC = "public"
#: Their folder in the store and below each mirror.
_PUBLIC_FOLDER = "public"


def store() -> Path:
    """The folder that downloads go into."""
    given = os.environ.get(STORE_VARIABLE)
    return Path(given).expanduser() if given else Path.home() / ".cache" / "bdd100k_models"


def mirrors() -> list[str]:
    """Folders or base URLs that the user configured, in order."""
    return os.environ.get(MIRRORS_VARIABLE, "").split()


def find_checkpoint(
    cfg: Config, task: str, given: str | Path | None = None, report: Callable[[str], None] = print
) -> Path:
    """The checkpoint file of a config, downloaded if need be.

    Raises:
        UserError: found nowhere (the message says where it was looked for and what works), or
            damaged: not what its MD5 says.
    """
    wanted = given or cfg.get("load_from")
    if wanted == PUBLIC:
        return find_public(public_model(cfg), report)
    if wanted:
        text = os.fspath(wanted)
        if is_url(text):
            target = store() / "urls" / _url_name(text)
            return fetch(text, target, report, check=read_checkpoint)
        for path in (Path(text).expanduser(), REPOSITORY / text):  # as configs are looked for
            if path.is_file():
                verify(path)
                return path
        raise UserError(f"no checkpoint at {text}")
    other = cfg.get("weights_of")
    if other is not None:
        raise UserError(
            f"no weights of {other} are to be had, Vis4D's server is gone since "
            "March 2026; pass --checkpoint FILE with a checkpoint that Vis4D trained"
        )
    model = published_model(cfg.filename) if cfg.filename else None
    if model is None:
        raise UserError(
            f"{cfg.filename} is not a published config, so there are no weights to look up; "
            "pass --checkpoint FILE, or set load_from in the config"
        )
    return find_published(model, report=report)


def stored_path(model: PublishedModel) -> Path:
    """Where the store keeps the weights of a published model, there or not.

    Raises:
        UserError: none were published.
    """
    if model.weights is None:
        raise UserError(f"{model.name}: no weights were published for it")
    if not model.weights.startswith(PUBLISHED_BASE + "/"):
        return store() / "urls" / _url_name(model.weights)
    return store() / model.weights.removeprefix(PUBLISHED_BASE + "/")


def find_published(model: PublishedModel, report: Callable[[str], None] = print) -> Path:
    """Weights of a published model: from the store, the mirrors, or the published URL.

    Raises:
        UserError: found nowhere, or what was found is damaged.
    """
    stored = stored_path(model)
    if stored.is_file():
        verify(stored, model.md5)
        return stored
    looked = [str(stored)]
    failures = []
    for source in published_places(model):
        looked.append(source)
        try:
            if is_url(source):
                return fetch(source, stored, report, digest=model.md5, check=_check(model))
            local = Path(source).expanduser()
            if local.is_file():
                verify(local, model.md5)
                return local
        except NotFoundError as error:
            failures.append(str(error))
    raise UserError(
        f"no weights for {model.name}: looked in {', '.join(looked)}"
        + (f" ({'; '.join(failures)})" if failures else "")
        + ". The published server has been unreachable since March 2026. Ways that work: "
        f"{_public_way(model)}--checkpoint FILE; put the file at {stored}; "
        f"set {MIRRORS_VARIABLE} to a mirror; or train the model: "
        f"python tools/train.py {model.name}"
    )


def _public_way(model: PublishedModel) -> str:
    """What somebody who finds no published weights can do with those of others."""
    source = model.public
    if source is None or not source.runs(model.tag or model.task):
        return ""
    return f"--checkpoint {PUBLIC} ({source.owner}'s weights, trained on {source.dataset}); "


def public_model(cfg: Config) -> PublishedModel:
    """The published model of a config, which public weights are known for.

    Raises:
        UserError: the config is somebody's own, or there are no such weights.
    """
    model = published_model(cfg.filename) if cfg.filename else None
    if model is None:
        raise UserError(
            f"{cfg.filename} is not a published config, so no public weights are known for it; "
            "name a published model (tools/list_models.py lists them), pass --checkpoint FILE, or "
            "train from those of a model like it: load_from=public:NAME"
        )
    if model.public is None:
        raise UserError(f"{model.name}: no public weights are known that fit it")
    return model


def public_start(cfg: Config) -> PublishedModel | None:
    """The model whose public weights ``load_from`` asks for: ``public``, or ``public:NAME``.

    The latter is for configs of one's own with the architecture of the published model NAME.

    Raises:
        UserError: there is no such model, or no such weights are known.
    """
    word, named, name = str(cfg.get("load_from") or "").partition(":")
    if word != PUBLIC:
        return None
    if not named:
        return public_model(cfg)
    model = catalogue.find(name)
    if model.public is None:
        raise UserError(f"{model.name}: no public weights are known that fit it")
    return model


def stored_public(source: PublicSource) -> Path:
    """Where the store keeps weights of others, there or not."""
    # A name without a hash may be that of another file.
    name = source.filename if source.sha256 else _url_name(source.urls[0])
    return store() / _PUBLIC_FOLDER / name


def find_public(model: PublishedModel, report: Callable[[str], None] = print) -> Path:
    """Weights of others that fit a published model: from the store, the mirrors, or their hosts.

    A file that torch downloaded for an OpenMMLab package is used where it is.

    Raises:
        UserError: there are none, they are found nowhere, or what is in the store is damaged.
    """
    source = model.public
    if source is None:
        raise UserError(f"{model.name}: no public weights are known that fit it")
    stored = stored_public(source)
    if stored.is_file():
        verify(stored, sha256=source.sha256)
        return stored
    looked, failures = [os.fspath(stored)], []
    for place in public_places(source):
        looked.append(place)
        try:
            if is_url(place):
                return fetch(place, stored, report, sha256=source.sha256, check=read_checkpoint)
            local = Path(place).expanduser()
            if local.is_file():
                verify(local, sha256=source.sha256)
                return local
        except NotFoundError as error:
            failures.append(str(error))
    raise UserError(
        f"no public weights for {model.name}: looked in {', '.join(looked)}"
        + (f" ({'; '.join(failures)})" if failures else "")
        + f". {source.host} belongs to others and is not always there. Ways that work: try "
        f"later; python tools/download.py {model.name} --public --from FILE, with a copy of the "
        f"file from anywhere; set {MIRRORS_VARIABLE} to a mirror that "
        f"has {_PUBLIC_FOLDER}/{stored.name}; --checkpoint FILE"
    )


def add_public(path: Path, source: PublicSource) -> Path:
    """Copy a file into the store as weights of others.

    Raises:
        UserError: the file holds no weights, or is not the one whose hash the catalogue has.
    """
    target = stored_public(source)
    read_checkpoint(path)
    verify(path, sha256=source.sha256)
    with replacing(target, f"set {STORE_VARIABLE} to a folder with room") as part:
        shutil.copyfile(path, part)
        write_md5(target, md5(part))
    return target


def public_places(source: PublicSource) -> list[str]:
    """Where weights of others are: what torch downloaded, the mirrors' copies, then their hosts."""
    name = f"{_PUBLIC_FOLDER}/{stored_public(source).name}"
    in_mirrors = [f"{base.rstrip('/')}/{name}" for base in mirrors()]
    return [*torch_copies(source), *in_mirrors, *source.urls]


def torch_copies(source: PublicSource) -> list[str]:
    """Where torch keeps what it downloaded; a name without a hash says too little."""
    import torch

    if source.sha256 is None:
        return []
    return [os.fspath(Path(torch.hub.get_dir()) / "checkpoints" / source.filename)]


def published_places(model: PublishedModel) -> list[str]:
    """Where weights were published: the mirrors' copies, then the published URL."""
    assert model.weights is not None
    if not model.weights.startswith(PUBLISHED_BASE + "/"):
        return [model.weights]
    return [model.weights.replace(PUBLISHED_BASE, base.rstrip("/"), 1) for base in mirrors()] + [
        model.weights
    ]


def _url_name(url: str) -> str:
    digest = hashlib.sha256(url.encode()).hexdigest()[:12]
    return f"{digest}-{Path(urlparse(url).path).name or 'checkpoint.pth'}"


def add_to_store(path: Path, model: PublishedModel) -> Path:
    """Copy a file into the store as the weights of a published model.

    Raises:
        UserError: the file holds no weights or is not the published one, or the model has none.
    """
    target = stored_path(model)
    if not path.is_file():
        raise UserError(f"no checkpoint at {path}")
    _check(model)(path, os.fspath(path))
    verify(path, model.md5)
    with replacing(target, f"set {STORE_VARIABLE} to a folder with room") as part:
        shutil.copyfile(path, part)
        write_md5(target, md5(part))
    return target


def _check(model: PublishedModel) -> Callable[[Path, str], object]:
    """What looks at a file before it is stored as the weights of a model.

    Other frameworks keep more than weights in theirs, which the restricted loader refuses.
    """
    return read_checkpoint if model.framework is None and model.config else refuse_other_files
