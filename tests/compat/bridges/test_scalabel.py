"""scalabel works whatever the number of processes, the pydantic and the Python."""

import multiprocessing
from typing import Any

import pytest
from bdd100k.common.utils import load_bdd100k_config
from scalabel.eval import ins_seg, pan_seg
from scalabel.label.io import parse
from scalabel.label.typing import RLE, Category, Config, Frame, Label

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


def test_frames_are_read_as_pydantic_1_reads_them() -> None:
    read = parse(
        {
            "name": 5,
            "attributes": {"weather": "clear", "speed": 3.5},
            "timestamp": "12",
            "unknown": 1,
            "labels": [
                {
                    "id": 3,
                    "attributes": {"a": True, "b": "false", "c": 1, "d": "clear", "e": "3"},
                    "box2d": {"x1": 1, "y1": "2.5", "x2": 3, "y2": 4},
                    "rle": {"counts": "ab", "size": [1, 2]},
                }
            ],
        }
    )
    assert (read.name, read.url, read.timestamp) == ("5", None, 12)
    assert read.attributes == {"weather": "clear", "speed": "3.5"}
    (label,) = read.labels
    assert (label.id, label.box3d, label.graph) == ("3", None, None)
    values = label.attributes
    assert values == {"a": True, "b": False, "c": True, "d": "clear", "e": 3}
    assert [type(value) for value in values.values()] == [bool, bool, bool, str, int]
    assert (label.box2d.y1, label.rle.size) == (2.5, (1, 2))


def test_what_may_be_none_need_not_be_given() -> None:
    config = Config(categories=[{"name": "a", "subcategories": [{"name": "b"}]}])
    assert (config.imageSize, config.poseSigmas) == (None, None)
    assert config.categories[0].subcategories == [Category(name="b")]
    assert Label.construct(id="3").box2d is None


def test_what_must_be_given_is_still_asked_for() -> None:
    with pytest.raises(ValueError, match="name"):
        parse({"labels": []})


def test_pools_share_what_is_loaded() -> None:
    from bdd100k.label import to_coco
    from scalabel.eval import detect

    fork = multiprocessing.get_context("fork")
    assert detect.Pool.__self__ is fork and to_coco.Pool.__self__ is fork
