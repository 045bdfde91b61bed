"""JSON files read, with one line for what is wrong with them."""

from pathlib import Path
from typing import Any

import orjson

from bdd100k_models.errors import UserError


def read_json(path: Path, what: str = "") -> Any:
    """Content of a JSON file; ``what`` names the file in errors (``"ground truth"``).

    ``NaN`` and ``Infinity``, which the toolkit's own files hold, are read as numbers.

    Raises:
        UserError: not there, not JSON, not UTF-8, or nested beyond reason.
    """
    named = f"{what} {path}" if what else f"{path}"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {named}: {error.strerror}") from error
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if b"NaN" in data or b"Infinity" in data:
            return _read_lenient(data, named)
        raise UserError(f"{named} is not JSON: {error}; write it again") from error


def _read_lenient(data: bytes, named: str) -> Any:
    import json

    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{named} is not JSON: {error}; write it again") from error
