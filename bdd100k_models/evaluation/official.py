"""One function over the official evaluators, in this process, with the official numbers.

``python -m bdd100k.eval.run`` and this function call the same functions of ``bdd100k`` 1.0.1 and
``scalabel`` 0.3.1 with the same arguments. What is done here besides: inputs are checked, a run
over some of the images can be scored, and images that carry nothing to score are taken out where
the official code would fail on them.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bdd100k_models.errors import UserError
from bdd100k_models.evaluation import inputs
from bdd100k_models.evaluation.locations import check_task_and_form
from bdd100k_models.evaluation.pixels import check_pixels
from bdd100k_models.evaluation.predictions import RULES, check_predictions
from bdd100k_models.evaluation.scalabel_frames import leaf_names, taken_names, to_scalabel
from bdd100k_models.evaluation.scores import Scores
from bdd100k_models.evaluation.tagging import TAGS, tagging_config
from bdd100k_models.evaluation.tracking import evaluate_tracks, read_true_videos
from bdd100k_models.frames import Frame
from bdd100k_models.frames.reading import read_frames
from bdd100k_models.frames.videos import flat
from bdd100k_models.zoo import tasks
from bdd100k_models.zoo.tasks import Form

if TYPE_CHECKING:
    from bdd100k.common.typing import BDD100KConfig
    from scalabel.eval.result import Result
    from scalabel.label.typing import Frame as ScalabelFrame


def evaluate(
    task: str,
    ground_truth: str | Path,
    predictions: str | Path,
    *,
    form: Form = "json",
    score_file: str | Path | None = None,
    names: Collection[str] | None = None,
    predicted_only: bool = False,
    nproc: int = 1,
    progress: bool = False,
) -> Scores:
    """Score predictions with the official evaluator of a task.

    The evaluators fork; see :func:`evaluate_apart` for a process that holds a GPU or is a rank.

    Args:
        task: det, ins_seg, sem_seg, drivable, pan_seg, pose, tagging, mot or mots.
        ground_truth: Scalabel JSON (a file, or a folder of them), or a folder of PNGs.
        predictions: the same for the predictions. An image without predictions counts as empty,
            as in the official tools, and the scores say how many; tagging has no such thing and
            refuses.
        form: ``json``, or ``masks`` for folders of PNGs.
        score_file: ``score.json`` of instance bitmasks, needed for ins_seg in ``masks`` form.
        names: score these images only, for a run that predicted some; all by default. Frames of
            videos are named VIDEO/NAME.
        predicted_only: score only the images that the predictions have.
        nproc: number of processes.
        progress: show the official progress bars and messages; else only what is critical.

    Raises:
        UserError: see :mod:`bdd100k_models.evaluation.inputs` and
            :mod:`bdd100k_models.evaluation.predictions`; the message says which and where.
    """
    check_task_and_form(task, form)
    if nproc < 1:
        raise UserError(f"nproc is {nproc}; at least one process is needed")
    truth, predicted = Path(ground_truth), Path(predictions)
    scores = Path(score_file) if score_file is not None else None
    with contextlib.nullcontext() if progress else quiet():
        if form == "masks":
            return _evaluate_masks(task, truth, predicted, scores, names, predicted_only, nproc)
        if tasks.facts(task).videos:
            return evaluate_tracks(task, truth, predicted, names, predicted_only, nproc)
        true_frames = read_ground_truth(task, truth)
        predicted_frames = read_frames(predicted, "predictions")
        if predicted_only:
            own = {frame["name"] for frame in predicted_frames}
            names = own if names is None else own.intersection(names)
        true_frames, predicted_frames = inputs.select_frames(true_frames, predicted_frames, names)
        if task == "tagging":
            return _evaluate_tagging(true_frames, predicted_frames)
        return _evaluate_frames(task, true_frames, predicted_frames, nproc)


def check_ground_truth(task: str, ground_truth: str | Path, form: Form = "json") -> int:
    """Number of images of a ground truth that can be scored against, before hours of predicting.

    Raises:
        UserError: what :func:`evaluate` would say of it.
    """
    check_task_and_form(task, form)
    path = Path(ground_truth)
    if form == "masks":
        return len(inputs.list_pngs(path, "ground truth"))
    with quiet():
        if tasks.facts(task).videos:
            return len(flat(read_true_videos(task, path)))
        return len(read_ground_truth(task, path))


def read_ground_truth(task: str, path: Path) -> list[Frame]:
    """The ground truth of a task of pictures, checked as far as its evaluator relies on it.

    Raises:
        UserError: see :func:`~bdd100k_models.frames.reading.read_frames` and
            :func:`~bdd100k_models.evaluation.inputs.check_ground_truth_frames`.
    """
    frames = read_frames(path, "ground truth")
    known: set[str] = set()
    if task != "tagging":
        from bdd100k.common.utils import load_bdd100k_config

        config = load_bdd100k_config(task)
        # The categories of others are taken out there, and so are not wrong here.
        known = set() if config.remove_ignored else taken_names(config)
    inputs.check_ground_truth_frames(task, frames, known)
    return frames


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the evaluators' progress bars, prints and remarks off the terminal.

    Critical messages still come: they say that images or labels were not scored.
    """
    from bdd100k.common.logger import logger as bdd100k_logger
    from scalabel.common.logger import logger as scalabel_logger

    loggers = (bdd100k_logger, scalabel_logger)
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        # Errors leave as exceptions, so nothing that matters is lost with the two streams.
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@dataclass(frozen=True)
class OfficialFrames:
    """Ground truth and predictions of pictures as the official evaluators take them.

    Attributes:
        truth: the frames that count; categories are the evaluator's.
        predicted: the same for the predictions, without frames for pictures that they lack.
        config: the evaluator's; its image size is None where the masks say theirs.
        notes: what is worth knowing and no mistake.
    """

    truth: list[ScalabelFrame]
    predicted: list[ScalabelFrame]
    config: BDD100KConfig
    notes: list[str]


