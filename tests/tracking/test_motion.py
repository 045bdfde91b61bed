"""Tracking by motion and overlap."""

from __future__ import annotations

import time

import numpy as np
import pytest

from bdd100k_models.tracking.motion import MotionSettings, MotionTracker


def boxes(*rows: tuple[float, float, float]) -> np.ndarray:
    """Boxes of 40 x 80 pixels by left edge, top and score."""
    return np.array([[x, y, x + 40, y + 80, s] for x, y, s in rows], np.float32).reshape(-1, 5)


def labels(count: int, label: int = 2) -> np.ndarray:
    return np.full(count, label, np.int64)


def test_identities_follow_motion_through_each_other() -> None:
    tracker = MotionTracker()
    for frame in range(16):
        right, left = 100 + 10 * frame, 260 - 10 * frame
        found = boxes((right, 50, 0.9), (left, 58, 0.9))
        _, _, ids = tracker.update(frame, found, labels(2))
        assert ids.tolist() == [0, 1]


def test_a_weak_box_goes_on_with_a_track_and_begins_none() -> None:
    tracker = MotionTracker()
    tracker.update(0, boxes((100, 50, 0.9)), labels(1))
    kept, _, ids = tracker.update(1, boxes((102, 50, 0.3), (500, 50, 0.3)), labels(2))
    assert ids.tolist() == [0] and kept[0, 0] == 102
    _, _, ids = tracker.update(2, boxes((104, 50, 0.05)), labels(1))
    assert ids.tolist() == []
    _, _, ids = tracker.update(3, boxes((900, 50, 0.65)), labels(1))
    assert ids.tolist() == [], "sure, but not sure enough to be new"


def test_sure_boxes_are_matched_before_weak_ones_that_fit_better() -> None:
    tracker = MotionTracker()
    tracker.update(0, boxes((100, 50, 0.9)), labels(1))
    kept, _, ids = tracker.update(1, boxes((100, 50, 0.4), (110, 50, 0.9)), labels(2))
    assert ids.tolist() == [0] and kept[0, 0] == 110


def test_who_is_hidden_comes_back_where_motion_leads() -> None:
    tracker = MotionTracker(MotionSettings(lost_frames=5))
    for frame in range(6):
        tracker.update(frame, boxes((100 + 10 * frame, 50, 0.9)), labels(1))
    for frame in range(6, 11):
        tracker.update(frame, boxes(), labels(0))
    _, _, ids = tracker.update(11, boxes((210, 50, 0.9)), labels(1))
    assert ids.tolist() == [0]


@pytest.mark.parametrize(("missing", "expected"), [(5, 0), (6, 1)])
def test_a_track_ends_after_so_many_frames_called_or_not(missing: int, expected: int) -> None:
    for called in (True, False):
        tracker = MotionTracker(MotionSettings(lost_frames=5))
        tracker.update(0, boxes((100, 50, 0.9)), labels(1))
        for frame in range(1, 1 + missing) if called else ():
            tracker.update(frame, boxes(), labels(0))
        _, _, ids = tracker.update(1 + missing, boxes((100, 50, 0.9)), labels(1))
        assert ids.tolist() == [expected]


def test_classes_are_tracked_apart_and_videos_begin_at_0() -> None:
    tracker = MotionTracker()
    tracker.update(0, boxes((100, 50, 0.9)), labels(1, 2))
    _, found, ids = tracker.update(1, boxes((100, 50, 0.9)), labels(1, 3))
    assert ids.tolist() == [1] and found.tolist() == [3]
    tracker.reset()
    _, _, ids = tracker.update(0, boxes((100, 50, 0.9)), labels(1))
    assert ids.tolist() == [0]


def test_frames_come_in_order() -> None:
    tracker = MotionTracker()
    tracker.update(3, boxes(), labels(0))
    with pytest.raises(ValueError, match="frame 3 comes after frame 3"):
        tracker.update(3, boxes(), labels(0))


def test_a_frame_of_30_boxes_and_50_tracks_takes_milliseconds() -> None:
    """3 ms are asked for; what is shared with others gets ten times that."""
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 600, (50, 2)).astype(np.float32)
    all_boxes = np.concatenate([corners, corners + 60, np.full((50, 1), 0.9, np.float32)], axis=1)
    tracker = MotionTracker(MotionSettings(lost_frames=1000))
    tracker.update(0, all_boxes, labels(50))
    spent = []
    for frame in range(1, 21):
        begun = time.perf_counter()
        tracker.update(frame, all_boxes[:30], labels(30))
        spent.append(time.perf_counter() - begun)
    assert min(spent) < 0.03
