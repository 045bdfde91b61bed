"""Turning downloaded labels into the files that the configs read.

The toolkit's converters (``bdd100k.label.to_coco``, ``to_coco_panseg``) do the conversion. What
they leave out or get wrong is put right afterwards, and everything is checked: see ``_complete_*``.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bdd100k_models import system
from bdd100k_models.data.checks import (
    STUFF_NUM,
    Check,
    FileCheck,
    check_bitmask,
    check_files,
    check_map,
    check_picture,
)
from bdd100k_models.data.tracks import coco_of_videos
from bdd100k_models.engine.progress import Progress
from bdd100k_models.errors import UserError, nearest
from bdd100k_models.files import write_bytes
from bdd100k_models.frames import Frame
from bdd100k_models.frames.reading import check_labels, read_frames
from bdd100k_models.frames.videos import check_identities, flat, picture_path, read_videos
from bdd100k_models.zoo import tasks
from bdd100k_models.zoo.classes import (
    DRIVABLE,
    INS_SEG,
    PAN_SEG,
    POSE_EDGES,
    POSE_KEYPOINTS,
    SCENE,
    SEM_SEG,
    WEATHER,
)

SPLITS = ("train", "val")

Coco = dict[str, Any]
Checks = dict[str, FileCheck]


class _PreparationError(Exception):
    """A split of a task cannot be prepared; the message says why."""


TASKS = tuple(name for name, facts in tasks.TASKS.items() if facts.ground_truth)


@dataclass
class Report:
    """What became of one split of one task.

    Attributes:
        task, split: which.
        status: ``ready``, ``skipped`` (no labels, and the task was not asked for) or ``failed``.
        summary: one line: what was made, or why nothing was.
        notes: what the user should know, one line each.
    """

    task: str
    split: str
    status: str = "ready"
    summary: str = ""
    notes: list[str] = field(default_factory=list)


def prepare(
    root: Path,
    wanted: Sequence[str] | None = None,
    splits: Sequence[str] = SPLITS,
    workers: int = 1,
    quiet: bool = False,
) -> list[Report]:
    """Convert and check the labels below ``root``.

    Args:
        root: folder that holds ``images`` and ``labels``; ``jsons`` is written beside them.
        wanted: names from ``TASKS``; None takes every task that has labels.
        splits: ``train``, ``val``.
        workers: processes.
        quiet: show no progress.

    Returns:
        A report for each task and split.

    Raises:
        UserError: ``root`` is not a folder with ``images`` and ``labels``, or an unknown task.
    """
    if not root.is_dir():
        raise UserError(f"no folder {root}; pass --data-root DIR with images/ and labels/ in it")
    for name in ("images", "labels"):
        if not (root / name).is_dir():
            raise UserError(
                f"{root} has no folder {name}/; unpack BDD100K there so that "
                f"{root / name} exists, or pass another --data-root"
            )
    for task in wanted or ():
        if task not in TASKS:
            raise UserError(f"no task {task!r}; {nearest(task, TASKS)}")
    reports = []
    seen: dict[Path, Checks] = {}
    for task in wanted or TASKS:
        for split in splits:
            report = Report(task, split)
            job = _Job(root, task, split, workers, quiet, report, seen)
            reports.append(report)
            if job.labels is None:
                report.status = "skipped" if wanted is None else "failed"
                looked = " or ".join(job.label_places).format(split=split)
                report.summary = f"no labels: {looked} is not there"
                continue
            try:
                report.summary = _PREPARE[task](job)
            except _PreparationError as error:
                report.status, report.summary = "failed", str(error)
    return reports


@dataclass
class _Job:
    """One split of one task on its way."""

    root: Path
    task: str
    split: str
    workers: int
    quiet: bool
    report: Report
    #: Pictures that an earlier task has looked at, by folder.
    seen: dict[Path, Checks]

    @property
    def label_places(self) -> tuple[str, ...]:
        """Masks where the task has them, else JSON: below the data root, with ``{split}``."""
        truth = tasks.facts(self.task).ground_truth
        return truth.get("masks") or truth["json"]

    @property
    def labels(self) -> Path | None:
        """The labels' file or folder, if there is one."""
        candidates = [self.root / path.format(split=self.split) for path in self.label_places]
        return next((path for path in candidates if path.exists()), None)

    @property
    def pictures(self) -> Path:
        return self.root / tasks.facts(self.task).pictures.format(split=self.split)

    @property
    def target(self) -> Path:
        name = tasks.facts(self.task).toolkit
        return self.root / "jsons" / f"{name}_{self.split}_cocofmt.json"

    def note(self, text: str) -> None:
        """Add a line to the report."""
        self.report.notes.append(text)

    def check(self, folder: Path, names: list[str], check: Check, what: str) -> Checks:
        """Look at files; raises when any cannot be used."""
        title = f"{self.task} {self.split}: {what}"
        progress = None if self.quiet else Progress(len(names))
        if progress is not None and names:
            print(f"{title}: {len(names)} files to check", flush=True)
        update = None if progress is None else partial(progress.update, 1)
        found = check_files(folder, names, check, self.workers, update)
        if progress is not None:
            progress.close()
        bad = [f"{item.name} {item.problem}" for item in found.values() if item.problem]
        if bad:
            raise _PreparationError(
                f"{len(bad)} of {len(names)} {what} in {folder} cannot be used: {_some(bad)}; "
                "download or unpack them again"
            )
        return found

    def match_pictures(self, names: Sequence[str]) -> Checks:
        """Check the pictures of the labels ``names`` (with suffix .jpg).

        Returns:
            Those that exist. Labels without pictures, and pictures without labels, are noted.
        """
        if not self.pictures.is_dir():
            raise _PreparationError(f"no pictures: {self.pictures} is not there")
        present = set(_below(self.pictures, (".jpg", ".jpeg", ".png")))
        lacking = [name for name in names if name not in present]
        shared = [name for name in names if name in present]
        if not shared:
            raise _PreparationError(
                f"none of the {len(names)} labelled pictures is in {self.pictures}, which has "
                f"{len(present)} pictures; are labels and pictures of the same split?"
            )
        if lacking:
            self.note(f"{len(lacking)} labels have no picture and are left out: {_some(lacking)}")
        unlabelled = sorted(present.difference(names))
        if unlabelled:
            self.note(f"{len(unlabelled)} pictures have no labels: {_some(unlabelled)}")
        official = tasks.facts(self.task).labelled.get(self.split)
        if official is not None and official != len(names):
            self.note(f"{len(names)} labelled pictures; the real dataset has {official}")
        known = self.seen.setdefault(self.pictures, {})
        new = [name for name in shared if name not in known]
        known.update(self.check(self.pictures, new, check_picture, "pictures"))
        return {name: known[name] for name in shared}

    def frames(self) -> list[Frame]:
        """The frames of the labels' file."""
        assert self.labels is not None
        try:
            return read_frames(self.labels, "labels")
        except UserError as error:
            raise _PreparationError(str(error)) from error

    def masks(self, check: Check) -> Checks:
        """The PNGs of a folder of masks, looked at."""
        assert self.labels is not None
        names = _below(self.labels, (".png",))
        if not names:
            raise _PreparationError(f"{self.labels} has no PNG files")
        return self.check(self.labels, names, check, "masks")

    def write(self, coco: Coco) -> str:
        """Write the finished file and give the summary."""
        write_bytes(self.target, json.dumps(coco).encode())
        segments = [ann for ann in coco["annotations"] if "segments_info" in ann]
        labels = sum(len(ann["segments_info"]) for ann in segments) or len(coco["annotations"])
        return (
            f"{len(coco['images'])} pictures, {labels} labels -> "
            f"{self.target.relative_to(self.root)}"
        )


