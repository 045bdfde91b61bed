import json
from collections.abc import Callable

import numpy as np
import pytest
from bdd100k.common.utils import load_bdd100k_config
from scalabel.label.to_coco import scalabel2coco_pose

from bdd100k_models.frames.pose import pose_labels
from bdd100k_models.zoo.classes import POSE_EDGES, POSE_GRAPH_TYPE, POSE_KEYPOINTS


def test_exact_json() -> None:
    labels = pose_labels(
        np.array([[[1, 2, 0.5], [3.5, 4, 0.25]]], dtype=np.float32),
        np.array([0.75]),
        np.array([[0, 0, 10, 20]]),
        names=("head", "neck"),
        edges=((0, 1, "body"),),
    )
    assert json.dumps(labels) == (
        '[{"category": "pedestrian", "score": 0.75, '
        '"box2d": {"x1": 0.0, "y1": 0.0, "x2": 9.0, "y2": 19.0}, '
        '"graph": {"nodes": ['
        '{"location": [1.0, 2.0], "category": "head", "score": 0.5, "id": "0-head"}, '
        '{"location": [3.5, 4.0], "category": "neck", "score": 0.25, "id": "0-neck"}], '
        '"edges": [{"source": "0-head", "target": "0-neck", "type": "body"}], '
        '"type": "Pose2D-18Joints_Pred"}}]'
    )


def test_official_evaluator_reads_the_graphs(official_load: Callable) -> None:
    keypoints = np.random.default_rng(0).uniform(0, 700, (3, 18, 3))
    scores = np.array([0.5, 0.25, 0.125])
    boxes = np.array([[1.0, 2, 30, 40]] * 3)
    frames = official_load(
        [
            {"name": "a.jpg", "labels": pose_labels(keypoints, scores, boxes)},
            {"name": "b.jpg", "labels": pose_labels(np.zeros((0, 18, 3)), np.zeros(0))},
        ]
    )
    graph = frames[0].labels[1].graph
    assert graph.type == POSE_GRAPH_TYPE
    assert [node.category for node in graph.nodes] == list(POSE_KEYPOINTS)
    position = {node.id: index for index, node in enumerate(graph.nodes)}
    assert [(position[edge.source], position[edge.target], edge.type) for edge in graph.edges] == [
        tuple(edge) for edge in POSE_EDGES
    ]
    coco = scalabel2coco_pose(frames, load_bdd100k_config("pose").scalabel)
    assert [annotation["score"] for annotation in coco["annotations"]] == scores.tolist()
    assert coco["annotations"][0]["bbox"] == [1, 2, 29, 38]
    for annotation, person in zip(coco["annotations"], keypoints, strict=True):
        assert annotation["keypoints"] == person.reshape(-1).tolist()


def test_ids_are_derived_and_unique_in_the_image() -> None:
    keypoints = np.ones((4, 18, 3))
    labels = pose_labels(keypoints, np.ones(4))
    ids = [node["id"] for label in labels for node in label["graph"]["nodes"]]
    assert len(set(ids)) == 4 * 18
    assert labels == pose_labels(keypoints, np.ones(4))
    assert "box2d" not in labels[0]


@pytest.mark.parametrize("keypoints", [np.zeros((0, 18, 3)), np.zeros(0)])
def test_nobody(keypoints: np.ndarray) -> None:
    assert pose_labels(keypoints, np.zeros(0), np.zeros((0, 4))) == []


@pytest.mark.parametrize(
    ("keypoints", "scores", "boxes", "message"),
    [
        (np.ones((1, 17, 3)), np.ones(1), None, r"shape \(P, 18, 3\), got \(1, 17, 3\)"),
        (np.ones((1, 18, 3)), np.ones(2), None, "1 poses, 2 scores$"),
        (np.ones((1, 18, 3)), np.ones(1), np.ones((2, 4)), "1 poses, 1 scores, 2 boxes"),
        (np.full((1, 18, 3), np.nan), np.ones(1), None, "a keypoint has a number that is not"),
        (np.ones((1, 18, 3)), np.array([np.nan]), None, "a score is not finite"),
    ],
)
def test_bad_input(
    keypoints: np.ndarray, scores: np.ndarray, boxes: np.ndarray | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        pose_labels(keypoints, scores, boxes)
