"""Why a score is what it is, and whether two scores differ.

>>> from bdd100k_models.analysis import analyze, compare
>>> analysis = analyze("det", "labels/det_20/det_val.json", "out/det.json")
>>> print(analysis.text()); analysis.as_json()["tables"]["errors"]

Importing this package imports neither torch nor the evaluators.
"""

from bdd100k_models.analysis.comparison import Comparison, compare
from bdd100k_models.analysis.overview import Analysis, analyze
from bdd100k_models.analysis.tables import Table

__all__ = ["Analysis", "Comparison", "Table", "analyze", "compare"]