def _some(names: Sequence[str], count: int = 3) -> str:
    """The first few of some names."""
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more


def _below(folder: Path, suffixes: tuple[str, ...]) -> list[str]:
    """Files below a folder by suffix, as paths relative to it, sorted."""
    return sorted(
        os.path.relpath(os.path.join(parent, name), folder)
        for parent, _, names in os.walk(folder)
        for name in names
        if name.lower().endswith(suffixes)
    )


def _convert(job: _Job, convert: Callable[[], Any]) -> Coco:
    """Call a converter of the toolkit; its failures become one line."""
    if not job.quiet:
        print(f"{job.task} {job.split}: converting", flush=True)
    try:
        with _silence() if job.quiet else contextlib.nullcontext():
            coco: Coco = convert()
    except (AssertionError, ValueError, KeyError, IndexError, TypeError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise _PreparationError(
            f"the toolkit's converter fails on {job.labels}: {reason}"
        ) from error
    return coco


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Hide the bars and log lines of the toolkit."""
    from bdd100k.common.logger import logger

    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)


def _prepare_tagging(job: _Job) -> str:
    """Nothing to convert: the tags are read from the label file."""
    frames = job.frames()
    job.match_pictures([frame["name"] for frame in frames])
    counts = []
    for attribute, values in (("weather", WEATHER), ("scene", SCENE)):
        found = [(frame.get("attributes") or {}).get(attribute) for frame in frames]
        strange = sorted({str(value) for value in found if value not in (None, *values)})
        if strange:
            job.note(f"unknown values of {attribute}: {_some(strange)}")
        tagged = sum(value in values for value in found)
        if not tagged:
            raise _PreparationError(f"{job.labels} has no attribute {attribute}")
        counts.append(f"{tagged} with {attribute}")
    return f"{len(frames)} pictures, {', '.join(counts)}; nothing to convert"


def _prepare_map(values: int, job: _Job) -> str:
    """Nothing to convert: the masks are read as they are."""
    masks = job.masks(partial(check_map, values))
    pictures = job.match_pictures([_picture_of(name) for name in masks])
    _compare_sizes(job, masks, pictures)
    return f"{len(pictures)} pictures with masks; nothing to convert"


def _prepare_boxes(job: _Job) -> str:
    frames = job.frames()
    _check_labels(job, frames, "box2d")
    _check_categories(job, frames, ())
    coco = _scalabel_to_coco(job, "det")
    pictures = job.match_pictures([frame["name"] for frame in frames])
    _complete_images(coco, pictures)
    whole = [ann for ann in coco["annotations"] if min(ann.get("bbox", [0, 0, 0, 0])[2:]) > 0]
    if len(whole) < len(coco["annotations"]):
        job.note(f"{len(coco['annotations']) - len(whole)} boxes without an area are left out")
    coco["annotations"] = whole
    return job.write(coco)


def _prepare_poses(job: _Job) -> str:
    frames = job.frames()
    _check_labels(job, frames, "graph")
    _check_categories(job, frames, ("person",))
    _check_nodes(job, frames)
    coco = _scalabel_to_coco(job, "pose")
    pictures = job.match_pictures([frame["name"] for frame in frames])
    _complete_images(coco, pictures)
    _complete_poses(coco)
    return job.write(coco)


def _check_labels(job: _Job, frames: list[Frame], geometry: str) -> None:
    """Labels are whole, and some have what the task learns from."""
    try:
        check_labels(frames, f"labels {job.labels}")
    except UserError as error:
        raise _PreparationError(str(error)) from error
    found = [label.get(geometry) for frame in frames for label in frame.get("labels") or ()]
    if not found:
        raise _PreparationError(f"{job.labels} has no labels at all; is it a file of predictions?")
    without = found.count(None)
    if without == len(found):
        raise _PreparationError(
            f"none of the {without} labels of {job.labels} has a {geometry}; are they of "
            "another task?"
        )
    if without:
        job.note(f"{without} labels have no {geometry} and are left out")


def _check_categories(job: _Job, frames: list[Frame], further: tuple[str, ...]) -> None:
    """The converter stops at a category that it does not know, without naming it."""
    from bdd100k.common.utils import load_bdd100k_config
    from scalabel.label.utils import get_leaf_categories

    config = load_bdd100k_config(tasks.facts(job.task).toolkit)
    known = {category.name for category in get_leaf_categories(config.scalabel.categories)}
    known.update(config.name_mapping or (), config.ignored_mapping or (), further)
    for frame in frames:
        for entry in frame.get("labels") or ():
            if entry.get("category") not in known:
                raise _PreparationError(
                    f"{job.labels}: {frame['name']} has a label of the category "
                    f"{entry.get('category')!r}; known are {', '.join(sorted(known))}"
                )


def _scalabel_to_coco(job: _Job, task: str) -> Coco:
    """The toolkit's ``to_coco -m det`` and ``-m pose``."""
    from bdd100k.common.utils import load_bdd100k_config
    from bdd100k.label.to_coco import scalabel2coco_detection, scalabel2coco_pose
    from bdd100k.label.to_scalabel import bdd100k_to_scalabel
    from scalabel.label.io import load

    convert = {"det": scalabel2coco_detection, "pose": scalabel2coco_pose}[task]

    def run() -> Any:
        config = load_bdd100k_config(task)
        if task == "pose":
            config.name_mapping = {"person": "pedestrian"}
        frames = bdd100k_to_scalabel(load(str(job.labels)).frames, config)
        return convert(frames=frames, config=config.scalabel)

    return _convert(job, run)


def _complete_images(coco: Coco, pictures: Checks) -> None:
    """Keep the images that exist, with their real size: the toolkit writes 720 x 1280 or none."""
    kept = [image for image in coco["images"] if image["file_name"] in pictures]
    for image in kept:
        picture = pictures[image["file_name"]]
        image["height"], image["width"] = picture.height, picture.width
    ids = {image["id"] for image in kept}
    coco["images"] = kept
    coco["annotations"] = [ann for ann in coco["annotations"] if ann["image_id"] in ids]


def _check_nodes(job: _Job, frames: list[Frame]) -> None:
    """The converter takes the nodes of a graph in the order of the file: it must be ours."""
    for frame in frames:
        for entry in frame.get("labels") or ():
            graph = entry.get("graph")
            if graph is None:
                continue
            names = [node.get("category") for node in graph.get("nodes", ())]
            if len(names) != len(POSE_KEYPOINTS):
                raise _PreparationError(
                    f"{job.labels}: a pose in {frame['name']} has {len(names)} joints, "
                    f"not {len(POSE_KEYPOINTS)}"
                )
            if set(names) == set(POSE_KEYPOINTS) and tuple(names) != POSE_KEYPOINTS:
                raise _PreparationError(
                    f"{job.labels}: the joints of a pose in {frame['name']} come in another "
                    "order than head, neck, right_shoulder, …"
                )


def _complete_poses(coco: Coco) -> None:
    """Count the labelled joints (the toolkit counts all), name them, and give missing boxes."""
    for annotation in coco["annotations"]:
        joints = np.array(annotation["keypoints"], dtype=np.float64).reshape(-1, 3)
        labelled = joints[joints[:, 2] > 0]
        annotation["num_keypoints"] = len(labelled)
        if "bbox" not in annotation and len(labelled):
            x1, y1 = labelled[:, :2].min(axis=0)
            x2, y2 = labelled[:, :2].max(axis=0)
            annotation["bbox"] = [float(x1), float(y1), float(x2 - x1 + 1), float(y2 - y1 + 1)]
            annotation["area"] = annotation["bbox"][2] * annotation["bbox"][3]
    coco["annotations"] = [ann for ann in coco["annotations"] if "bbox" in ann]
    for category in coco["categories"]:
        category["keypoints"] = list(POSE_KEYPOINTS)
        category["skeleton"] = [[start + 1, end + 1] for start, end, _ in POSE_EDGES]


def _prepare_instances(job: _Job) -> str:
    from bdd100k.common.utils import load_bdd100k_config
    from bdd100k.label.to_coco import bitmask2coco_ins_seg

    masks = job.masks(partial(check_bitmask, len(INS_SEG)))
    pictures = job.match_pictures([_picture_of(name) for name in masks])
    _compare_sizes(job, masks, pictures)
    config = load_bdd100k_config("ins_seg").scalabel
    coco = _convert(job, lambda: bitmask2coco_ins_seg(str(job.labels), config, job.workers))
    names = {image["id"]: image["file_name"] for image in coco["images"]}
    for annotation in coco["annotations"]:
        flags = masks[_mask_of(names[annotation["image_id"]])].flags[annotation["instance_id"]]
        # Crowd and ignored; the toolkit only keeps the first.
        annotation["iscrowd"] = int(flags & 0b11 > 0)
    _complete_images(coco, pictures)
    return job.write(coco)


def _prepare_panoptic(job: _Job) -> str:
    from bdd100k.label.to_coco_panseg import bitmask2coco_pan_seg

    assert job.labels is not None
    masks = job.masks(partial(check_bitmask, len(PAN_SEG)))
    pictures = job.match_pictures([_picture_of(name) for name in masks])
    _compare_sizes(job, masks, pictures)
    final = job.root / "jsons" / "pan_seg" / "masks" / job.split
    folder = final.with_name(f".{final.name}.part")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    mixed = [name for name, mask in masks.items() if mask.mixed_stuff]
    if mixed:
        job.note(
            f"{len(mixed)} bitmasks have a stuff category in several segments, which are joined: "
            f"{_some(mixed)}"
        )
    with tempfile.TemporaryDirectory(prefix="pan_seg_", dir=job.root / "jsons") as staging:
        source = _stage(job.labels, list(masks), mixed, Path(staging)) if mixed else job.labels
        for name in masks:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
        coco = _convert(job, lambda: bitmask2coco_pan_seg(str(source), str(folder), job.workers))
    for image in coco["images"]:
        image["file_name"] = _picture_of(image["file_name"])
    _complete_images(coco, pictures)
    _complete_panoptic(coco, folder)
    _replace_folder(final, folder)
    return job.write(coco)


def _replace_folder(folder: Path, new: Path) -> None:
    """Put ``new`` in the place of ``folder``, whose files stay until then."""
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.is_dir():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _stage(labels: Path, names: list[str], mixed: list[str], staging: Path) -> Path:
    """A folder like ``labels`` where every stuff category of a picture is one segment.

    The toolkit's converter gets lost when a stuff category comes with several ids or flags.
    """
    for name in names:
        target = staging / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if name not in mixed:
            system.point_to(target, (labels / name).resolve())
            continue
        # B, G, R, A: id high byte, flags, category, id low byte.
        values = cv2.imread(str(labels / name), cv2.IMREAD_UNCHANGED)
        category = values[..., 2]
        stuff = (category > 0) & (category <= STUFF_NUM)
        values[..., 0][stuff] = 0
        values[..., 1][stuff] = 0
        values[..., 3][stuff] = category[stuff]
        cv2.imwrite(str(target), values)
    return staging


def _complete_panoptic(coco: Coco, folder: Path) -> None:
    """Add boxes, and order the categories as the published weights do, without ``unlabeled``."""
    by_name = {category["name"]: category for category in coco["categories"]}
    coco["categories"] = [
        {**by_name[name], "isthing": int(by_name[name]["isthing"])} for name in PAN_SEG
    ]
    for annotation in coco["annotations"]:
        values = cv2.imread(str(folder / annotation["file_name"]), cv2.IMREAD_COLOR)
        # B, G, R of a panoptic PNG: 0, high byte, low byte of the id.
        ids = values[..., 2].astype(np.int32) + (values[..., 1].astype(np.int32) << 8)
        for segment in annotation["segments_info"]:
            shown = ids == segment["id"]
            rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
            x1, y1, x2, y2 = (int(v) for v in (columns[0], rows[0], columns[-1], rows[-1]))
            segment["bbox"] = [x1, y1, x2 - x1 + 1, y2 - y1 + 1]
            segment["iscrowd"] = int(segment["iscrowd"])


def _prepare_tracks(geometry: str, job: _Job) -> str:
    """Videos with identities: boxes, or masks."""
    facts = tasks.facts(job.task)
    assert job.labels is not None
    try:
        videos = read_videos(job.labels, "labels")
        frames = flat(videos)
        _check_labels(job, frames, geometry)
        _check_categories(job, frames, ())
        check_identities(frames, f"labels {job.labels}", numbers=False)
    except UserError as error:
        raise _PreparationError(str(error)) from error
    pictures = job.match_pictures([picture_path(frame) for frame in frames])
    kept = {
        video: [frame for frame in own if picture_path(frame) in pictures]
        for video, own in videos.items()
    }
    kept = {video: own for video, own in kept.items() if own}
    sizes = {name: (check.height, check.width) for name, check in pictures.items()}
    for video, own in kept.items():
        found = {sizes[picture_path(frame)] for frame in own}
        if len(found) > 1:
            shown = ", ".join(f"{width}x{height}" for height, width in sorted(found))
            raise _PreparationError(
                f"video {video!r} has frames of different sizes: {shown}; a video has one"
            )
    official = tasks.VIDEO_SET_SIZES[facts.image_set][job.split]
    if len(videos) != official:
        job.note(f"{len(videos)} labelled videos; the real dataset has {official}")
    if not job.quiet:
        print(f"{job.task} {job.split}: converting", flush=True)
    coco = coco_of_videos(kept, sizes, facts, masks=geometry == "rle")
    return f"{len(kept)} videos, {job.write(coco)}"


def _picture_of(mask: str) -> str:
    """File name of the picture of a mask."""
    return mask[: -len(".png")] + ".jpg"


def _mask_of(picture: str) -> str:
    """File name of the mask of a picture."""
    return picture[: -len(".jpg")] + ".png"


def _compare_sizes(job: _Job, masks: Checks, pictures: Checks) -> None:
    different = [
        name
        for name, picture in pictures.items()
        if (masks[_mask_of(name)].height, masks[_mask_of(name)].width)
        != (picture.height, picture.width)
    ]
    if different:
        raise _PreparationError(
            f"{len(different)} masks in {job.labels} have another size than their pictures: "
            f"{_some(different)}"
        )


_PREPARE: dict[str, Callable[[_Job], str]] = {
    "tagging": _prepare_tagging,
    "det": _prepare_boxes,
    "ins_seg": _prepare_instances,
    "sem_seg": partial(_prepare_map, len(SEM_SEG)),
    "drivable": partial(_prepare_map, len(DRIVABLE)),
    "pan_seg": _prepare_panoptic,
    "pose": _prepare_poses,
    "mot": partial(_prepare_tracks, "box2d"),
    "mots": partial(_prepare_tracks, "rle"),
}
