"""A Kalman filter of boxes that move evenly, for many boxes at once.

The state of a box is its centre, its ratio of width to height, its height, and what these change
by in a frame; noise grows with the height of the box. Model and noise are those of Wojke et al.,
«Simple Online and Realtime Tracking with a Deep Association Metric», ICIP 2017, which ByteTrack
takes over.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Standard deviations of position and of velocity as shares of a box's height.
_POSITION = 1 / 20
_VELOCITY = 1 / 160
#: The same of the ratio, which is no length.
_RATIO = 1e-2
_RATIO_VELOCITY = 1e-5
_RATIO_MEASURED = 1e-1

#: What is measured of a state.
_MEASURED = 4


def measurements(boxes: NDArray[np.floating]) -> Array:
    """(N, 4) x1 y1 x2 y2 -> (N, 4) centre x, centre y, width / height, height."""
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    width = np.maximum(boxes[:, 2] - boxes[:, 0], 1e-3)
    height = np.maximum(boxes[:, 3] - boxes[:, 1], 1e-3)
    return np.stack(
        [boxes[:, 0] + width / 2, boxes[:, 1] + height / 2, width / height, height], axis=1
    )


def boxes_of(states: Array) -> Array:
    """(N, 8) states, or measurements, -> (N, 4) x1 y1 x2 y2."""
    height = np.maximum(states[:, 3], 1e-3)
    width = np.maximum(states[:, 2], 1e-3) * height
    x, y = states[:, 0], states[:, 1]
    return np.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], axis=1)


def begin(measured: Array) -> tuple[Array, Array]:
    """States (N, 8) and covariances (N, 8, 8) of boxes that are seen for the first time."""
    height = measured[:, 3]
    position, velocity = 2 * _POSITION * height, 10 * _VELOCITY * height
    ratio = np.full_like(height, _RATIO)
    ratio_velocity = np.full_like(height, _RATIO_VELOCITY)
    deviations = np.stack(
        [position, position, ratio, position, velocity, velocity, ratio_velocity, velocity], axis=1
    )
    states = np.concatenate([measured, np.zeros_like(measured)], axis=1)
    return states, _diagonal(deviations)


def predict(states: Array, covariances: Array) -> tuple[Array, Array]:
    """States and covariances one frame later."""
    height = states[:, 3]
    position, velocity = _POSITION * height, _VELOCITY * height
    ratio = np.full_like(height, _RATIO)
    ratio_velocity = np.full_like(height, _RATIO_VELOCITY)
    noise = _diagonal(
        np.stack(
            [position, position, ratio, position, velocity, velocity, ratio_velocity, velocity],
            axis=1,
        )
    )
    motion = np.eye(2 * _MEASURED)
    motion[:_MEASURED, _MEASURED:] = np.eye(_MEASURED)
    return states @ motion.T, motion @ covariances @ motion.T + noise


def update(states: Array, covariances: Array, measured: Array) -> tuple[Array, Array]:
    """States and covariances after boxes were seen, (N, 4) as :func:`measurements` gives them."""
    height = states[:, 3]
    position = _POSITION * height
    noise = _diagonal(
        np.stack([position, position, np.full_like(height, _RATIO_MEASURED), position], axis=1)
    )
    seen = covariances[:, :_MEASURED, :_MEASURED] + noise
    gain = np.linalg.solve(seen, covariances[:, :_MEASURED, :]).transpose(0, 2, 1)
    surprise = measured - states[:, :_MEASURED]
    states = states + np.einsum("nij,nj->ni", gain, surprise)
    return states, covariances - gain @ seen @ gain.transpose(0, 2, 1)


def _diagonal(deviations: Array) -> Array:
    """(N, D) standard deviations -> (N, D, D) covariances."""
    found = np.zeros((*deviations.shape, deviations.shape[1]))
    index = np.arange(deviations.shape[1])
    found[:, index, index] = deviations**2
    return found
