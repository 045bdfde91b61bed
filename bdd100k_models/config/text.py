"""A config as one standalone Python file: no bases, readable, and equal when loaded back."""

from __future__ import annotations

import ast
import keyword
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from bdd100k_models.errors import UserError

if TYPE_CHECKING:
    from mmcv import Config

_WIDTH = 100
#: What the text calls, and what mmcv reads as more than a value.
_TAKEN = ("dict", "float", "_base_")


def standalone_text(cfg: Config) -> str:
    """Python source that evaluates to ``cfg``, one assignment for each of its keys.

    Raises:
        UserError: the config holds something that has no literal form (a function, a class), or
            one of its keys is no name: printed as it is, it would be code.
    """
    for key in cfg:
        _check_key(key, cfg.filename)
    try:
        return "".join(f"{key} = {_literal(cfg[key], len(key) + 3, 0)}\n" for key in cfg)
    except TypeError as error:
        raise UserError(f"{cfg.filename} cannot be printed: {error}") from error


def read_text(text: str) -> dict[str, Any]:
    """What :func:`standalone_text` wrote, or mmcv did; nothing in it is run.

    Raises:
        ValueError: it is no such text.
    """
    try:
        body = ast.parse(text).body
        content = {}
        for node in body:
            if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
                raise ValueError("a config's text has assignments alone")
            content[node.targets[0].id] = _value(node.value)
    except (SyntaxError, RecursionError, MemoryError, TypeError) as error:
        raise ValueError(f"no text of a config: {error}") from error
    return content


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id == "dict" and not node.args:
            return {str(item.arg): _value(item.value) for item in node.keywords}
        if node.func.id == "float" and len(node.args) == 1:
            return float(ast.literal_eval(node.args[0]))
    if isinstance(node, ast.Dict):
        if None in node.keys:
            raise ValueError("a config's text has no **")
        keys = [ast.literal_eval(key) for key in node.keys if key is not None]
        return dict(zip(keys, map(_value, node.values), strict=True))
    if isinstance(node, ast.List):
        return [_value(item) for item in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(_value(item) for item in node.elts)
    return ast.literal_eval(node)


def _check_key(key: object, filename: str | None) -> None:
    is_name = isinstance(key, str) and key.isidentifier() and not keyword.iskeyword(key)
    if not is_name or str(key).startswith("__") or key in _TAKEN:
        raise UserError(
            f"{filename} cannot be printed: its key {key!r} is no name that a config can assign to"
        )


def _literal(value: Any, column: int, indent: int) -> str:
    """``value`` in one line if it fits into what is left after ``column``, else one item a line."""
    flat = _flat(value)
    if column + len(flat) <= _WIDTH or not isinstance(value, (Mapping, list, tuple)) or not value:
        return flat
    inner = indent + 4
    pad = " " * inner
    if isinstance(value, Mapping):
        opening, items, closing = _mapping_items(value)
    else:
        opening, closing = ("[", "]") if isinstance(value, list) else ("(", ")")
        items = [("", item) for item in value]
    lines = [f"{pad}{head}{_literal(item, inner + len(head) + 1, inner)}," for head, item in items]
    return "\n".join([opening, *lines, " " * indent + closing])


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        opening, items, closing = _mapping_items(value)
        return opening + ", ".join(head + _flat(item) for head, item in items) + closing
    if isinstance(value, list):
        return f"[{_joined(value)}]"
    if isinstance(value, tuple):
        return f"({_joined(value)},)" if len(value) == 1 else f"({_joined(value)})"
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return f"float({str(value)!r})"
    if isinstance(value, float) and value != value:
        return 'float("nan")'
    if isinstance(value, str):
        return _quoted(value)
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    raise TypeError(f"a {type(value).__name__} has no literal form: {value!r}")


def _joined(values: Iterable[Any]) -> str:
    return ", ".join(_flat(item) for item in values)


def _quoted(text: str) -> str:
    """Double quotes where they need no escape."""
    literal = repr(text)
    return f'"{literal[1:-1]}"' if literal[0] == "'" and '"' not in text else literal


def _mapping_items(value: Mapping[Any, Any]) -> tuple[str, list[tuple[str, Any]], str]:
    if "type" in value:
        value = {"type": value["type"], **value}
    names = all(isinstance(k, str) and k.isidentifier() and not keyword.iskeyword(k) for k in value)
    if names:
        return "dict(", [(f"{key}=", item) for key, item in value.items()], ")"
    return "{", [(f"{_flat(key)}: ", item) for key, item in value.items()], "}"
