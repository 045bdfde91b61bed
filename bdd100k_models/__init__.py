"""Multi-task model zoo for the BDD100K driving dataset.

>>> from bdd100k_models import load_config, build_model, list_models
>>> cfg = load_config("faster_rcnn_r50_fpn_1x_det_bdd100k")
>>> model = build_model(cfg, checkpoint=None, device="cpu")

Importing the package imports neither torch nor any OpenMMLab package; the functions do when called.
"""

from bdd100k_models import compat
from bdd100k_models.api import build_model, list_models, load_config
from bdd100k_models.version import __version__

__all__ = ["__version__", "build_model", "list_models", "load_config"]
compat.install()
