"""Tracked boxes and masks as labels."""

from __future__ import annotations

import numpy as np
import pytest

from bdd100k_models.frames import rle
from bdd100k_models.frames.instance import CroppedMask
from bdd100k_models.frames.tracks import masked_tracks, track_labels, video_frame

NAMES = ("pedestrian", "car")
BOXES = np.array([[2, 1, 6, 5, 0.5], [4, 2, 9, 6, 0.75], [5, 3, 6, 4, 0.25]], np.float32)
LABELS = np.array([1, 0, 1])
IDS = np.array([0, 300, 7])


def test_labels_bear_identities() -> None:
    labels = track_labels(BOXES, LABELS, IDS, NAMES)
    assert [label["id"] for label in labels] == ["0", "300", "7"]
    assert labels[0] == {
        "id": "0",
        "category": "car",
        "score": 0.5,
        "box2d": {"x1": 2.0, "y1": 1.0, "x2": 5.0, "y2": 4.0},
    }
    assert track_labels(BOXES[:0], LABELS[:0], IDS[:0], NAMES) == []
    with pytest.raises(ValueError, match="not finite"):
        track_labels(np.full((1, 5), np.nan), LABELS[:1], IDS[:1], NAMES)


def test_a_frame_says_where_it_belongs() -> None:
    frame = video_frame("v-0000003.jpg", "v", 2, [])
    assert frame == {"name": "v-0000003.jpg", "videoName": "v", "frameIndex": 2, "labels": []}


def test_masks_do_not_overlap_and_the_higher_score_is_on_top() -> None:
    masks = [
        CroppedMask(np.ones((4, 4), np.bool_), 2, 1),
        CroppedMask(np.ones((4, 5), np.bool_), 4, 2),
        CroppedMask(np.ones((1, 1), np.bool_), 5, 3),  # hidden by the second
    ]
    made = masked_tracks(BOXES, LABELS, IDS, masks, 8, 10, NAMES)
    assert [label["id"] for label in made.labels] == ["300", "0"]
    first, second = (rle.decode(label["rle"]) for label in made.labels)
    assert first.sum() == 20 and second.sum() == 16 - 6 and not (first & second).any()
    numbers = made.bitmask[..., 2].astype(int) * 256 + made.bitmask[..., 3]
    np.testing.assert_array_equal(numbers == 301, first)
    np.testing.assert_array_equal(numbers == 1, second)
    assert set(made.bitmask[..., 0][second]) == {2}
    assert not made.bitmask[~(first | second)].any()
