"""A config file made ready to run: found by path or published name, with overrides and data root.

Configs write ``data/bdd100k/…``. What stands there is, in this order, the ``data_root`` given, the
environment variable ``BDD100K_DATA_ROOT``, or ``data/bdd100k`` in the repository: never a path
relative to the current folder.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bdd100k_models.errors import UserError
from bdd100k_models.files import REPOSITORY
from bdd100k_models.zoo import catalogue

if TYPE_CHECKING:
    from mmcv import Config

DATA_ROOT_VARIABLE = "BDD100K_DATA_ROOT"
_DATA_ROOT_IN_CONFIGS = "data/bdd100k"


def data_root(given: str | Path | None = None) -> Path:
    """The folder that holds ``images/``, ``labels/`` and ``jsons/``, as an absolute path."""
    chosen = given or os.environ.get(DATA_ROOT_VARIABLE) or REPOSITORY / _DATA_ROOT_IN_CONFIGS
    return Path(chosen).expanduser().resolve()


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
    if model.config is None:
        raise UserError(f"{model.name} is listed for reference only, it has no config in this zoo")
    return REPOSITORY / model.config


def _is_published(name: str) -> bool:
    try:
        catalogue.find(name)
    except UserError:
        return False
    return True


#: Keys of options, and the word that may stand there in the place of a number.
_WORDS = {"loss_scale": "dynamic"}


def read_config(config: str | Path) -> Config:
    """The config as its file and bases say, paths untouched.

    Raises:
        UserError: not found, or the file does not evaluate (the message names file and reason).
    """
    from mmcv import Config

    path = find_config(config)
    try:
        return Config.fromfile(os.fspath(path))
    except Exception as error:  # a config is a program: it can fail in any way
        _drop_temporary_files(error)
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else repr(error)
        raise UserError(f"config {path} cannot be read: {reason}") from error


def _drop_temporary_files(error: Exception) -> None:
    """Let go, silently, of the copy of a config that mmcv (1.7.0) has open when reading it fails.

    Its folder is removed before it, so that Python would print a second error when it goes.
    """
    hook = sys.unraisablehook
    sys.unraisablehook = lambda _: None
    try:
        traceback.clear_frames(error.__traceback__)
    finally:
        sys.unraisablehook = hook


def apply_options(cfg: Config, options: Mapping[str, Any]) -> None:
    """Override entries of a config in place; see :func:`load_config`.

    Raises:
        UserError: an option that cannot be applied, or text where a number or a dict stands.
    """
    for key, value in options.items():
        now = _value_at(cfg, key)
        known_word = _WORDS.get(key.rpartition(".")[2]) == value
        if (
            isinstance(value, str)
            and isinstance(now, (bool, int, float, Mapping))
            and not known_word
        ):
            raise UserError(f"--cfg-options {key}={value}: it is {now!r} now, which is no text")
    try:
        cfg.merge_from_dict(dict(options))
    except (KeyError, TypeError, IndexError, AssertionError) as error:
        raise UserError(f"--cfg-options do not fit {cfg.filename}: {error}") from error


def _value_at(cfg: Config, key: str) -> Any:
    """What stands at a dotted key; None where nothing does."""
    value: Any = cfg
    for part in key.split("."):
        if isinstance(value, (list, tuple)) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, Mapping) or value is cfg:
            value = value.get(part)
        else:
            return None
    return value


def load_config(
    config: str | Path,
    *,
    options: Mapping[str, Any] | None = None,
    data_root: str | Path | None = None,
) -> Config:
    """Read a config, apply ``options`` and put the data root in place.

    ``options`` are dotted keys as ``--cfg-options`` takes them,
    ``{"model.test_cfg.score_thr": 0}``; list items are addressed by number
    (``data.test.pipeline.0.type``).

    Raises:
        UserError: see :func:`read_config`; or an option that cannot be applied.
    """
    cfg = read_config(config)
    apply_options(cfg, options or {})
    root = _data_root(data_root)
    for key in list(cfg):
        cfg[key] = _with_data_root(cfg[key], root)
    return cfg


_data_root = data_root


def _with_data_root(value: Any, root: Path) -> Any:
    if isinstance(value, str):
        if value == _DATA_ROOT_IN_CONFIGS or value.startswith(_DATA_ROOT_IN_CONFIGS + "/"):
            return os.fspath(root) + value[len(_DATA_ROOT_IN_CONFIGS) :]
        return value
    if isinstance(value, Mapping):
        for key in list(value):
            value[key] = _with_data_root(value[key], root)  # type: ignore[index]
        return value
    if isinstance(value, (list, tuple)):
        return type(value)(_with_data_root(item, root) for item in value)
    return value
