"""Multi-task model zoo for the BDD100K driving dataset.

>>> from bdd100k_models import load_config, build_model, list_models
>>> cfg = load_config("faster_rcnn_r50_fpn_1x_det_bdd100k")
>>> model = build_model(cfg, checkpoint=None, device="cpu")

>>> from bdd100k_models import Predictor
>>> predict = Predictor("faster_rcnn_r50_fpn_1x_det_bdd100k", checkpoint="weights.pth")
>>> for result in predict("pictures/"):
...     result.frame, result.arrays, result.draw()

Importing the package imports neither torch nor any OpenMMLab package; the functions do when called.
"""

from typing import TYPE_CHECKING, Any

from bdd100k_models import compat
from bdd100k_models.api import build_model, list_models, load_config
from bdd100k_models.version import __version__

if TYPE_CHECKING:
    from bdd100k_models.engine.predictor import Predictor

__all__ = ["Predictor", "__version__", "build_model", "list_models", "load_config"]
compat.install()


def __getattr__(name: str) -> Any:
    """``Predictor``, which needs torch, when it is asked for."""
    if name == "Predictor":
        from bdd100k_models.engine.predictor import Predictor

        return Predictor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
