"""scalabel's overlap check works whatever the number of processes."""

from typing import Any

import pytest
from bdd100k.common.utils import load_bdd100k_config
from scalabel.eval import ins_seg, pan_seg
from scalabel.label.typing import RLE, Frame, Label

from bdd100k_models.frames.rle import encode_crop


def frame(name: str, *columns: int) -> Frame:
    """Boxes of 4x4 pixels from these columns on."""
    masks = [encode_crop([[1] * 4] * 4, x, 2, 720, 1280) for x in columns]
    labels = [
        Label(id=str(number), category="car", rle=RLE(**mask)) for number, mask in enumerate(masks)
    ]
    return Frame(name=name, labels=labels)


@pytest.mark.parametrize("module", [ins_seg, pan_seg])
@pytest.mark.parametrize("nproc", [1, 2])
def test_frames_with_overlap_are_found(module: Any, nproc: int) -> None:
    config = load_bdd100k_config("ins_seg").scalabel
    frames = [frame("apart.jpg", 0, 10), frame("overlap.jpg", 0, 3)]
    assert module.check_overlap(frames, config, nproc)
    assert [one.labels is None for one in frames] == [False, True]
    assert not module.check_overlap(frames[:1], config, nproc)
