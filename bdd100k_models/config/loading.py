"""A config file made ready to run: found by path or published name, with overrides and data root.

Configs write ``data/bdd100k/…``. What stands there is, in this order, the ``data_root`` given, the
environment variable ``BDD100K_DATA_ROOT``, or ``data/bdd100k`` in the repository, whatever the
current folder; with an installed package, in the current folder.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from bdd100k_models import compat
from bdd100k_models.config.options import apply_options
from bdd100k_models.errors import UserError, let_go
from bdd100k_models.files.places import workspace
from bdd100k_models.zoo.configs import find_config, published_elsewhere

if TYPE_CHECKING:
    from mmcv import Config

DATA_ROOT_VARIABLE = "BDD100K_DATA_ROOT"
_DATA_ROOT_IN_CONFIGS = "data/bdd100k"


def data_root(given: str | Path | None = None) -> Path:
    """The folder that holds ``images/``, ``labels/`` and ``jsons/``, as an absolute path."""
    chosen = given or os.environ.get(DATA_ROOT_VARIABLE) or workspace() / _DATA_ROOT_IN_CONFIGS
    return Path(chosen).expanduser().resolve()


def read_config(config: str | Path) -> Config:
    """The config as its file and bases say, paths untouched.

    Raises:
        UserError: not found, or the file does not evaluate (the message names file and reason), or
            its bases go round in a circle (the message names it).
    """
    compat.check_packages()
    from mmcv import Config

    path = find_config(config)
    _refuse_circle([path])
    search_path = list(sys.path)
    try:
        cfg = Config.fromfile(os.fspath(path))
    except KeyboardInterrupt as error:
        let_go(error)
        raise
    except (Exception, SystemExit) as error:  # a config is a program: it can fail in any way
        # mmcv (1.7.0) has a copy of the config open, and has removed the folder that it is in.
        let_go(error)
        sys.path[:] = search_path  # mmcv leaves the folder of its copy there
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else repr(error)
        if isinstance(error, SystemExit):
            reason = f"it ends the program, with {reason}"
        raise UserError(f"config {path} cannot be read: {reason}") from error
    other = published_elsewhere(config)
    if other is not None:
        cfg.weights_of = other.name
    return cfg


def _refuse_circle(chain: list[Path]) -> None:
    """Raise where a config of ``chain``, each a base of the one before, is a base of its own."""
    for base in _bases(chain[-1]):
        if base in chain:
            circle = [*chain[chain.index(base) :], base]
            names = " -> ".join(os.path.relpath(path, chain[0].parent) for path in circle)
            raise UserError(f"config {chain[0]} cannot be read: its bases go in a circle: {names}")
        _refuse_circle([*chain, base])


def _bases(path: Path) -> list[Path]:
    """What a config file says in ``_base_``; nothing where that cannot be told without running."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".py":
            named = [
                ast.literal_eval(node.value)
                for node in ast.parse(text).body
                if isinstance(node, ast.Assign)
                and any(isinstance(name, ast.Name) and name.id == "_base_" for name in node.targets)
            ]
            given = named[-1] if named else []
        else:
            content = yaml.safe_load(text)  # JSON is YAML
            given = content.get("_base_", []) if isinstance(content, dict) else []
    except (OSError, ValueError, SyntaxError, RecursionError, yaml.YAMLError):
        return []
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, (list, tuple)):
        return []
    return [Path(os.path.abspath(path.parent / name)) for name in names if isinstance(name, str)]


def load_config(
    config: str | Path,
    *,
    options: Mapping[str, Any] | None = None,
    data_root: str | Path | None = None,
) -> Config:
    """Read a config, apply ``options`` and put the data root in place.

    ``options`` are dotted keys as ``--cfg-options`` takes them,
    ``{"model.test_cfg.score_thr": 0}``; list items are addressed by number
    (``data.test.pipeline.0.type``), and ``+`` begins a key that the config does not know.

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