def official_frames(task: str, truth: list[Frame], predicted: list[Frame]) -> OfficialFrames:
    """Check the predictions of boxes, poses or run-length masks, and convert both.

    Raises:
        UserError: see :func:`~bdd100k_models.evaluation.predictions.check_predictions`; or masks
            of two sizes for a picture, or no true mask of a class to score.
    """
    from bdd100k.common.utils import load_bdd100k_config
    from bdd100k.label.to_scalabel import bdd100k_to_scalabel

    config = load_bdd100k_config(task)
    notes = check_predictions(task, predicted, taken_names(config))
    geometry = RULES[task].geometry
    without = sum(
        label.get(geometry) is None and label.get("poly2d") is None
        for frame in truth
        for label in frame.get("labels") or ()
    )
    if without:
        notes.append(f"{without} labels of the ground truth have no {geometry} and do not count")
    sizes = inputs.mask_sizes(truth, predicted) if geometry == "rle" else set()
    truth_frames = to_scalabel(truth, "ground truth")
    predicted_frames = to_scalabel(predicted, "predictions")
    if task in ("sem_seg", "drivable"):
        scored = _settle_image_size(truth, sizes, config)
    elif task == "pan_seg":
        scored = _without_empty_frames(truth, leaf_names(config))
    else:
        scored = truth
    names = {frame["name"] for frame in scored}
    truth_frames = bdd100k_to_scalabel([f for f in truth_frames if f.name in names], config)
    return OfficialFrames(
        truth_frames, bdd100k_to_scalabel(predicted_frames, config), config, notes
    )


def _evaluate_frames(task: str, truth: list[Frame], predicted: list[Frame], nproc: int) -> Scores:
    """Boxes, poses and run-length masks."""
    from scalabel.eval.detect import evaluate_det
    from scalabel.eval.ins_seg import evaluate_ins_seg
    from scalabel.eval.pan_seg import evaluate_pan_seg
    from scalabel.eval.pose import evaluate_pose
    from scalabel.eval.sem_seg import evaluate_sem_seg

    frames = official_frames(task, truth, predicted)
    notes = frames.notes
    evaluators: dict[str, Callable[..., Result]] = {
        "det": evaluate_det,
        "ins_seg": evaluate_ins_seg,
        "sem_seg": evaluate_sem_seg,
        "drivable": evaluate_sem_seg,
        "pan_seg": evaluate_pan_seg,
        "pose": evaluate_pose,
    }
    result = evaluators[task](frames.truth, frames.predicted, frames.config.scalabel, nproc=nproc)
    labels = sum(len(frame.get("labels") or ()) for frame in predicted)
    if not labels:
        notes.append("the predictions have no labels at all")
    return Scores(task, len(truth), result, len(predicted), tuple(notes))


def _settle_image_size(
    truth: list[Frame], sizes: set[tuple[int, int]], config: BDD100KConfig
) -> list[Frame]:
    """Let semantic evaluation work on images that are not of BDD100K's size.

    The official configuration fixes 720x1280. For other sizes it is taken out, so that each mask
    says its own, and with it go the images without true masks, whose size nothing tells and whose
    pixels count nowhere.
    """
    official = config.scalabel.imageSize
    if official is None or sizes <= {(official.height, official.width)}:
        return truth
    config.scalabel.imageSize = None
    names = leaf_names(config)
    labelled = [
        frame
        for frame in truth
        if any(
            label.get("rle") is not None and label.get("category") in names
            for label in frame.get("labels") or ()
        )
    ]
    if not labelled:
        raise UserError("the ground truth has no masks of the classes to score")
    return labelled


def _without_empty_frames(truth: list[Frame], names: set[str]) -> list[Frame]:
    """Take out the images in which every pixel is to be ignored.

    Nothing in them counts, neither for nor against; the official code fails on them
    (scalabel 0.3.1, ``pq_per_image``).
    """
    kept = [
        frame
        for frame in truth
        if any(
            label.get("category") in names
            and not (label.get("attributes") or {}).get("crowd")
            and not (label.get("attributes") or {}).get("ignored")
            for label in frame.get("labels") or ()
        )
    ]
    if not kept:
        raise UserError("the ground truth has no masks of the classes to score")
    return kept


