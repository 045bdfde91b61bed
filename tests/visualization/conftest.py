from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bdd100k_models.visualization import save_picture


@pytest.fixture
def grey() -> np.ndarray:
    """A uniform picture of BDD100K's size: whatever differs was drawn."""
    return np.full((720, 1280, 3), 120, dtype=np.uint8)


@pytest.fixture
def picture_file(tmp_path: Path, grey: np.ndarray) -> Path:
    return save_picture(tmp_path / "pictures" / "street one.jpg", grey)
