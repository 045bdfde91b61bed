"""Which file a config is: by path or by published name, and back."""

from __future__ import annotations

import os
from pathlib import Path

from bdd100k_models.errors import UserError
from bdd100k_models.files import REPOSITORY
from bdd100k_models.zoo import catalogue
from bdd100k_models.zoo.catalogue import PublishedModel


def find_config(config: str | Path) -> Path:
    """The file of a config that is given as a path or as a published name.

    Paths are tried as they are and below the repository's root.

    Raises:
        UserError: neither a file nor a published name.
    """
    text = os.fspath(config)
    for candidate in (Path(text).expanduser(), REPOSITORY / text):
        if candidate.is_file():
            return candidate.resolve()
    if text.endswith(".py") or os.sep in text:
        name = Path(text).stem
        hint = f"; {name!r} alone is a published name" if _is_published(name) else ""
        raise UserError(f"no config file at {text}{hint}")
    model = catalogue.find(text)
    if model.runs_as is not None:
        model = catalogue.find(model.runs_as)
    if model.config is None:
        raise UserError(f"{model.name} is listed for reference only, it has no config in this zoo")
    return REPOSITORY / model.config


def published_elsewhere(config: str | Path) -> PublishedModel | None:
    """The model of another framework that ``config`` names, where a config here runs it."""
    text = os.fspath(config)
    model = catalogue.find(text) if _is_published(text) else None
    return model if model is not None and model.runs_as is not None else None


def published_model(path: str | Path) -> PublishedModel | None:
    """The model that a config file was published for; None for a config of somebody's own."""
    file = Path(path).resolve()
    if not _is_published(file.stem):
        return None
    model = catalogue.find(file.stem)
    return model if model.config and (REPOSITORY / model.config).resolve() == file else None


def _is_published(name: str) -> bool:
    try:
        catalogue.find(name)
    except UserError:
        return False
    return True
