"""The tagging columns of the zoo, against mmcls itself."""

from __future__ import annotations

import numpy as np
import pytest

from bdd100k_models.errors import UserError
from bdd100k_models.evaluation import tagging_metrics


def mmcls_metrics(scores: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """What the evaluation hook of mmcls prints for the same arrays."""
    from mmcls.core.evaluation import precision_recall_f1
    from mmcls.models.losses import accuracy

    top_1, top_5 = accuracy(scores, targets, topk=(1, 5))
    precision, recall, f1_score = precision_recall_f1(scores, targets)
    return {
        "accuracy_top-1": float(top_1),
        "accuracy_top-5": float(top_5),
        "precision": precision,
        "recall": recall,
        "f1_score": f1_score,
    }


@pytest.mark.parametrize("case", ["mixed", "one class only", "never predicted", "zero scores"])
def test_equals_mmcls(case: str) -> None:
    random = np.random.default_rng(3)
    scores = random.dirichlet(np.ones(7), 200).astype(np.float32)
    targets = random.integers(0, 7, 200)
    if case == "one class only":
        targets[:] = 2
    elif case == "never predicted":
        scores[:, 4] = 0
    elif case == "zero scores":
        scores[:50] = 0
    found, expected = tagging_metrics(scores, targets), mmcls_metrics(scores, targets)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-4), name


def test_by_hand() -> None:
    scores = [[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.5, 0.4, 0.1], [0.1, 0.2, 0.7]]
    found = tagging_metrics(scores, [0, 1, 1, 2], top_k=(1, 2))
    assert found == pytest.approx(
        {
            "accuracy_top-1": 75.0,
            "accuracy_top-2": 100.0,
            "precision": 100 * (1 / 2 + 1 + 1) / 3,
            "recall": 100 * (1 + 1 / 2 + 1) / 3,
            "f1_score": 100 * (2 / 3 + 2 / 3 + 1) / 3,
        }
    )


def test_top_k_above_the_number_of_classes_is_left_out() -> None:
    assert "accuracy_top-5" not in tagging_metrics([[0.9, 0.1]], [0])


@pytest.mark.parametrize(
    ("scores", "targets", "message"),
    [
        (np.zeros((0, 7)), [], r"must be \(images, classes\), got \(0, 7\)"),
        (np.zeros(7), [0], r"must be \(images, classes\), got \(7,\)"),
        (np.ones((2, 7)), [0], r"2 images have tagging scores, .* shape \(1,\)"),
        (np.ones((1, 7)), [7], "class indices from 0 to 6"),
        (np.ones((1, 7)), [-1], "class indices from 0 to 6"),
    ],
)
def test_wrong_arrays_are_named(scores: np.ndarray, targets: list[int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        tagging_metrics(scores, targets)
