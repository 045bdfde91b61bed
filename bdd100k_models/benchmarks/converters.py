"""Converters beside the straightforward scalabel and pycocotools way, on images of 720x1280."""

import cv2
import numpy as np
from numpy.typing import NDArray
from scalabel.label.transforms import (
    bbox_to_box2d,
    keypoints_to_nodes,
    mask_to_rle,
    nodes_to_edges,
)

from bdd100k_models.benchmarks.timing import Comparison
from bdd100k_models.frames import Label
from bdd100k_models.frames.detection import detection_labels
from bdd100k_models.frames.instance import CroppedMask, instance_outputs
from bdd100k_models.frames.panoptic import INSTANCE_OFFSET, panoptic_bitmask, panoptic_labels
from bdd100k_models.frames.pose import pose_labels
from bdd100k_models.frames.rle import encode_crop, encode_mask
from bdd100k_models.frames.semantic import semantic_labels
from bdd100k_models.zoo.classes import (
    DET,
    INS_SEG,
    PAN_SEG_STUFF,
    PAN_SEG_THINGS,
    POSE_CATEGORY,
    POSE_EDGES,
    POSE_GRAPH_TYPE,
    POSE_KEYPOINTS,
    SEM_SEG,
)

HEIGHT, WIDTH = 720, 1280


def converter_comparisons(seed: int = 0) -> list[Comparison]:
    """All comparisons, on inputs drawn from ``seed``."""
    random = np.random.default_rng(seed)
    semantic = smooth_map(random, len(SEM_SEG)).astype(np.int64)
    boxes, scores, labels, masks = instances(random, 30)
    panoptic = panoptic_map(random, masks[:10])
    many_boxes = random.uniform(0, 500, (100, 4)).astype(np.float32).cumsum(axis=1)
    many_scores = random.random(100, dtype=np.float32)
    many_labels = random.integers(0, len(DET), 100)
    keypoints = random.uniform(0, 700, (20, len(POSE_KEYPOINTS), 3)).astype(np.float32)
    one = masks[10]
    whole = smooth_map(random, 2).astype(np.bool_)
    return [
        Comparison(
            "semantic map, 19 classes",
            lambda: plain_semantic(semantic),
            lambda: semantic_labels(semantic, SEM_SEG),
        ),
        Comparison(
            "one mask of the whole image",
            lambda: plain_rle(whole),
            lambda: encode_mask(whole),
        ),
        Comparison(
            f"one mask in a box of {one.crop.shape[1]}x{one.crop.shape[0]}",
            lambda: plain_rle(paste(one)),
            lambda: encode_crop(one.crop, one.x, one.y, HEIGHT, WIDTH),
        ),
        Comparison(
            "30 instances, boxes, RLE and bitmask",
            lambda: plain_instances(boxes, scores, labels, masks),
            lambda: vars(instance_outputs(boxes, scores, labels, masks, HEIGHT, WIDTH, INS_SEG)),
        ),
        Comparison(
            "panoptic labels, 10 things",
            lambda: plain_panoptic_labels(panoptic),
            lambda: panoptic_labels(panoptic, PAN_SEG_THINGS, PAN_SEG_STUFF),
        ),
        Comparison(
            "panoptic bitmask, 10 things",
            lambda: plain_panoptic_bitmask(panoptic),
            lambda: panoptic_bitmask(panoptic, PAN_SEG_THINGS, PAN_SEG_STUFF),
        ),
        Comparison(
            "100 boxes",
            lambda: plain_detection(many_boxes, many_scores, many_labels, DET),
            lambda: detection_labels(many_boxes, many_scores, many_labels, DET),
        ),
        Comparison(
            "20 poses",
            lambda: plain_poses(keypoints, many_scores[:20]),
            lambda: pose_labels(keypoints, many_scores[:20]),
        ),
    ]


