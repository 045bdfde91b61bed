"""Frames of videos read and checked: which video, which place in it, which identities.

Labels of tracking come as a file for each video, as one file of all, or as a COCO file with
``videos``; whichever it is, what is read here is Scalabel frames, video by video, in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bdd100k_models.errors import UserError
from bdd100k_models.files import read_json
from bdd100k_models.frames import Frame, Label
from bdd100k_models.frames.reading import check_frames, listed_frames

#: The evaluators hold identities in 32 bits.
_MOST_ID = 2**31 - 1


def read_videos(path: Path, what: str) -> dict[str, list[Frame]]:
    """Frames by video, in the order of the file; those of a video by ``frameIndex``.

    Args:
        path: a folder with a Scalabel JSON file for each video, one file of all videos, or a COCO
            file with ``videos``.
        what: names the file in errors (``"ground truth"``).

    Raises:
        UserError: see :func:`group`; or missing, not JSON, neither form, no frames.
    """
    if not path.exists():
        raise UserError(f"no {what} at {path}; give a Scalabel JSON file, or a folder of them")
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise UserError(f"no JSON file in {path} for the {what}")
    frames: list[Frame] = []
    for file in files:
        where = f"{what} {file}"
        content = read_json(file, what)
        if isinstance(content, dict) and "images" in content and "frames" not in content:
            frames += frames_of_coco(content, where)
        else:
            frames += check_frames(listed_frames(content, where), where)
    if not frames:
        raise UserError(f"{what} {path} has no frames; was it written by another program?")
    return group(frames, f"{what} {path}")


def group(frames: Iterable[Frame], where: str) -> dict[str, list[Frame]]:
    """Frames by video, videos as they come, the frames of each by ``frameIndex``.

    Raises:
        UserError: no ``videoName``, no ``frameIndex``, two frames of one index or one name, or a
            video that does not begin at 0; ``where`` begins the message.
    """
    videos: dict[str, dict[int, Frame]] = {}
    for frame in frames:
        video, index = frame.get("videoName"), frame.get("frameIndex")
        if not isinstance(video, str) or not video:
            raise UserError(
                f"{where}: frame {frame['name']!r} has no 'videoName'; these are pictures, not "
                "frames of videos"
            )
        if not isinstance(index, int) or isinstance(index, bool) or index < 0:
            raise UserError(
                f"{where}: 'frameIndex' of frame {frame['name']!r} of video {video!r} is "
                f"{index!r}; it counts the frames of a video from 0"
            )
        own = videos.setdefault(video, {})
        if index in own:
            raise UserError(
                f"{where}: video {video!r} has two frames of frameIndex {index}, "
                f"{own[index]['name']!r} and {frame['name']!r}; keep one"
            )
        own[index] = frame
    grouped = {}
    for video, own in videos.items():
        if 0 not in own:
            raise UserError(
                f"{where}: video {video!r} has no frame 0, its first is {min(own)}; frameIndex "
                "counts from 0 in each video"
            )
        grouped[video] = [own[index] for index in sorted(own)]
        seen: set[str] = set()
        for frame in grouped[video]:
            if frame["name"] in seen:
                raise UserError(f"{where}: video {video!r} names {frame['name']!r} more than once")
            seen.add(frame["name"])
    return grouped


def check_identities(frames: Iterable[Frame], where: str, *, numbers: bool = True) -> None:
    """Every label has an identity that no other one of its frame has.

    ``numbers``: it must be a whole number, as the evaluators take it.

    Raises:
        UserError: the first that is not; ``where`` begins the message.
    """
    for frame in frames:
        seen: set[str] = set()
        for label in frame.get("labels") or ():
            identity = identity_of(label)
            of = f"a label of frame {frame['name']!r} of video {frame.get('videoName')!r}"
            if identity is None:
                raise UserError(f"{where}: {of} has no id; tracking needs the identity of each")
            number = identity.isascii() and identity.isdigit() and int(identity) <= _MOST_ID
            if numbers and not number:
                raise UserError(
                    f"{where}: {of} has id {identity!r}; ids are whole numbers from 0 to {_MOST_ID}"
                )
            if identity in seen:
                raise UserError(f"{where}: {of} has id {identity!r}, as another label there has")
            seen.add(identity)


def identity_of(label: Label) -> str | None:
    """The ``id`` of a label as text; None where it has none."""
    identity = label.get("id")
    if isinstance(identity, bool) or not isinstance(identity, (str, int)) or identity == "":
        return None
    return str(identity)


def picture_path(frame: Frame) -> str:
    """``VIDEO/NAME`` of a frame: its picture below the folder of a split."""
    return f"{frame['videoName']}/{frame['name']}"


def frames_of_coco(content: Mapping[str, Any], where: str) -> list[Frame]:
    """Scalabel frames of a COCO file with ``videos``, as tracking code bases keep them.

    Crowd and ignored annotations become labels with these attributes.

    Raises:
        UserError: a part is missing or of another form; ``where`` begins the message.
    """
    try:
        names = {video["id"]: str(video["name"]) for video in content["videos"]}
        categories = {item["id"]: str(item["name"]) for item in content["categories"]}
        frames: dict[Any, Frame] = {}
        for image in content["images"]:
            video = names[image["video_id"]]
            frames[image["id"]] = {
                "name": Path(image["file_name"]).name,
                "videoName": video,
                "frameIndex": image.get("frame_id", image.get("frame_index")),
                "labels": [],
            }
        for item in content.get("annotations") or ():
            frames[item["image_id"]]["labels"].append(_label_of_coco(item, categories))
    except (KeyError, TypeError, ValueError) as error:
        told = f"{error.args[0]!r}" if isinstance(error, KeyError) else str(error)
        raise UserError(
            f"{where}: COCO annotations of videos need videos, images with video_id and frame_id, "
            f"annotations with bbox, category_id and instance_id; trouble with {told}"
        ) from error
    return check_frames(list(frames.values()), where)


def _label_of_coco(item: Mapping[str, Any], categories: Mapping[Any, str]) -> Label:
    x, y, width, height = (float(number) for number in item["bbox"])
    label: Label = {
        "id": str(item["instance_id"]),
        "category": categories[item["category_id"]],
        "attributes": {
            "crowd": bool(item.get("iscrowd")),
            "ignored": bool(item.get("ignore")),
        },
        # The last pixels inside, as Scalabel has them.
        "box2d": {"x1": x, "y1": y, "x2": x + width - 1, "y2": y + height - 1},
    }
    mask = item.get("segmentation")
    if isinstance(mask, dict) and isinstance(mask.get("counts"), str):
        label["rle"] = {"counts": mask["counts"], "size": list(mask["size"])}
    return label


def flat(videos: Mapping[str, Sequence[Frame]]) -> list[Frame]:
    """The frames of all videos, one after the other."""
    return [frame for frames in videos.values() for frame in frames]