def _evaluate_tagging(truth: list[Frame], predicted: list[Frame]) -> Scores:
    from scalabel.eval.tagging import evaluate_tagging

    tags, kept = tagged_frames(truth, predicted)
    result = evaluate_tagging(
        to_scalabel(kept, "ground truth"),
        to_scalabel(predicted, "predictions"),
        tagging_config(tags),
    )
    return Scores("tagging", len(kept), result, len(kept))


def tagged_frames(truth: list[Frame], predicted: list[Frame]) -> tuple[list[str], list[Frame]]:
    """The attributes that are predicted, and the true frames that have all of them.

    Raises:
        UserError: a frame without prediction, a value that is not known, no true frame with the
            attributes.
    """
    attributes_of = {frame["name"]: frame.get("attributes") or {} for frame in predicted}
    # The official code puts the true tags in the place of missing ones, which scores them right.
    missing = [frame["name"] for frame in truth if frame["name"] not in attributes_of]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(truth)} images have no predicted tags, the first is "
            f"{missing[0]!r}; tag all, or score a part with --predicted-only"
        )
    check_predictions("tagging", predicted)
    tags = [tag for tag in TAGS if tag in attributes_of[predicted[0]["name"]]]
    kept: list[Frame] = []
    for frame in truth:
        attributes = frame.get("attributes") or {}
        if all(attributes.get(tag) is not None for tag in tags):
            _check_tags(frame["name"], attributes, tags)
            kept.append({"name": frame["name"], "attributes": attributes})
    if not kept:
        raise UserError(f"the ground truth has no image with the attributes {' and '.join(tags)}")
    return tags, kept


def _check_tags(name: str, attributes: dict[str, Any], tags: list[str]) -> None:
    for tag in tags:
        if attributes.get(tag) not in TAGS[tag]:
            raise UserError(
                f"ground truth: {tag} of {name!r} is {attributes.get(tag)!r}; "
                f"one of {', '.join(TAGS[tag])}"
            )


def _evaluate_masks(
    task: str,
    truth: Path,
    predicted: Path,
    score_file: Path | None,
    names: Collection[str] | None,
    predicted_only: bool,
    nproc: int,
) -> Scores:
    """Folders of PNGs: semantic masks, instance and panoptic bitmasks."""
    from bdd100k.common.utils import load_bdd100k_config
    from bdd100k.eval.ins_seg import evaluate_ins_seg
    from bdd100k.eval.pan_seg import evaluate_pan_seg
    from bdd100k.eval.seg import evaluate_drivable, evaluate_sem_seg

    true_pngs = inputs.list_pngs(truth, "ground truth")
    predicted_pngs = inputs.list_pngs(predicted, "predictions")
    if predicted_only:
        own = {file.stem for file in predicted_pngs}
        names = own if names is None else own.intersection(Path(name).stem for name in names)
    true_pngs, predicted_pngs = inputs.select_pngs(true_pngs, predicted_pngs, names)
    inputs.check_pngs(true_pngs, predicted_pngs, 1 if task in ("sem_seg", "drivable") else 4)
    check_pixels(task, predicted_pngs, may_be_blank=True)
    true_paths = [str(file) for file in true_pngs]
    predicted_paths = [str(file) for file in predicted_pngs]
    result: Result
    if task == "ins_seg":
        _check_every_png_predicted(true_pngs, predicted_pngs)
        inputs.check_instance_scores(score_file, true_pngs)
    elif task == "pan_seg":
        # An image without any segment is no different from a missing one, but the official code
        # fails on it (bdd100k 1.0.1, ``pq_per_image``).
        predicted_paths = [str(file) for file in predicted_pngs if not inputs.is_blank(file)]
    evaluators: dict[str, Callable[..., Result]] = {
        "ins_seg": partial(
            evaluate_ins_seg,
            pred_score_file=str(score_file),
            config=load_bdd100k_config(task).scalabel,
        ),
        "sem_seg": evaluate_sem_seg,
        "drivable": evaluate_drivable,
        "pan_seg": evaluate_pan_seg,
    }
    try:
        result = evaluators[task](true_paths, predicted_paths, nproc=nproc)
    except AssertionError as error:
        raise UserError(
            f"the official {task} evaluator refuses a PNG of {truth} or {predicted}: within an "
            "image, all pixels of one id must have one category and one set of attributes"
        ) from error
    return Scores(task, len(true_paths), result, len(predicted_pngs))


def _check_every_png_predicted(truth: list[Path], predicted: list[Path]) -> None:
    found = {file.stem for file in predicted}
    missing = [file.stem for file in truth if file.stem not in found]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(truth)} images have no predicted bitmask, the first is "
            f"{missing[0]!r}; write an empty PNG for an image without instances, or score a part "
            "with --predicted-only"
        )
