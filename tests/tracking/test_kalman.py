"""The Kalman filter of boxes."""

from __future__ import annotations

import numpy as np

from bdd100k_models.tracking import kalman


def test_boxes_become_measurements_and_come_back() -> None:
    boxes = np.array([[10.0, 20, 50, 100], [0, 0, 1280, 720]])
    measured = kalman.measurements(boxes)
    np.testing.assert_allclose(measured[0], [30, 60, 0.5, 80])
    np.testing.assert_allclose(kalman.boxes_of(measured), boxes)


def test_one_update_is_that_of_a_scalar_filter() -> None:
    """Position and its velocity do not mix with the others: a filter of two numbers by hand."""
    measured = kalman.measurements(np.array([[0.0, 0, 40, 80]]))
    states, covariances = kalman.predict(*kalman.begin(measured))
    variance = (2 / 20 * 80) ** 2 + (10 / 160 * 80) ** 2 + (80 / 20) ** 2
    assert np.isclose(covariances[0, 0, 0], variance)
    seen = measured + np.array([8, 0, 0, 0])
    states, covariances = kalman.update(states, covariances, seen)
    gain = variance / (variance + (80 / 20) ** 2)
    assert np.isclose(states[0, 0], measured[0, 0] + gain * 8)
    assert np.isclose(covariances[0, 0, 0], (1 - gain) * variance)
    assert states[0, 4] > 0, "it moves to the right"


def test_even_motion_is_learnt() -> None:
    boxes = np.array([[[100 + 12.0 * t, 50, 140 + 12 * t, 130]] for t in range(25)])
    states, covariances = kalman.begin(kalman.measurements(boxes[0]))
    for box in boxes[1:]:
        states, covariances = kalman.predict(states, covariances)
        states, covariances = kalman.update(states, covariances, kalman.measurements(box))
    np.testing.assert_allclose(states[0, 4:], [12, 0, 0, 0], atol=0.5)
    assert np.linalg.eigvalsh(covariances[0]).min() > 0


def test_boxes_are_filtered_independently() -> None:
    boxes = np.array([[0.0, 0, 10, 20], [100, 100, 300, 200], [5, 5, 6, 6]])
    together = kalman.predict(*kalman.begin(kalman.measurements(boxes)))
    for number, box in enumerate(boxes):
        alone = kalman.predict(*kalman.begin(kalman.measurements(box[None])))
        np.testing.assert_allclose(together[0][number], alone[0][0])
        np.testing.assert_allclose(together[1][number], alone[1][0])
