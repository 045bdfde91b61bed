"""Ground truth and predictions as the evaluators take them, checked before they do.

The official evaluators answer a mistake with an assertion, a score of zero or, at worst, with a
score that is too high. What can be known beforehand is said here in one line.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from bdd100k_models.errors import UserError
from bdd100k_models.evaluation.predictions import require_categories, require_poses
from bdd100k_models.files import read_json
from bdd100k_models.frames import Frame
from bdd100k_models.frames.reading import check_frames, check_labels
from bdd100k_models.zoo import classes


def select_frames(
    ground_truth: list[Frame],
    predictions: list[Frame],
    names: Collection[str] | None,
) -> tuple[list[Frame], list[Frame]]:
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


def check_ground_truth_frames(task: str, frames: Sequence[Frame], known: Collection[str]) -> None:
    """Raise a UserError for a true label that is not whole, or that the evaluator cannot place.

    ``known`` are the categories that it takes; empty where it passes over the others.
    """
    check_labels(frames, "ground truth")
    if known:
        require_categories(frames, known, "ground truth", task)
    if task != "pose":
        return
    for frame in frames:
        for label in frame.get("labels") or ():
            if label.get("graph") is not None and label.get("box2d") is None:
                raise UserError(
                    f"ground truth: a pose of {frame['name']!r} has no box2d, so no scale to "
                    "measure distances by"
                )
    require_poses(frames, len(classes.POSE_KEYPOINTS), "ground truth")


def mask_sizes(ground_truth: Sequence[Frame], predictions: Sequence[Frame]) -> set[tuple[int, int]]:
    """All (height, width) of the run-length masks.

    Raises:
        UserError: one image has masks of two sizes.
    """
    size_of: dict[str, tuple[int, int]] = {}
    for frames in (ground_truth, predictions):
        for frame in frames:
            name = frame["name"]
            for label in frame.get("labels") or ():
                if label.get("rle") is None:
                    continue
                height, width = label["rle"]["size"]
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


def _first_repeated(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


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


def png_header(file: Path) -> tuple[tuple[int, int], str]:
    """(width, height) and PIL's mode (``L``, ``RGBA``, …) of a PNG; its pixels are not decoded.

    Raises:
        UserError: it is no PNG.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            # A size beyond reason is for the caller to refuse, which compares it with another.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(file, formats=("PNG",)) as image:
                return image.size, image.mode
    except Image.DecompressionBombError as error:
        raise UserError(f"{file} has more pixels than any picture; write it again") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{file} cannot be read as a PNG; write it again") from error


def _png_size(file: Path, channels: int) -> tuple[int, int]:
    size, mode = png_header(file)
    found = {"RGB": 3, "RGBA": 4, "LA": 2}.get(mode, 1)
    if found != channels:
        kind = "an RGBA bitmask" if channels == 4 else "a mask with one channel"
        raise UserError(f"{file} has {found} channels; the evaluator takes {kind}")
    if mode not in ("L", "P", "RGBA"):
        raise UserError(f"{file} has {mode} pixels; the evaluator takes a mask of 8 bits a pixel")
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
    frames = read_json(score_file, "score file")
    if not isinstance(frames, list):
        raise UserError(f"score file {score_file} must be a bare list of frames, without 'frames'")
    check_frames(frames, f"score file {score_file}")
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
