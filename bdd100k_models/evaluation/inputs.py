"""Ground truth and predictions as the evaluators take them, checked before they do.

The official evaluators answer a mistake with an assertion, a score of zero or, at worst, with a
score that is too high. What can be known beforehand is said here in one line.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson

from bdd100k_models.errors import UserError
from bdd100k_models.evaluation.locations import Form

#: A Scalabel frame as JSON holds it.
RawFrame = dict[str, Any]


def read_frames(path: Path, what: str) -> list[RawFrame]:
    """The frames of a Scalabel JSON file, or of all the JSON files of a folder.

    A file holds a list of frames or an object with ``frames``. ``what`` names the file in errors.

    Raises:
        UserError: missing, not JSON, not frames, or two frames of one name.
    """
    if not path.exists():
        raise UserError(f"no {what} at {path}; give the path of a Scalabel JSON file")
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise UserError(f"no JSON file in {path} for the {what}; PNG folders need --form masks")
    frames: list[RawFrame] = []
    for file in files:
        frames.extend(_read_file(file, what))
    if not frames:
        raise UserError(f"{what} {path} has no frames; was it written by another program?")
    repeated = _first_repeated(frame["name"] for frame in frames)
    if repeated is not None:
        raise UserError(
            f"{what} {path} names {repeated!r} more than once; "
            "scores match images by name, so keep one frame of each"
        )
    return frames


def _read_file(file: Path, what: str) -> list[RawFrame]:
    content = _read_json(file, what)
    frames = content.get("frames") if isinstance(content, dict) else content
    if not isinstance(frames, list):
        raise UserError(
            f"{what} {file} is not in Scalabel form: expected a list of frames, or an object with "
            "'frames'"
        )
    _check_form(frames, f"{what} {file}")
    return frames


def _read_json(file: Path, what: str) -> Any:
    try:
        return orjson.loads(file.read_bytes())
    except orjson.JSONDecodeError as error:
        raise UserError(f"{what} {file} is not valid JSON: {error}; write it again") from error
    except OSError as error:
        raise UserError(f"{what} {file} cannot be read: {error.strerror}") from error


def _check_form(frames: list[Any], where: str) -> None:
    for index, frame in enumerate(frames):
        if not isinstance(frame, dict) or not isinstance(frame.get("name"), str):
            raise UserError(f"{where}: frame {index} has no 'name'; every frame needs one")
        labels = frame.get("labels") or []
        if not isinstance(labels, list) or not all(isinstance(label, dict) for label in labels):
            raise UserError(f"{where}: 'labels' of frame {frame['name']!r} is not a list of labels")


def _first_repeated(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def select_frames(
    ground_truth: list[RawFrame],
    predictions: list[RawFrame],
    names: Collection[str] | None,
) -> tuple[list[RawFrame], list[RawFrame]]:
    """Restrict both to the images in ``names``, or leave both whole where it is None.

    Raises:
        UserError: a prediction for an image that the ground truth does not have, or no image left.
    """
    known = {frame["name"] for frame in ground_truth}
    _check_known([frame["name"] for frame in predictions], known)
    if names is None:
        return ground_truth, predictions
    wanted = set(names)
    kept = [frame for frame in ground_truth if frame["name"] in wanted]
    _check_any_left(kept, wanted)
    return kept, [frame for frame in predictions if frame["name"] in wanted]


def _check_known(predicted: Sequence[str], known: Collection[str]) -> None:
    unknown = [name for name in predicted if name not in known]
    if unknown:
        raise UserError(
            f"{len(unknown)} of {len(predicted)} predicted images are not in the ground truth, the "
            f"first is {unknown[0]!r}; is this the right split, and are names base names?"
        )


def _check_any_left(kept: Sequence[Any], wanted: Collection[str]) -> None:
    if not kept:
        example = next(iter(wanted), None)
        hint = f", such as {example!r}" if example is not None else ""
        raise UserError(f"none of the {len(wanted)} images asked for{hint} is in the ground truth")


def predicted_names(predictions: str | Path, form: Form = "json") -> list[str]:
    """Names of the images that predictions hold, for ``names`` of :func:`evaluate`.

    Raises:
        UserError: see :func:`read_frames` and :func:`list_pngs`.
    """
    path = Path(predictions)
    if form == "masks":
        return [file.name for file in list_pngs(path, "predictions")]
    return [frame["name"] for frame in read_frames(path, "predictions")]


def require_categories(
    frames: Iterable[RawFrame], known: Collection[str], what: str, task: str
) -> None:
    """Raise a UserError for a label whose category the evaluator of ``task`` cannot place."""
    for frame in frames:
        for label in frame.get("labels") or ():
            if label.get("category") not in known:
                raise UserError(
                    f"{what}: {frame['name']!r} has a label of category "
                    f"{label.get('category')!r}, which {task} does not know; "
                    f"one of {', '.join(sorted(known))}"
                )


def require_scores(frames: Iterable[RawFrame], geometry: str) -> None:
    """Raise a UserError for a predicted label with ``geometry`` that has no score."""
    for frame in frames:
        for label in frame.get("labels") or ():
            if label.get(geometry) is not None and not isinstance(label.get("score"), (int, float)):
                raise UserError(
                    f"predictions: a label of {frame['name']!r} has a {geometry} but no score; "
                    "average precision needs one for each"
                )


def require_masks_as_rle(frames: Iterable[RawFrame]) -> None:
    """Raise a UserError for a predicted label that has polygons in the place of a mask."""
    for frame in frames:
        for label in frame.get("labels") or ():
            if label.get("poly2d") is not None and label.get("rle") is None:
                raise UserError(
                    f"predictions: a label of {frame['name']!r} has polygons; masks must be RLE"
                )


def require_whole_ids(frames: Iterable[RawFrame]) -> None:
    """Raise a UserError for a predicted label whose id is not a whole number."""
    for frame in frames:
        for label in frame.get("labels") or ():
            if not str(label.get("id", "")).isdigit():
                raise UserError(
                    f"predictions: a label of {frame['name']!r} has id {label.get('id')!r}; "
                    "the panoptic evaluator needs whole numbers"
                )


def require_poses(frames: Iterable[RawFrame], keypoints: int, what: str) -> None:
    """Raise a UserError unless each pose has ``keypoints`` nodes, and a box wherever one has."""
    with_box = None
    for frame in frames:
        for label in frame.get("labels") or ():
            graph = label.get("graph")
            if graph is None:
                continue
            found = len(graph.get("nodes", ()))
            if found != keypoints:
                raise UserError(
                    f"{what}: a pose of {frame['name']!r} has {found} nodes, not {keypoints}"
                )
            has_box = label.get("box2d") is not None
            with_box = has_box if with_box is None else with_box
            if has_box != with_box:
                raise UserError(
                    f"{what}: some poses have a box2d and others, as in {frame['name']!r}, "
                    "differ; the evaluator takes all with or all without"
                )


def require_ground_truth_boxes(frames: Iterable[RawFrame]) -> None:
    """Raise a UserError for a true pose without the box that gives it its scale."""
    for frame in frames:
        for label in frame.get("labels") or ():
            if label.get("graph") is not None and label.get("box2d") is None:
                raise UserError(
                    f"ground truth: a pose of {frame['name']!r} has no box2d, so no scale to "
                    "measure distances by"
                )


def mask_sizes(
    ground_truth: Sequence[RawFrame], predictions: Sequence[RawFrame]
) -> set[tuple[int, int]]:
    """All (height, width) of the run-length masks.

    Raises:
        UserError: one image has masks of two sizes, or a mask has no run lengths, which
            pycocotools does not survive.
    """
    size_of: dict[str, tuple[int, int]] = {}
    for frames in (ground_truth, predictions):
        for frame in frames:
            name = frame["name"]
            for label in frame.get("labels") or ():
                if label.get("rle") is None:
                    continue
                height, width = label["rle"]["size"]
                if not label["rle"]["counts"]:
                    raise UserError(f"a mask of {name!r} has no run lengths; leave empty masks out")
                size = size_of.setdefault(name, (height, width))
                if size != (height, width):
                    raise UserError(
                        f"masks of {name!r} are {width}x{height} and {size[1]}x{size[0]} pixels; "
                        "predictions must have the size of the ground truth"
                    )
    return set(size_of.values())


def list_pngs(folder: Path, what: str) -> list[Path]:
    """All PNG files below a folder, sorted by path.

    Raises:
        UserError: no such folder, no PNG in it, or two of one base name.
    """
    if not folder.is_dir():
        raise UserError(f"no folder of {what} at {folder}; masks are scored from a folder of PNGs")
    files = sorted(folder.rglob("*.png"))
    if not files:
        raise UserError(f"no PNG in {folder} for the {what}; a JSON file needs --form json")
    repeated = _first_repeated(file.stem for file in files)
    if repeated is not None:
        raise UserError(f"{what} {folder} has more than one {repeated}.png; keep one of each")
    return files


def select_pngs(
    ground_truth: list[Path], predictions: list[Path], names: Collection[str] | None
) -> tuple[list[Path], list[Path]]:
    """As :func:`select_frames`; files and ``names`` agree when their stems do.

    Raises:
        UserError: see :func:`select_frames`.
    """
    _check_known([file.stem for file in predictions], {file.stem for file in ground_truth})
    if names is None:
        return ground_truth, predictions
    wanted = {Path(name).stem for name in names}
    kept = [file for file in ground_truth if file.stem in wanted]
    _check_any_left(kept, wanted)
    return kept, [file for file in predictions if file.stem in wanted]


def check_pngs(ground_truth: Iterable[Path], predictions: Iterable[Path], channels: int) -> None:
    """Raise a UserError unless each PNG has ``channels`` channels and its partner's size.

    Only headers are read.
    """
    sizes = {file.stem: _png_size(file, channels) for file in ground_truth}
    for file in predictions:
        size = _png_size(file, channels)
        if file.stem in sizes and size != sizes[file.stem]:
            width, height = sizes[file.stem]
            raise UserError(
                f"{file} has {size[0]}x{size[1]} pixels, its ground truth {width}x{height}; "
                "predictions must have the size of the ground truth"
            )


def _png_size(file: Path, channels: int) -> tuple[int, int]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as image:
            bands, size = image.getbands(), image.size
    except (OSError, UnidentifiedImageError) as error:
        raise UserError(f"{file} cannot be read as a PNG; write it again") from error
    if len(bands) != channels:
        kind = "an RGBA bitmask" if channels == 4 else "a mask with one channel"
        raise UserError(f"{file} has {len(bands)} channels; the evaluator takes {kind}")
    return size


def is_blank(bitmask: Path) -> bool:
    """Whether an RGBA bitmask has no segment at all."""
    from PIL import Image

    with Image.open(bitmask) as image:
        return image.getbbox(alpha_only=False) is None


def check_instance_scores(score_file: Path | None, pngs: Sequence[Path]) -> None:
    """Raise a UserError unless ``score.json`` fits a folder of instance bitmasks.

    It must be a bare list of frames that lists every PNG, with ``index`` and ``score`` for each
    label.
    """
    if score_file is None:
        raise UserError("instance bitmasks are scored with their score.json; pass --score-file")
    if not score_file.is_file():
        raise UserError(f"no score file at {score_file}; test.py writes it beside the bitmasks")
    frames = _read_json(score_file, "score file")
    if not isinstance(frames, list):
        raise UserError(f"score file {score_file} must be a bare list of frames, without 'frames'")
    _check_form(frames, f"score file {score_file}")
    for frame in frames:
        for label in frame.get("labels") or ():
            if not {"index", "score"} <= label.keys():
                raise UserError(
                    f"score file {score_file}: a label of {frame['name']!r} lacks index or score"
                )
    # The evaluator finds a PNG by this very replacement.
    listed = {frame["name"].replace(".jpg", ".png") for frame in frames}
    for png in pngs:
        if png.name not in listed:
            raise UserError(f"score file {score_file} does not list {png.stem}.jpg; list every PNG")
