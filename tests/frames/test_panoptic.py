import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bdd100k.common.bitmask import parse_bitmask
from bdd100k.common.utils import load_bdd100k_config
from bdd100k.eval.pan_seg import pq_per_image as pq_of_bitmasks
from bdd100k.label.label import labels as official_labels
from numpy.typing import NDArray
from PIL import Image
from scalabel.eval.pan_seg import pq_per_image as pq_of_frames

from bdd100k_models.frames.panoptic import panoptic_bitmask, panoptic_labels, rgb_to_id
from bdd100k_models.zoo.classes import PAN_SEG_STUFF, PAN_SEG_THINGS

THINGS = ("person", "car")
STUFF = ("road", "sky", "wall")
#: road, void, and two cars and a person.
TINY = np.array([[2, 2, 5], [1001, 2001, 3000]])


def random_panoptic(seed: int, height: int = 62, width: int = 79) -> NDArray[np.int64]:
    """Blocks of stuff and void with things laid over them."""
    random = np.random.default_rng(seed)
    classes = len(PAN_SEG_THINGS) + len(PAN_SEG_STUFF)
    blocks = random.integers(len(PAN_SEG_THINGS), classes + 1, (4, 5))
    panoptic = blocks.repeat(16, axis=0).repeat(16, axis=1)[:height, :width]
    for number in range(1, 9):
        y, x = random.integers(0, height - 12), random.integers(0, width - 15)
        panoptic[y : y + 12, x : x + 15] = random.integers(0, len(PAN_SEG_THINGS)) + 1000 * number
    return panoptic


def test_exact_json() -> None:
    assert json.dumps(panoptic_labels(TINY, THINGS, STUFF)) == (
        '[{"id": "2", "category": "road", "rle": {"counts": "01102", "size": [2, 3]}}, '
        '{"id": "1001", "category": "car", "rle": {"counts": "114", "size": [2, 3]}}, '
        '{"id": "2001", "category": "car", "rle": {"counts": "312", "size": [2, 3]}}, '
        '{"id": "3000", "category": "person", "rle": {"counts": "51", "size": [2, 3]}}]'
    )


def test_exact_bitmask() -> None:
    bitmask = panoptic_bitmask(TINY, THINGS, STUFF)
    assert bitmask.dtype == np.uint8
    assert bitmask.tolist() == [
        [[1, 0, 0, 1], [1, 0, 0, 1], [0, 0, 0, 0]],
        [[5, 0, 0, 4], [5, 0, 0, 5], [4, 0, 0, 6]],
    ]


def test_category_ids_are_the_toolkits() -> None:
    expected = {label.name: label.id for label in official_labels if label.id > 0}
    for index, name in enumerate(PAN_SEG_THINGS + PAN_SEG_STUFF):
        segment = index + (1000 if name in PAN_SEG_THINGS else 0)
        bitmask = panoptic_bitmask(np.array([[segment]]), PAN_SEG_THINGS, PAN_SEG_STUFF)
        assert bitmask[0, 0, 0] == expected[name]
        assert bitmask[0, 0, 3] == (31 if name in PAN_SEG_THINGS else expected[name])


def test_only_void_and_no_pixels() -> None:
    void = np.full((2, 3), 5)
    assert panoptic_labels(void, THINGS, STUFF) == []
    assert panoptic_bitmask(void, THINGS, STUFF).tolist() == [[[0, 3, 0, 1]] * 3] * 2
    assert panoptic_labels(np.zeros((0, 3), dtype=int), THINGS, STUFF) == []
    assert panoptic_bitmask(np.zeros((0, 3), dtype=int), THINGS, STUFF).shape == (0, 3, 4)


def test_many_instances_use_the_high_byte() -> None:
    panoptic = np.arange(1, 401).reshape(20, 20) * 1000
    bitmask = panoptic_bitmask(panoptic.astype(np.int32), THINGS, STUFF)
    ids = bitmask[..., 2].astype(int) * 256 + bitmask[..., 3]
    assert ids.tolist() == (np.arange(1, 401) + len(STUFF)).reshape(20, 20).tolist()


