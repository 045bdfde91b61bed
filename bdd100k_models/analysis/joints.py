"""Errors of each joint of the poses that were found.

Kinds after Ronchi and Perona, "Benchmarking and Error Diagnosis in Multi-Instance Pose
Estimation", ICCV 2017, by the similarity that the official score measures a joint with: at 0.5 it
is within reach, at 0.85 annotators differ as much.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from bdd100k_models.analysis.matching import ObjectMatches
from bdd100k_models.analysis.precision import Array
from bdd100k_models.zoo.classes import POSE_KEYPOINTS

Kind = Literal["good", "jitter", "inversion", "swap", "miss"]

KINDS: dict[Kind, str] = {
    "good": "where annotators would put it",
    "jitter": "near",
    "inversion": "at its counterpart on the other side of the body",
    "swap": "at this joint, or its counterpart, of another person",
    "miss": "at none of these",
}
GOOD, NEAR = 0.85, 0.5


@dataclass(frozen=True)
class JointErrors:
    """The joints of all matched poses.

    Attributes:
        joint: (N,) index of the joint.
        distance: (N,) from the true place, pixels.
        relative: (N,) the same in square roots of the area of the person's box.
        kind: (N,) see `KINDS`.
    """

    joint: npt.NDArray[np.int64]
    distance: Array
    relative: Array
    kind: npt.NDArray[np.str_]


def measure_joints(matches: ObjectMatches, sigmas: Sequence[float]) -> JointErrors:
    """Measure every labelled joint of each true pose that was found at a similarity of 0.5."""
    variances = (2 * np.asarray(sigmas)) ** 2
    counterpart = np.array([_counterpart(index) for index in range(len(POSE_KEYPOINTS))])
    joints: list[int] = []
    distances: list[float] = []
    relative: list[float] = []
    kinds: list[Kind] = []
    for truth, predicted, pairs in zip(
        matches.truth, matches.predicted, matches.pairs, strict=True
    ):
        true_points = [np.reshape(item["keypoints"], (-1, 3)) for item in truth]
        for found, own in pairs:
            points = np.reshape(predicted[found]["keypoints"], (-1, 3))[:, :2]
            area = float(truth[own]["area"])
            for joint in np.flatnonzero(true_points[own][:, 2] > 0).tolist():
                distance = float(np.hypot(*(points[joint] - true_points[own][joint, :2])))
                joints.append(joint)
                distances.append(distance)
                relative.append(distance / np.sqrt(area))
                kinds.append(
                    _kind(
                        points[joint],
                        joint,
                        int(counterpart[joint]),
                        own,
                        true_points,
                        2 * area * variances,
                    )
                )
    return JointErrors(
        np.array(joints, dtype=np.int64),
        np.array(distances),
        np.array(relative),
        np.array(kinds, dtype=np.str_),
    )


def _kind(
    point: Array,
    joint: int,
    counterpart: int,
    own: int,
    people: Sequence[Array],
    spread: Array,
) -> Kind:
    """The kind of error of a joint.

    Args:
        point: (2,) where it was found.
        joint: its index.
        counterpart: the index of that on the other side; its own where there is none.
        own: index of the true person.
        people: (K, 3) true joints of each person: x, y, more than 0 where labelled.
        spread: (K,) squared pixels, scale of the similarity.
    """

    def similarity(person: int, index: int) -> float:
        x, y, labelled = people[person][index]
        if labelled <= 0:
            return 0.0
        return float(np.exp(-((point[0] - x) ** 2 + (point[1] - y) ** 2) / spread[index]))

    here = similarity(own, joint)
    if here >= NEAR:
        return "good" if here >= GOOD else "jitter"
    if counterpart != joint and similarity(own, counterpart) >= NEAR:
        return "inversion"
    others = (person for person in range(len(people)) if person != own)
    if any(similarity(p, index) >= NEAR for p in others for index in {joint, counterpart}):
        return "swap"
    return "miss"


def _counterpart(joint: int) -> int:
    name = POSE_KEYPOINTS[joint]
    for side, other in (("left_", "right_"), ("right_", "left_")):
        if name.startswith(side):
            return POSE_KEYPOINTS.index(other + name[len(side) :])
    return joint
