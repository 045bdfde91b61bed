"""Options that override a config: ``KEY=VALUE``, keys that its place knows, values that fit."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bdd100k_models.config.keys import known_keys
from bdd100k_models.errors import UserError, nearest

if TYPE_CHECKING:
    from mmcv import Config

#: Begins a key that is added on purpose.
ADDED = "+"

#: Last part of a key -> the word that may stand there in the place of a number.
_WORDS = {"loss_scale": "dynamic"}


def parse_options(items: Sequence[str]) -> dict[str, Any]:
    """``KEY=VALUE`` items as mmcv reads them: numbers, booleans, None, lists, tuples.

    Raises:
        UserError: an item without a key or ``=``, or brackets that do not match.
    """
    if not items:
        return {}
    from mmcv import DictAction

    parser = argparse.ArgumentParser()
    parser.add_argument("--options", nargs="+", action=DictAction)
    broken = next((item for item in items if not re.match(r"\+?[^=+][^=]*=", item)), None)
    if broken is not None:
        raise UserError(f"--cfg-options {broken}: write KEY=VALUE")
    try:
        options: dict[str, Any] = parser.parse_args(["--options", *items]).options
    except (ValueError, AssertionError) as error:
        raise UserError(f"--cfg-options: {error}") from error
    return options


def apply_options(cfg: Config, options: Mapping[str, Any]) -> None:
    """Override entries of a config in place.

    Keys are dotted; list items are addressed by number. A key that is not in the config must be
    one that its place knows, an argument of the type that stands there for instance, or begin
    with ``+``, which adds it.

    Raises:
        UserError: an unknown key, an option that cannot be applied, or text where a number or a
            dict stands.
    """
    types = {key.lstrip(ADDED): value for key, value in options.items() if key.endswith(".type")}
    plain: dict[str, Any] = {}
    for given, value in options.items():
        key = given.removeprefix(ADDED)
        now = _value_at(cfg, key)
        is_word = _WORDS.get(key.rpartition(".")[2]) == value
        is_plain = isinstance(now, (bool, int, float, Mapping))
        if isinstance(value, str) and is_plain and not is_word:
            raise UserError(f"--cfg-options {key}={value}: it is {now!r} now, which is no text")
        if given == key:
            _check_key(cfg, key, value, types)
        plain[key] = value
    try:
        cfg.merge_from_dict(plain)
    except (KeyError, TypeError, IndexError, AttributeError, AssertionError, ValueError) as error:
        raise UserError(f"--cfg-options do not fit {cfg.filename}: {error}") from error


def _value_at(cfg: Config, key: str) -> Any:
    """What stands at a dotted key; None where nothing does."""
    value: Any = cfg._cfg_dict
    for part in key.split("."):
        if isinstance(value, (list, tuple)) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, Mapping):
            value = value.get(part)
        else:
            return None
    return value


def _check_key(cfg: Config, key: str, value: Any, types: Mapping[str, Any]) -> None:
    """Raise for the first part of ``key`` that neither the config nor its place knows."""
    node: Any = cfg._cfg_dict
    parts = key.split(".")
    for depth, part in enumerate(parts):
        if isinstance(node, (list, tuple)) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
            continue
        if not isinstance(node, Mapping):
            return  # a number or nothing: merging says what is wrong
        if part in node:
            node = node[part]
            continue
        place = parts[:depth]
        known = known_keys(cfg, place, node, types.get(".".join([*place, "type"])))
        if known is None:
            return
        if part not in known:
            where = ".".join(place) or "the config"
            hint = nearest(part, [*map(str, node), *sorted(known - set(node))])
            raise UserError(
                f"--cfg-options {key}={value}: {where} has no {part}; {hint}; "
                f"+{key}={value} adds it"
            )
        node = {}
