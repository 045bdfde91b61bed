import json
from collections.abc import Callable

import numpy as np
import pytest
from scalabel.eval.tagging import evaluate_tagging
from scalabel.label.typing import Category, Config

from bdd100k_models.frames.tagging import tagging_frame, tagging_prediction
from bdd100k_models.zoo.classes import WEATHER

SCORES = np.array([0.125, 0.5, 0.375], dtype=np.float32)
CATEGORIES = ("rainy", "clear", "foggy")


def test_exact_json() -> None:
    assert json.dumps(tagging_frame("a.jpg", SCORES, CATEGORIES, "weather")) == (
        '{"name": "a.jpg", "attributes": {"weather": "clear"}, "labels": []}'
    )
    assert json.dumps(tagging_prediction(SCORES, CATEGORIES)) == (
        '{"class_scores": [0.125, 0.5, 0.375], '
        '"pred_score": 0.5, "pred_label": 1, "pred_class": "clear"}'
    )


def test_of_equal_scores_the_first_class_wins() -> None:
    assert tagging_prediction(np.array([0.0, 0.5, 0.5]), CATEGORIES)["pred_label"] == 1


def test_official_evaluator_reads_the_frames(official_load: Callable) -> None:
    one_hot = np.eye(len(WEATHER))
    predicted = [0, 2, 2, 3]
    frames = [
        tagging_frame(f"{number}.jpg", one_hot[index], WEATHER, "weather")
        for number, index in enumerate(predicted)
    ]
    truth = official_load(frames)
    frames[1] = tagging_frame("1.jpg", one_hot[3], WEATHER, "weather")
    weather = Category(
        name="weather",
        subcategories=[Category(name=name) for name in WEATHER],
    )
    result = evaluate_tagging(truth, official_load(frames), Config(categories=[weather]))
    assert result.accuracy[1]["WEATHER"] == 75.0


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([0.5, 0.5], "2 class scores, 3 categories"),
        ([], "0 class scores, 3 categories"),
        ([0.5, np.nan, 0.5], "a score is not finite"),
    ],
)
def test_bad_input(scores: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tagging_frame("a.jpg", np.array(scores), CATEGORIES, "weather")
