"""motmetrics 1.4 on numpy >= 2. It can go with a later motmetrics."""

from typing import Any

from bdd100k_models.compat.old_numpy import OldNumpy
from bdd100k_models.compat.registry import bridge


@bridge("motmetrics.distances")
def numpy_asfarray(module: Any) -> None:
    """`norm2squared_matrix` uses ``np.asfarray``, which numpy 2 removed."""
    module.np = OldNumpy(asfarray=_asfarray)


def _asfarray(values: Any) -> Any:
    import numpy as np

    return np.asarray(values, dtype=np.float64)
