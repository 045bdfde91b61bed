"""The official BDD100K and Scalabel evaluators behind one function.

>>> from bdd100k_models.evaluation import evaluate
>>> scores = evaluate("det", "labels/det_20/det_val.json", "out/det.json")
>>> scores.summary["AP50"]; print(scores.table()); scores.save("out/scores.json")

Importing this package imports neither torch nor the evaluators; they load when a score is asked
for.
"""

from bdd100k_models.evaluation.apart import evaluate_apart
from bdd100k_models.evaluation.locations import TASKS, ground_truth_path
from bdd100k_models.evaluation.official import check_ground_truth, evaluate
from bdd100k_models.evaluation.scores import Scores, metric_names
from bdd100k_models.evaluation.tagging import tagging_metrics
from bdd100k_models.zoo.tasks import FORMS, Form

__all__ = [
    "FORMS",
    "TASKS",
    "Form",
    "Scores",
    "check_ground_truth",
    "evaluate",
    "evaluate_apart",
    "ground_truth_path",
    "metric_names",
    "tagging_metrics",
]
