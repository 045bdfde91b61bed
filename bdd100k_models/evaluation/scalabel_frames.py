"""Frames as scalabel's own objects, and the categories that an evaluator takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bdd100k_models.errors import UserError
from bdd100k_models.frames import Frame

if TYPE_CHECKING:
    from bdd100k.common.typing import BDD100KConfig
    from scalabel.label.typing import Frame as ScalabelFrame


def to_scalabel(frames: list[Frame], what: str) -> list[ScalabelFrame]:
    """Scalabel's objects.

    Raises:
        UserError: a frame that it does not take; ``what`` names the file.
    """
    from pydantic import ValidationError
    from scalabel.label.io import parse

    parsed = []
    for frame in frames:
        try:
            parsed.append(parse(frame))
        except (ValidationError, TypeError) as error:
            reason = " ".join(str(error).split())
            raise UserError(
                f"{what}: frame {frame['name']!r} is not in Scalabel form: {reason}"
            ) from error
    return parsed


def leaf_names(config: BDD100KConfig) -> set[str]:
    """Categories that the evaluator scores."""
    from scalabel.label.utils import get_leaf_categories

    return {category.name for category in get_leaf_categories(config.scalabel.categories)}


def taken_names(config: BDD100KConfig) -> set[str]:
    """Categories that the evaluator takes, those that it renames or ignores among them."""
    return leaf_names(config) | {*(config.name_mapping or ()), *(config.ignored_mapping or ())}
