"""What the catalogue tells of weights of others."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from bdd100k_models.config import parse_options
from bdd100k_models.zoo import catalogue, classes, review
from bdd100k_models.zoo.public import PublicSource, digits_of, public_source
from bdd100k_models.zoo.public_classes import class_map
from bdd100k_models.zoo.tasks import TASKS
from tests.published import published_models


def source_of(name: str) -> PublicSource:
    source = public_source(catalogue.find(name))
    assert source is not None
    return source


def test_every_model_but_trackers_has_one_and_fits_are_as_they_were_found() -> None:
    models = [catalogue.find(model.name) for model in published_models()]
    fits = Counter((model.task, source_of(model.name).fit) for model in models)
    assert fits == {
        ("sem_seg", "identical"): 37,
        ("sem_seg", "rows"): 12,
        ("sem_seg", "backbone_neck"): 4,
        ("drivable", "rows"): 52,
        ("drivable", "backbone_neck"): 4,
        ("det", "rows"): 52,
        ("det", "backbone_neck"): 12,
        ("ins_seg", "identical"): 4,
        ("ins_seg", "rows"): 22,
        ("pan_seg", "rows"): 5,
        ("pose", "rows"): 26,
        ("tagging", "rows"): 4,
        ("tagging", "backbone"): 24,
    }


def test_a_source() -> None:
    source = source_of("faster_rcnn_r50_fpn_1x_det_bdd100k")
    assert source.filename == "faster_rcnn_r50_fpn_mstrain_3x_coco_20210524_110822-e10bd31c.pth"
    assert (source.dataset, source.fit, source.metric) == ("COCO", "rows", "box AP 40.3")
    assert source.sha256 == "e10bd31c"
    assert source.owner == "MMDetection" and source.host == "download.openmmlab.com"
    assert "no licence told for the weights" in source.terms[0] and "COCO" in source.terms[1]
    assert source.runs("det") and not source.runs("tagging")


def test_a_backbone_runs_nothing_and_has_a_second_host() -> None:
    source = source_of("vgg16_5x_224x224_scene_tag_bdd100k")
    assert len(source.urls) == 2
    assert {digits_of(url) for url in source.urls} == {source.sha256}
    assert source.fit == "backbone" and not source.runs("tagging")


@pytest.mark.parametrize(
    ("name", "digits"),
    [
        ("x_20210524_110822-e10bd31c.pth", "e10bd31c"),
        ("res50_coco_256x192-ec54d7f3_20200709.pth", "ec54d7f3"),
        ("x-20200709.pth", None),
        ("retinanet_20210718_220633-88476508.pth", "88476508"),
        ("best.pt", None),
    ],
)
def test_digits_of_the_hash_in_a_name(name: str, digits: str | None) -> None:
    assert digits_of(f"https://host.org/some-00000000.dir/{name}?download=1") == digits


def test_classes_of_the_sources_are_those_of_the_packages() -> None:
    from mmdet.datasets import CityscapesDataset, CocoDataset, CocoPanopticDataset
    from mmseg.datasets import ADE20KDataset
    from mmseg.datasets import CityscapesDataset as CityscapesRegions

    def known(dataset: str, task: str) -> tuple[str, ...]:
        found = class_map(dataset, task)
        assert found is not None
        return found.source

    def names(dataset: Any) -> tuple[str, ...]:
        return tuple(name.strip() for name in dataset.CLASSES)

    assert known("COCO", "det") == known("COCO", "ins_seg") == names(CocoDataset)
    assert known("COCO", "pan_seg") == names(CocoPanopticDataset)
    assert known("Cityscapes", "ins_seg") == names(CityscapesDataset)
    assert known("Cityscapes", "sem_seg") == names(CityscapesRegions)
    assert known("ADE20K", "sem_seg") == known("ADE20K", "drivable") == names(ADE20KDataset)


@pytest.mark.parametrize(
    ("dataset", "task", "rows", "missing"),
    [
        ("COCO", "det", "0 - 2 7 5 6 3 1 9 11", "rider"),
        ("COCO", "ins_seg", "0 - 2 7 5 6 3 1", "rider"),
        ("COCO", "pose", "0 - 6 8 10 5 7 9 12 14 16 11 13 15 - - - -", "neck"),
        (
            "ADE20K",
            "sem_seg",
            "6 11 1 0 32 93 136 43 4 9 2 12 - 20 83 80 - 116 127",
            "rider, train",
        ),
        ("Cityscapes", "sem_seg", " ".join(map(str, range(19))), ""),
        ("Cityscapes", "ins_seg", " ".join(map(str, range(8))), ""),
        ("Cityscapes", "drivable", "0 - -", "alternative"),
    ],
)
def test_rows_of_the_tasks_classes(dataset: str, task: str, rows: str, missing: str) -> None:
    found = class_map(dataset, task)
    assert found is not None
    assert " ".join(str(row[0]) if row else "-" for row in found.rows) == rows
    assert ", ".join(found.missing).startswith(missing)
    assert found.near <= set(found.names) <= set(found.target)


def test_panoptic_things_come_from_things_and_stuff_from_stuff() -> None:
    found = class_map("COCO", "pan_seg")
    assert found is not None and found.target == classes.PAN_SEG
    for own, rows in zip(found.target, found.rows, strict=True):
        assert all((row < 80) == (own in classes.PAN_SEG_THINGS) for row in rows)
    assert len(found.missing) == 21


def test_several_classes_of_a_source_are_one_here_and_the_rest_is_dropped() -> None:
    found = class_map("ADE20K", "sem_seg")
    assert found is not None
    assert found.rows[found.target.index("vegetation")] == (4, 17, 72)
    assert "floor" in found.dropped and "palm" not in found.dropped
    assert class_map("ImageNet-1k", "tagging") is None


@pytest.mark.parametrize("task", TASKS)
def test_what_the_catalogue_says_of_them_is_complete(task: str) -> None:
    for name in catalogue.list_models(task):
        model = catalogue.find(name)
        assert review.public_problems(model) == []
        assert model.public is None or isinstance(parse_options([*model.public.options]), dict)
