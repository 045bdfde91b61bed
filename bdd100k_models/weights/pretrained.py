"""Pretrained backbones that configs name: found, downloaded, and replaced by local files.

They go through the store and the mirrors of published checkpoints, below ``pretrained/``; files
that torch has downloaded before are used where they are.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from bdd100k_models.errors import UserError
from bdd100k_models.files import REPOSITORY, replacing
from bdd100k_models.weights.digests import sha256
from bdd100k_models.weights.reading import read_checkpoint, read_file
from bdd100k_models.weights.store import MIRRORS_VARIABLE, mirrors, store
from bdd100k_models.weights.transfer import NotFoundError, fetch, is_url

#: Folder in the store and below each mirror.
FOLDER = "pretrained"

_TORCHVISION = ("torchvision://", "modelzoo://")
_OPEN_MMLAB = "open-mmlab://"
_MMCLS = "mmcls://"

#: The digits of the SHA-256 in a name, and what looks like them: ``…-20200708.pth``.
_DIGITS = re.compile(r"-([0-9a-f]{8,64})\.[a-z]+$")
_DATE = re.compile(r"20\d\d(0[1-9]|1[0-2])[0-3]\d")


def localize(model_cfg: Any, report: Callable[[str], None] = print) -> None:
    """Replace, in place, every pretrained file that a model config names by a local path.

    Raises:
        UserError: one of them is found nowhere (the message says where it was looked for, where to
            put it, and how to do without), or is not the file that its name says.
    """
    for holder, key in references(model_cfg):
        holder[key] = os.fspath(find(holder[key], report=report))


def references(model_cfg: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Where a model config names pretrained files: dicts, and the key that holds the name."""
    if isinstance(model_cfg, dict):
        if isinstance(model_cfg.get("pretrained"), str):
            yield model_cfg, "pretrained"
        inits = model_cfg.get("init_cfg")
        for init in inits if isinstance(inits, (list, tuple)) else [inits]:
            if isinstance(init, dict) and isinstance(init.get("checkpoint"), str):
                yield init, "checkpoint"
        for value in model_cfg.values():
            yield from references(value)
    elif isinstance(model_cfg, (list, tuple)):
        for value in model_cfg:
            yield from references(value)


def find(name: str, report: Callable[[str], None] = print) -> Path:
    """The local file of ``torchvision://…``, ``open-mmlab://…``, ``mmcls://…``, a URL or a path.

    Looked for in the store, among what torch has downloaded, in the mirrors, and at its URL.

    Raises:
        UserError: found nowhere, damaged, or no model of that name is known.
    """
    url = resolve(name)
    filename = Path(urlparse(url).path if url else name).name
    stored = store() / FOLDER / filename
    candidates = [stored, _torch_folder() / filename]
    if url is None:
        candidates = [Path(name).expanduser(), REPOSITORY / name, *candidates]
    looked = [os.fspath(path) for path in candidates]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        found = _download(filename, url, stored, looked, report)
    if found is None:
        raise UserError(
            f"no pretrained weights {name}: looked in {', '.join(looked)}; put the file at "
            f"{stored}, set {MIRRORS_VARIABLE} to a mirror that has "
            f"{FOLDER}/{filename}, or train from random weights: --no-pretrained"
        )
    check_name(found, found.name)
    return _backbone(found) if name.startswith(_MMCLS) else found


def resolve(name: str) -> str | None:
    """The URL that a name stands for; None for a path.

    Raises:
        UserError: the scheme is known, the model is not.
    """
    if is_url(name):
        return name
    scheme, separator, model = name.partition("://")
    if not separator:
        return None
    scheme += separator
    urls = _known(scheme)
    model = model.lower().replace("_weights", "") if scheme in _TORCHVISION else model
    if model not in urls:
        raise UserError(f"no pretrained model {name}; {len(urls)} are known for {scheme}")
    return urls[model]


def _known(scheme: str) -> Mapping[str, str]:
    from mmcv.runner import checkpoint as mmcv_checkpoint

    if scheme in _TORCHVISION:
        return mmcv_checkpoint.get_torchvision_models()
    if scheme == _OPEN_MMLAB:
        urls = dict(mmcv_checkpoint.get_external_models())
        for old, new in mmcv_checkpoint.get_deprecated_model_names().items():
            if new in urls:
                urls.setdefault(old, urls[new])
        return urls
    if scheme == _MMCLS:
        return mmcv_checkpoint.get_mmcls_models()
    raise UserError(
        f"pretrained weights from {scheme} are not supported; use torchvision://, open-mmlab://, "
        "mmcls://, a URL or a path"
    )


def _torch_folder() -> Path:
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints"


def _download(
    filename: str, url: str | None, stored: Path, looked: list[str], report: Callable[[str], None]
) -> Path | None:
    """From a mirror, or the URL; ``looked`` grows by what was tried."""
    sources = [f"{base.rstrip('/')}/{FOLDER}/{filename}" for base in mirrors()]
    for source in [*sources, *([url] if url else [])]:
        if not is_url(source):
            looked.append(source)
            if Path(source).expanduser().is_file():
                return Path(source).expanduser()
            continue
        try:
            return fetch(source, stored, report, check=_check)
        except NotFoundError as error:
            looked.append(str(error))
    return None


def check_name(path: Path, name: str) -> None:
    """Names of pretrained files end in the first digits of their SHA-256, as a rule.

    Raises:
        UserError: the digits of ``name`` are not those of the file.
    """
    match = _DIGITS.search(name)
    if match is None or _DATE.fullmatch(match.group(1)):
        return
    digest = sha256(path)
    if not digest.startswith(match.group(1)):
        raise UserError(
            f"{path} is damaged or another file: its SHA-256 begins with {digest[:8]}, its name "
            f"says {match.group(1)}; remove it to download it anew, or give it another name if "
            "it is yours"
        )


def _check(path: Path, url: str) -> None:
    """What came from ``url`` is a checkpoint, and the one that its name says."""
    read_file(path, url)
    check_name(path, urlparse(url).path)


def _backbone(path: Path) -> Path:
    """The backbone alone of a classifier's checkpoint, kept beside it."""
    import torch

    beside = store() / FOLDER / f"{path.stem}-backbone.pth"
    if beside.is_file():
        return beside
    state = read_checkpoint(path)["state_dict"]
    prefix = "backbone."
    weights = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    with replacing(beside) as part:
        torch.save({"state_dict": weights}, part)
    return beside
