"""Patches of other packages' modules, one module per package, each with reason and version.

Importing this package only registers them; torch and the patched packages stay unimported.
"""

from bdd100k_models.compat.bridges import (
    mmcv,
    mmcv_ops,
    mmdet,
    mmdet_inference,
    mmpose,
    motmetrics,
    scalabel,
)
from bdd100k_models.compat.registry import BRIDGES

__all__ = [
    "BRIDGES",
    "mmcv",
    "mmcv_ops",
    "mmdet",
    "mmdet_inference",
    "mmpose",
    "motmetrics",
    "scalabel",
]
