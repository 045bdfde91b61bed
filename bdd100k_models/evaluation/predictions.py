"""What the labels of predictions must be, so that a score says what it seems to say.

The evaluators and the servers take what fits: labels of another task, boxes turned inside out,
masks that overlap. What they would drop or misread is refused here, for both alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from bdd100k_models.errors import UserError
from bdd100k_models.evaluation.tagging import TAGS
from bdd100k_models.files import read_json
from bdd100k_models.frames import Frame, rle
from bdd100k_models.frames.reading import check_labels
from bdd100k_models.frames.videos import check_identities
from bdd100k_models.zoo import classes, tasks
from bdd100k_models.zoo.public import BESIDE

Item = TypeVar("Item")


def whose(task: str, predictions: Path) -> str | None:
    """What a run with weights of others has written beside its predictions; None where none has.

    ``predictions`` is a JSON file, a folder of them, or one of masks.

    Raises:
        UserError: they are roads, which are no drivable lanes.
    """
    for folder in (predictions, predictions.parent):
        path = folder / BESIDE
        if not path.is_file():
            continue
        facts = read_json(path)
        if not isinstance(facts, dict):
            return None
        if task == facts.get("task") == "drivable":
            raise UserError(
                f"{predictions} holds roads that public weights found, which are no drivable lanes "
                "and are not scored as such"
            )
        note = facts.get("note")
        return note if isinstance(note, str) else None
    return None


@dataclass(frozen=True)
class Rules:
    """What the evaluator of a task expects of labels, beside what `zoo.tasks` knows.

    Attributes:
        geometry: what every label must have.
        scored: every label must have a score.
        disjoint: masks of one image must not overlap.
        counted: labels of one image (of each class, for boxes) that the evaluator counts.
    """

    geometry: Literal["box2d", "rle", "graph"] | None = None
    scored: bool = False
    disjoint: bool = False
    counted: int | None = None


RULES: Mapping[str, Rules] = {
    "tagging": Rules(),
    "det": Rules("box2d", scored=True, counted=100),
    "ins_seg": Rules("rle", scored=True, disjoint=True, counted=100),
    "sem_seg": Rules("rle"),
    "drivable": Rules("rle"),
    "pan_seg": Rules("rle", disjoint=True),
    "pose": Rules("graph", scored=True, counted=20),
    "mot": Rules("box2d"),
    "mots": Rules("rle", disjoint=True),
}


def check_predictions(
    task: str,
    frames: Sequence[Frame],
    further: Collection[str] = (),
    size: tuple[int, int] | None = None,
) -> list[str]:
    """Check the labels, or tags, of every frame; gives what is worth knowing and no mistake.

    Args:
        task: one of `RULES`.
        frames: of a prediction file.
        further: categories to take beside those of the task.
        size: height and width that every mask must have; else those of one image must agree.

    Raises:
        UserError: the first mistake, with its frame.
    """
    check_labels(frames, "predictions")
    if task == "tagging":
        check_tags(frames)
        return []
    rules = RULES[task]
    known = {*tasks.facts(task).classes, *further}
    require_categories(frames, known, "predictions", task)
    crowded = 0
    for frame in frames:
        labels = frame.get("labels") or []
        for label in labels:
            if label.get(rules.geometry) is None:
                polygons = "; masks must be RLE" if label.get("poly2d") is not None else ""
                raise UserError(
                    f"predictions: a label of {frame['name']!r} has no {rules.geometry}{polygons}"
                )
            if rules.scored and label.get("score") is None:
                raise UserError(
                    f"predictions: a label of {frame['name']!r} has a {rules.geometry} but no "
                    "score; average precision needs one for each"
                )
            box = label.get("box2d")
            if box is not None and (box["x1"] > box["x2"] or box["y1"] > box["y2"]):
                raise UserError(
                    f"predictions: a box of {frame['name']!r} ends before it begins: x1 "
                    f"{box['x1']:g}, x2 {box['x2']:g}, y1 {box['y1']:g}, y2 {box['y2']:g}"
                )
        most = max(Counter(label["category"] for label in labels).values(), default=0)
        crowded += rules.counted is not None and most > rules.counted
    if task == "pose":
        require_poses(frames, len(classes.POSE_KEYPOINTS), "predictions")
    if task == "pan_seg":
        require_whole_ids(frames)
    if tasks.facts(task).videos:
        check_identities(frames, "predictions")
    if rules.geometry == "rle":
        _check_masks(frames, rules.disjoint, size)
    if not crowded:
        return []
    return [
        f"{crowded} images have more than {rules.counted} labels of one category; the "
        f"evaluator counts the best {rules.counted}"
    ]


def require_categories(
    frames: Iterable[Frame], known: Collection[str], what: str, task: str
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


def require_whole_ids(frames: Iterable[Frame]) -> None:
    """Raise a UserError for a predicted label whose id is not a whole number."""
    for frame in frames:
        for label in frame.get("labels") or ():
            text = str(label.get("id", ""))
            if not (text.isascii() and text.isdigit()):
                raise UserError(
                    f"predictions: a label of {frame['name']!r} has id {label.get('id')!r}; "
                    "the panoptic evaluator needs whole numbers"
                )


def require_poses(frames: Iterable[Frame], keypoints: int, what: str) -> None:
    """Raise a UserError unless each pose has ``keypoints`` nodes, and a box wherever one has."""
    with_box = None
    for frame in frames:
        for label in frame.get("labels") or ():
            graph = label.get("graph")
            if graph is None:
                continue
            found = len(graph["nodes"])
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


def _check_masks(frames: Sequence[Frame], disjoint: bool, wanted: tuple[int, int] | None) -> None:
    for frame in with_progress(frames, "masks"):
        masks: list[rle.RLE] = [label["rle"] for label in frame.get("labels") or ()]
        for mask in masks:
            size = list(wanted or masks[0]["size"])
            if list(mask["size"]) != size:
                raise UserError(
                    f"predictions: a mask of {frame['name']!r} has size {mask['size']}, "
                    f"{'BDD100K images have' if wanted else 'another'} {size}"
                )
        if disjoint and rle.overlap(masks):
            raise UserError(
                f"predictions: masks of {frame['name']!r} overlap; the evaluator drops every label "
                "of such an image, so write what stays visible"
            )


def check_tags(frames: Sequence[Frame]) -> None:
    """Raise a UserError unless all frames have the same attributes, with values that are known."""
    present = [
        tag for tag in TAGS if any(tag in (frame.get("attributes") or {}) for frame in frames)
    ]
    if not present:
        raise UserError(f"predictions: no frame has an attribute {' or '.join(TAGS)}")
    for frame in frames:
        for tag in present:
            value = (frame.get("attributes") or {}).get(tag)
            if value not in TAGS[tag]:
                raise UserError(
                    f"predictions: {frame['name']!r} has {tag} {value!r}; "
                    f"one of {', '.join(TAGS[tag])}"
                )


def with_progress(items: Sequence[Item], what: str) -> Iterable[Item]:
    """A bar on a terminal, nothing elsewhere."""
    from tqdm import tqdm

    return tqdm(items, desc=f"checking {what}", disable=None, leave=False)