def smooth_map(random: np.random.Generator, classes: int) -> NDArray[np.uint8]:
    """A (720, 1280) map of ``classes`` classes with smooth, winding borders."""
    layers = [
        cv2.resize(
            random.standard_normal((HEIGHT // 16, WIDTH // 16)),
            (WIDTH, HEIGHT),
            interpolation=cv2.INTER_CUBIC,
        )
        for _ in range(classes)
    ]
    return np.argmax(layers, axis=0).astype(np.uint8)


def instances(
    random: np.random.Generator, count: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64], list[CroppedMask]]:
    """Boxes (N, 4), scores (N,), labels (N,) and masks of elliptic instances that overlap."""
    masks: list[CroppedMask] = []
    boxes: list[tuple[int, int, int, int]] = []
    for size in np.geomspace(400, 20, count).astype(int).tolist():
        height, width = int(size * 0.8), size
        x = int(random.integers(0, WIDTH - width))
        y = int(random.integers(HEIGHT // 4, HEIGHT - height))
        rows, columns = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        masks.append(CroppedMask(rows**2 + columns**2 < 1, x, y))
        boxes.append((x, y, x + width, y + height))
    scores = random.permutation(count).astype(np.float32) / count
    labels = random.integers(0, len(INS_SEG), count)
    return np.array(boxes, dtype=np.float32), scores, labels, masks


def panoptic_map(random: np.random.Generator, masks: list[CroppedMask]) -> NDArray[np.int32]:
    """A panoptic map in mmdet's encoding: regions of stuff, and a thing for each mask."""
    panoptic = smooth_map(random, len(PAN_SEG_STUFF)).astype(np.int32) + len(PAN_SEG_THINGS)
    for number, mask in enumerate(masks, start=1):
        label = int(random.integers(0, len(PAN_SEG_THINGS)))
        panoptic[paste(mask)] = label + INSTANCE_OFFSET * number
    return panoptic


def paste(mask: CroppedMask) -> NDArray[np.bool_]:
    """The mask in an image of 720x1280."""
    image = np.zeros((HEIGHT, WIDTH), dtype=np.bool_)
    height, width = mask.crop.shape
    image[mask.y : mask.y + height, mask.x : mask.x + width] = mask.crop
    return image


def plain_rle(mask: NDArray[np.bool_]) -> dict[str, object]:
    """Scalabel's encoding of a mask of the whole image."""
    rle = mask_to_rle(mask.astype(np.uint8))
    return {"counts": rle.counts, "size": list(rle.size)}


def plain_semantic(segmentation: NDArray[np.int64]) -> list[Label]:
    """One mask and one encoding for each class."""
    return [
        {"category": SEM_SEG[index], "rle": plain_rle(segmentation == index)}
        for index in np.unique(segmentation)
    ]


def plain_detection(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    labels: NDArray[np.int64],
    categories: tuple[str, ...],
) -> list[Label]:
    """Scalabel's own conversion, box by box."""
    result: list[Label] = []
    for box, score, label in zip(boxes, scores, labels, strict=True):
        x1, y1, x2, y2 = map(float, box)
        box2d = bbox_to_box2d([x1, y1, x2 - x1, y2 - y1])
        result.append({"category": categories[label], "score": float(score), "box2d": box2d.dict()})
    return result


def plain_instances(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    labels: NDArray[np.int64],
    masks: list[CroppedMask],
) -> dict[str, object]:
    """One mask of the whole image for each instance, merged and encoded one by one."""
    bitmask = np.zeros((HEIGHT, WIDTH, 4), dtype=np.uint8)
    occupied = np.zeros((HEIGHT, WIDTH), dtype=np.bool_)
    score: list[Label] = []
    rle: list[Label] = []
    for position in np.argsort(-scores, kind="stable"):
        visible = paste(masks[position]) & ~occupied
        if not visible.any():
            continue
        occupied |= visible
        index, value = len(score) + 1, float(scores[position])
        bitmask[visible] = labels[position] + 1, 0, index >> 8, index & 255
        score.append({"index": index, "score": value})
        category = INS_SEG[labels[position]]
        rle.append({"category": category, "score": value, "rle": plain_rle(visible)})
    det = plain_detection(boxes, scores, labels, INS_SEG)
    return {"det": det, "score": score, "rle": rle, "bitmask": bitmask}


def plain_panoptic_labels(panoptic: NDArray[np.int32]) -> list[Label]:
    """One mask and one encoding for each segment."""
    categories = PAN_SEG_THINGS + PAN_SEG_STUFF
    return [
        {
            "id": str(segment),
            "category": categories[segment % INSTANCE_OFFSET],
            "rle": plain_rle(panoptic == segment),
        }
        for segment in np.unique(panoptic)
    ]


def plain_panoptic_bitmask(panoptic: NDArray[np.int32]) -> NDArray[np.uint8]:
    """One mask and one assignment for each segment."""
    bitmask = np.zeros((*panoptic.shape, 4), dtype=np.uint8)
    thing_id = len(PAN_SEG_STUFF)
    for segment in np.unique(panoptic):
        index = segment % INSTANCE_OFFSET
        if index < len(PAN_SEG_THINGS):
            thing_id += 1
            category_id, segment_id = len(PAN_SEG_STUFF) + 1 + index, thing_id
        else:
            category_id = segment_id = index - len(PAN_SEG_THINGS) + 1
        bitmask[panoptic == segment] = category_id, 0, segment_id >> 8, segment_id & 255
    return bitmask


def plain_poses(keypoints: NDArray[np.float32], scores: NDArray[np.float32]) -> list[Label]:
    """Scalabel's own conversion, with node ids that do not change from run to run."""
    edges: dict[int, tuple[list[int], str]] = {}
    for source, target, kind in POSE_EDGES:
        edges.setdefault(source, ([], kind))[0].append(target)
    result: list[Label] = []
    for person, (points, score) in enumerate(zip(keypoints, scores, strict=True)):
        nodes = keypoints_to_nodes(points.reshape(-1).tolist(), list(POSE_KEYPOINTS))
        for node in nodes:
            node.id = f"{person}-{node.category}"
        graph = {
            "nodes": [
                {
                    "location": list(node.location),
                    "category": node.category,
                    "score": node.score,
                    "id": node.id,
                }
                for node in nodes
            ],
            "edges": [edge.dict() for edge in nodes_to_edges(nodes, edges)],
            "type": POSE_GRAPH_TYPE,
        }
        result.append({"category": POSE_CATEGORY, "score": float(score), "graph": graph})
    return result
