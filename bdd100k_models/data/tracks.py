"""Labels of tracking as COCO annotations of videos, which the training data sets read.

The toolkit's own converter of segmentation tracking takes polygons alone and repeats every frame
for every video, so both forms are written here, alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pycocotools import mask as mask_codec

from bdd100k_models.frames import Frame, Label
from bdd100k_models.frames.videos import identity_of, picture_path
from bdd100k_models.zoo.tasks import TaskFacts


def coco_of_videos(
    videos: Mapping[str, Sequence[Frame]],
    sizes: Mapping[str, tuple[int, int]],
    facts: TaskFacts,
    *,
    masks: bool,
) -> dict[str, Any]:
    """COCO annotations with ``videos``, categories in the order of the published weights.

    Other vehicles, other people and trailers become crowd regions of the class that they resemble,
    as the evaluators ignore what is found there.

    Args:
        videos: Scalabel frames by video, in order.
        sizes: height and width of each picture, by ``VIDEO/NAME``.
        facts: of the task.
        masks: annotations have run lengths; labels without are left out.

    Raises:
        KeyError: a category that the toolkit does not know.
    """
    from bdd100k.common.utils import load_bdd100k_config

    config = load_bdd100k_config(facts.toolkit)
    ids = {name: number for number, name in enumerate(facts.classes, start=1)}
    renamed, ignored = config.name_mapping or {}, config.ignored_mapping or {}
    coco: dict[str, Any] = {
        "categories": [{"id": number, "name": name} for name, number in ids.items()],
        "videos": [],
        "images": [],
        "annotations": [],
    }
    for video_id, (video, frames) in enumerate(videos.items(), start=1):
        coco["videos"].append({"id": video_id, "name": video})
        instances: dict[str | None, int] = {}
        for frame in frames:
            height, width = sizes[picture_path(frame)]
            image = {
                "id": len(coco["images"]) + 1,
                "video_id": video_id,
                "frame_id": frame["frameIndex"],
                "file_name": picture_path(frame),
                "height": height,
                "width": width,
            }
            coco["images"].append(image)
            for label in frame.get("labels") or ():
                geometry = _geometry(label, masks)
                if geometry is None:
                    continue
                name = renamed.get(label["category"], label["category"])
                attributes = label.get("attributes") or {}
                outside = name not in ids
                crowd = outside or attributes.get("crowd") or attributes.get("ignored")
                identity = identity_of(label)
                coco["annotations"].append(
                    {
                        "id": len(coco["annotations"]) + 1,
                        "image_id": image["id"],
                        "category_id": ids[ignored[name] if outside else name],
                        "instance_id": instances.setdefault(identity, len(instances) + 1),
                        "scalabel_id": identity,
                        "iscrowd": int(bool(crowd)),
                        "ignore": 0,
                        **geometry,
                    }
                )
    return coco


def _geometry(label: Label, masks: bool) -> dict[str, Any] | None:
    """Box and area, of the mask where there is to be one; None for what has no area."""
    if masks:
        if label.get("rle") is None:
            return None
        code = {"counts": label["rle"]["counts"], "size": label["rle"]["size"]}
        area = int(mask_codec.area(code))
        box = [float(number) for number in mask_codec.toBbox(code)]
        return {"bbox": box, "area": area, "segmentation": code} if area else None
    box2d = label.get("box2d")
    if box2d is None:
        return None
    width, height = box2d["x2"] - box2d["x1"] + 1, box2d["y2"] - box2d["y1"] + 1
    if width <= 0 or height <= 0:
        return None
    return {"bbox": [box2d["x1"], box2d["y1"], width, height], "area": float(width * height)}
