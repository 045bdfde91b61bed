"""Frame files read and checked: Scalabel JSON, and the pictures that a COCO file names.

One mistake, one line: what is wrong, in which file, at which frame. What is read here has the form
that the rest relies on: names are text, labels a list of objects, attributes an object.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from bdd100k_models.errors import UserError
from bdd100k_models.files import read_json
from bdd100k_models.frames import Frame, Label, rle


def read_frames(path: Path, what: str) -> list[Frame]:
    """The frames of a Scalabel JSON file, or of all the JSON files of a folder.

    A file holds a list of frames or an object with ``frames``. ``what`` names the file in errors
    (``"ground truth"``).

    Raises:
        UserError: missing, not JSON, not frames, none, or two of one name.
    """
    if not path.exists():
        raise UserError(f"no {what} at {path}; give the path of a Scalabel JSON file")
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise UserError(f"no JSON file in {path} for the {what}; PNG folders need --form masks")
    frames: list[Frame] = []
    for file in files:
        frames += check_frames(
            listed_frames(read_json(file, what), f"{what} {file}"), f"{what} {file}"
        )
    if not frames:
        raise UserError(f"{what} {path} has no frames; was it written by another program?")
    _check_unique((frame["name"] for frame in frames), f"{what} {path}")
    return frames


def read_names(path: Path, what: str = "annotations") -> list[str]:
    """Names of the pictures of an annotation file, COCO or Scalabel, in its order.

    Raises:
        UserError: missing, not JSON, of neither form, without pictures, or with one name twice.
    """
    content = read_json(path, what)
    if not isinstance(content, dict) or "images" not in content:
        if not isinstance(content, list) and not isinstance(_member(content, "frames"), list):
            raise UserError(
                f"{what} {path} is neither COCO nor Scalabel JSON; run tools/prepare_data.py"
            )
        return [frame["name"] for frame in read_frames(path, what)]
    return picture_names(content, f"{what} {path}")


def picture_names(content: Any, where: str) -> list[str]:
    """Names of the pictures of a COCO file's content, in its order.

    Raises:
        UserError: none, no names, or one name twice; ``where`` begins the message.
    """
    images = _member(content, "images")
    if not isinstance(images, list):
        raise UserError(
            f"{where}: 'images' is {_kind(images)}, not a list; run tools/prepare_data.py"
        )
    names = []
    for index, image in enumerate(images):
        name = _member(image, "file_name")
        if not _is_name(name):
            raise UserError(
                f"{where}: 'file_name' of image {index} is {_kind(name)}, not the name of a "
                "file; run tools/prepare_data.py"
            )
        names.append(name)
    if not names:
        raise UserError(f"{where} has no images; is it the file of the right split?")
    _check_unique(names, where)
    return names


def check_frames(frames: list[Any], where: str) -> list[Frame]:
    """The same list, if it is one of frames.

    Raises:
        UserError: the first that is none; ``where`` begins the message.
    """
    for index, frame in enumerate(frames):
        name = _member(frame, "name")
        if not _is_name(name):
            raise UserError(f"{where}: frame {index} has no 'name'; every frame needs one")
        labels = frame.get("labels")
        if labels is not None:
            if not isinstance(labels, list):
                raise UserError(f"{where}: 'labels' of frame {name!r} is not a list of labels")
            for label in labels:
                if not isinstance(label, dict):
                    raise UserError(
                        f"{where}: 'labels' of frame {name!r} is not a list of labels: one is "
                        f"{_kind(label)}"
                    )
        attributes = frame.get("attributes")
        if attributes is not None and not isinstance(attributes, dict):
            raise UserError(
                f"{where}: 'attributes' of frame {name!r} is {_kind(attributes)}, not an object"
            )
    return frames


def check_labels(frames: Iterable[Frame], where: str) -> None:
    """What can be drawn or scored is whole: categories, scores, boxes, masks, graphs.

    Raises:
        UserError: the first label that is not; ``where`` begins the message.
    """
    for frame in frames:
        for number, label in enumerate(frame.get("labels") or ()):
            problem = label_problem(label)
            if problem is not None:
                raise UserError(f"{where}: label {number} of frame {frame['name']!r}: {problem}")


def label_problem(label: Label) -> str | None:
    """What is wrong with a label, in words; None where nothing is."""
    category, score = label.get("category"), label.get("score")
    if category is not None and not isinstance(category, str):
        return f"'category' is {_kind(category)}, not text"
    if score is not None and not _is_number(score):
        return f"'score' is {_kind(score)}, not a number"
    attributes = label.get("attributes")
    if attributes is not None and not isinstance(attributes, dict):
        return f"'attributes' is {_kind(attributes)}, not an object"
    for key, check in _GEOMETRIES:
        geometry = label.get(key)
        if geometry is not None:
            problem = check(geometry)
            if problem is not None:
                return problem
    return None


def _box_problem(box: Any) -> str | None:
    if not isinstance(box, dict):
        return f"'box2d' is {_kind(box)}, not an object"
    for key in ("x1", "y1", "x2", "y2"):
        if not _is_number(box.get(key)):
            return f"{key} of 'box2d' is {_kind(box.get(key))}, not a number"
    return None


def _mask_problem(mask: Any) -> str | None:
    try:
        rle.check(mask)
    except ValueError as error:
        return f"'rle': {error}"
    return None


def _graph_problem(graph: Any) -> str | None:
    nodes, edges = _member(graph, "nodes"), _member(graph, "edges")
    if not isinstance(nodes, list):
        return "'graph' has no list of 'nodes'"
    if edges is not None and not isinstance(edges, list):
        return f"'edges' of 'graph' is {_kind(edges)}, not a list"
    for node in nodes:
        if not isinstance(_member(node, "id"), (str, int)):
            return "a node of 'graph' has no 'id'"
        name, place = node.get("category"), node.get("location")
        if name is not None and not isinstance(name, str):
            return f"'category' of a node of 'graph' is {_kind(name)}, not text"
        if not isinstance(place, (list, tuple)) or len(place) != 2:
            return "'location' of a node of 'graph' is not a pair of numbers"
        if not all(map(_is_number, place)):
            return "'location' of a node of 'graph' is not a pair of numbers"
        if node.get("score") is not None and not _is_number(node["score"]):
            return f"'score' of a node of 'graph' is {_kind(node['score'])}, not a number"
    for edge in edges or ():
        for key in ("source", "target"):
            if not isinstance(_member(edge, key), (str, int)):
                return f"an edge of 'graph' has no '{key}'"
    return None


_GEOMETRIES: tuple[tuple[str, Callable[[Any], str | None]], ...] = (
    ("box2d", _box_problem),
    ("rle", _mask_problem),
    ("graph", _graph_problem),
)


def listed_frames(content: Any, where: str) -> list[Any]:
    """The frames of a file's content, unchecked.

    Raises:
        UserError: it is neither a list nor an object with ``frames``; ``where`` begins the message.
    """
    frames = content.get("frames") if isinstance(content, dict) else content
    if not isinstance(frames, list):
        raise UserError(
            f"{where} is not in Scalabel form: expected a list of frames, or an object with "
            "'frames'"
        )
    return frames


def _check_unique(names: Iterable[str], where: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise UserError(
                f"{where} names {name!r} more than once; scores match images by name, so keep one "
                "frame of each"
            )
        seen.add(name)


def _member(container: Any, key: str) -> Any:
    return container.get(key) if isinstance(container, dict) else None


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and "\0" not in value


def _is_number(value: Any) -> bool:
    if type(value) is float:
        return math.isfinite(value)
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 2**53


def _kind(value: Any) -> str:
    """A value of JSON in a message: numbers as they are, the rest by its kind."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        text = str(value)
        return text if len(text) < 20 else f"{text[:16]}…"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "an object"
