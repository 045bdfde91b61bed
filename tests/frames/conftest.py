import json
from collections.abc import Callable
from pathlib import Path

import pytest
from scalabel.label.io import load
from scalabel.label.typing import Frame as ScalabelFrame

from bdd100k_models.frames import Frame

OfficialLoad = Callable[[list[Frame]], list[ScalabelFrame]]


@pytest.fixture
def official_load(tmp_path: Path) -> OfficialLoad:
    """Frames through a strict JSON file and Scalabel's loader, ids as the merge gives them."""

    def through_file(frames: list[Frame]) -> list[ScalabelFrame]:
        number = 0
        numbered = []
        for frame in frames:
            labels = []
            for label in frame["labels"]:
                number += 1
                labels.append({"id": str(number), **label})
            numbered.append({**frame, "labels": labels})
        path = tmp_path / "frames.json"
        path.write_text(json.dumps({"frames": numbered}, allow_nan=False))
        loaded: list[ScalabelFrame] = load(str(path)).frames
        return loaded

    return through_file