@pytest.mark.parametrize("seed", range(5))
def test_both_forms_score_equally(
    tmp_path: Path,
    official_load: Callable,
    seed: int,
) -> None:
    truth = random_panoptic(seed)
    prediction = np.roll(truth, seed, axis=1)
    paths, frames = [], []
    for name, panoptic in (("truth", truth), ("prediction", prediction)):
        path = tmp_path / f"{name}.png"
        Image.fromarray(panoptic_bitmask(panoptic, PAN_SEG_THINGS, PAN_SEG_STUFF)).save(path)
        paths.append(str(path))
        labels = panoptic_labels(panoptic, PAN_SEG_THINGS, PAN_SEG_STUFF)
        frames += official_load([{"name": "a.jpg", "labels": labels}])
    categories = load_bdd100k_config("pan_seg").scalabel.categories
    by_frames = pq_of_frames(*frames, categories)
    by_bitmasks = pq_of_bitmasks(*paths)
    total = 0
    for index, category in enumerate(categories):
        frame_stat = by_frames[index]
        bitmask_stat = by_bitmasks[
            next(label.id for label in official_labels if label.name == category.name)
        ]
        assert (frame_stat.tpos, frame_stat.fpos, frame_stat.fneg) == (
            bitmask_stat.tp,
            bitmask_stat.fp,
            bitmask_stat.fn,
        )
        assert frame_stat.iou == pytest.approx(bitmask_stat.iou)
        total += frame_stat.tpos
        if seed == 0:
            assert frame_stat.iou == frame_stat.tpos
            assert frame_stat.fpos == frame_stat.fneg == 0
    assert total > 5


def test_official_parser_accepts_the_bitmask() -> None:
    panoptic = random_panoptic(7)
    bitmask = panoptic_bitmask(panoptic, PAN_SEG_THINGS, PAN_SEG_STUFF)
    masks, ids, attributes, category_ids = parse_bitmask(bitmask)
    assert len(ids) == len(panoptic_labels(panoptic, PAN_SEG_THINGS, PAN_SEG_STUFF))
    assert not attributes.any()
    assert (category_ids[ids <= 30] == ids[ids <= 30]).all()
    assert np.array_equal(masks == 0, panoptic == 40)


@pytest.mark.parametrize("convert", [panoptic_labels, panoptic_bitmask])
@pytest.mark.parametrize("segment", [6, 999, 1006])
def test_segments_of_no_class_are_refused(convert: Callable, segment: int) -> None:
    with pytest.raises(ValueError, match=f"segment {segment} has no class index below 5"):
        convert(np.array([[0, segment]]), THINGS, STUFF)


@pytest.mark.parametrize("segment", [-1, 2**40])
def test_ids_that_no_bitmask_holds_are_refused(segment: int) -> None:
    with pytest.raises(ValueError, match=r"segment ids must lie in 0\.\."):
        panoptic_bitmask(np.array([[segment]]), THINGS, STUFF)


def test_negative_segments_are_refused() -> None:
    with pytest.raises(ValueError, match="segment -1 has no class index"):
        panoptic_labels(np.array([[-1]]), THINGS, STUFF)


@pytest.mark.parametrize("convert", [panoptic_labels, panoptic_bitmask])
def test_other_shapes_are_refused(convert: Callable) -> None:
    with pytest.raises(ValueError, match=r"shape \(H, W\), got \(1, 2, 3\)"):
        convert(np.zeros((1, 2, 3), dtype=int), THINGS, STUFF)


def test_official_evaluator_reads_the_bitmask_of_an_empty_prediction(tmp_path: Path) -> None:
    road = PAN_SEG_STUFF.index("road") + len(PAN_SEG_THINGS)
    truth, blank = tmp_path / "truth.png", tmp_path / "blank.png"
    void = len(PAN_SEG_THINGS) + len(PAN_SEG_STUFF)
    for path, value in ((truth, road), (blank, void)):
        bitmask = panoptic_bitmask(np.full((4, 6), value), PAN_SEG_THINGS, PAN_SEG_STUFF)
        Image.fromarray(bitmask).save(path)
    missed = pq_of_bitmasks(str(truth), str(blank))[PAN_SEG_STUFF.index("road") + 1]
    assert (missed.tp, missed.fp, missed.fn) == (0, 0, 1)


def test_colours_to_ids():
    colours = np.array([[[1, 0, 0], [2, 1, 0], [0, 0, 255]]], dtype=np.uint8)
    assert rgb_to_id(colours).tolist() == [[1, 258, 255 * 65536]]
