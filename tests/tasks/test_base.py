"""Which images a run takes, and how their frames are named."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmcv import Config
from mmdet.datasets.pipelines import Compose
from PIL import Image

from bdd100k_models import load_config
from bdd100k_models.engine.loading import map_tensors
from bdd100k_models.errors import UserError
from bdd100k_models.tasks import base, check_task, get_task, task_of
from bdd100k_models.tasks.base import (
    ImageRecord,
    StepsPipeline,
    mask_file,
    passed_over,
    records_of_images,
)
from bdd100k_models.tasks.pose_boxes import PersonBox


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(os.fspath(path), np.zeros((4, 4, 3), np.uint8))


def config(root: Path, split: str = "val") -> Config:
    data = dict(
        type="BDD100KDetDataset",
        ann_file=os.fspath(root / "ann.json"),
        img_prefix=os.fspath(root / "images" / split),
        pipeline=[],
    )
    return Config(dict(data=dict(test=data)))


class TestPictures:
    def test_folder_with_equal_base_names(self, tmp_path: Path) -> None:
        touch(tmp_path / "b" / "x.jpg", tmp_path / "a" / "x.jpg", tmp_path / "y z.PNG")
        (tmp_path / "notes.txt").touch()
        records = list(records_of_images(os.fspath(tmp_path)))
        assert [r.name for r in records] == ["a/x.jpg", "b/x.jpg", "y z.PNG"]
        assert [r.index for r in records] == [0, 1, 2]
        assert records[0].path == os.fspath(tmp_path / "a" / "x.jpg")

    def test_one_picture(self, tmp_path: Path) -> None:
        touch(tmp_path / "x.jpg", tmp_path / "y.jpg")
        assert [r.name for r in records_of_images(os.fspath(tmp_path / "x.jpg"))] == ["x.jpg"]

    def test_pattern(self, tmp_path: Path) -> None:
        touch(tmp_path / "in" / "a" / "1.jpg", tmp_path / "in" / "b" / "1.jpg", tmp_path / "2.jpg")
        found = records_of_images(os.fspath(tmp_path / "in" / "*" / "*.jpg"))
        assert [r.name for r in found] == ["a/1.jpg", "b/1.jpg"]

    def test_pattern_that_finds_a_picture_in_two_ways(self, tmp_path: Path) -> None:
        touch(tmp_path / "x.jpg", tmp_path / "a b" / "ü.jpg")
        found = records_of_images(os.fspath(tmp_path / "**" / "**" / "*.jpg"))
        assert [r.name for r in found] == ["a b/ü.jpg", "x.jpg"]

    def test_name_that_looks_like_a_pattern(self, tmp_path: Path) -> None:
        touch(tmp_path / "a[1].jpg", tmp_path / "a1.jpg")
        found = records_of_images(os.fspath(tmp_path / "a[1].jpg"))
        assert [r.name for r in found] == ["a[1].jpg"]

    @pytest.mark.parametrize("images", ["none", "no*.jpg", "empty"])
    def test_nothing_there(self, tmp_path: Path, images: str) -> None:
        (tmp_path / "empty").mkdir()
        with pytest.raises(UserError, match=r"--images .*(no such folder|no pictures)"):
            list(records_of_images(os.fspath(tmp_path / images)))


class TestRecords:
    @pytest.mark.parametrize(
        "content",
        [
            {"images": [{"file_name": "b.jpg"}, {"file_name": "a.jpg"}]},
            [{"name": "b.jpg"}, {"name": "a.jpg"}],
            {"frames": [{"name": "b.jpg"}, {"name": "a.jpg"}]},
        ],
    )
    def test_order_of_the_annotation_file(self, tmp_path: Path, content: object) -> None:
        folder = tmp_path / "images" / "val"
        touch(folder / "a.jpg", folder / "b.jpg", folder / "unlisted.jpg")
        (tmp_path / "ann.json").write_text(json.dumps(content))
        records = get_task("det").records(config(tmp_path))
        assert [r.name for r in records] == ["b.jpg", "a.jpg"]

    def test_folder_without_annotations(self, tmp_path: Path) -> None:
        touch(tmp_path / "images" / "val" / "a.jpg")
        assert [r.name for r in get_task("det").records(config(tmp_path))] == ["a.jpg"]

    def test_test_split_needs_no_labels(self, tmp_path: Path) -> None:
        touch(tmp_path / "images" / "val" / "a.jpg", tmp_path / "images" / "test" / "t.jpg")
        records = get_task("det").records(config(tmp_path), split="test")
        assert [r.name for r in records] == ["t.jpg"]

    def test_missing_pictures_are_counted(self, tmp_path: Path) -> None:
        (tmp_path / "ann.json").write_text('{"images": [{"file_name": "gone.jpg"}]}')
        with pytest.raises(UserError, match=r"1 of 1 images .* missing, first .*gone\.jpg"):
            get_task("det").records(config(tmp_path))

    def test_no_images_at_all(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"looked for .*ann\.json and .*--data-root"):
            get_task("det").records(config(tmp_path))

    @pytest.mark.parametrize(
        ("text", "message"), [("{", "is not JSON"), ("{}", "neither COCO nor Scalabel")]
    )
    def test_broken_annotations(self, tmp_path: Path, text: str, message: str) -> None:
        (tmp_path / "ann.json").write_text(text)
        with pytest.raises(UserError, match=message):
            get_task("det").records(config(tmp_path))


def test_mask_file() -> None:
    assert mask_file("bitmasks", "a.b/c.d.jpg") == "bitmasks/a.b/c.d.png"


def test_wrapped_test_data() -> None:
    inner = dict(type="X", pipeline=[1])
    cfg = Config(dict(data=dict(test=dict(type="RepeatDataset", dataset=inner))))
    assert base.test_data(cfg)["pipeline"] == [1]
    with pytest.raises(UserError, match=r"has no data\.test"):
        base.test_data(Config(dict(model=1)))
    with pytest.raises(UserError, match=r"has no data\.test"):
        base.test_data(Config(dict(data=1)))


def test_task_of_a_config() -> None:
    train = dict(type="MultiImageMixDataset", dataset=dict(type="BDD100KDetDataset"))
    assert task_of(Config(dict(data=dict(train=train)))).name == "det"
    with pytest.raises(UserError, match="names no task of the zoo"):
        task_of(Config(dict(data=dict(test=dict(type="CocoDataset")))))
    with pytest.raises(UserError, match="no task 'lane'"):
        get_task("lane")


def test_config_of_another_task() -> None:
    cfg = Config(dict(data=dict(test=dict(type="BDD100KSemSegDataset"))))
    check_task(cfg, "sem_seg")
    check_task(Config(dict(data=dict(test=dict(type="OwnDataset")))), "det")
    with pytest.raises(UserError, match=r"config for sem_seg, not for det; use sem_seg/test\.py"):
        check_task(cfg, "det")


def tensors_and_metas(batch: Any) -> tuple[list[torch.Tensor], Any]:
    found: list[torch.Tensor] = []

    def note(tensor: torch.Tensor) -> torch.Tensor:
        found.append(tensor)
        return tensor

    map_tensors(batch, note)
    crops = isinstance(batch, list)  # of people, by picture
    return found, [each.metas for each in batch] if crops else batch["img_metas"]


class TestPixels:
    @pytest.mark.parametrize(
        "config",
        [
            "faster_rcnn_r50_fpn_1x_det_bdd100k",
            "fcn_r50-d8_512x1024_40k_sem_seg_bdd100k",
            "resnet18_5x_224x224_weather_tag_bdd100k",
            "mobilenetv2_256x192_1x_pose_bdd100k",
        ],
        ids=["det", "sem_seg", "tagging", "pose"],
    )
    def test_a_sample_has_the_bits_of_a_lossless_file(self, tmp_path: Path, config: str) -> None:
        cfg = load_config(config)
        task = task_of(cfg)
        task.register()
        pipeline = task.pipeline(cfg, task.options(), None)
        people = (PersonBox(20, 10, 60, 90, 0.5), PersonBox(100, 30, 40, 70, 1.0))
        path = tmp_path / "x.png"
        record = ImageRecord(0, "x.png", str(path), people if task.name == "pose" else None)
        pixels, others = np.random.default_rng(1).integers(0, 256, (2, 135, 240, 3), np.uint8)

        def sample(*, of: ImageRecord) -> tuple[list[torch.Tensor], Any]:
            return tensors_and_metas(pipeline.collate([pipeline(of)]))

        Image.fromarray(pixels).save(path)
        wanted, wanted_metas = sample(of=record)
        path.unlink()
        found, metas = sample(of=replace(record, pixels=pixels))
        assert len(found) == len(wanted) > 0
        for one, other in zip(found, wanted, strict=True):
            assert one.dtype == other.dtype
            assert torch.equal(one, other)
        np.testing.assert_equal(metas, wanted_metas)

        # And a file that comes after pixels is read.
        Image.fromarray(others).save(path)
        after, _ = sample(of=record)
        assert not torch.equal(after[0], wanted[0])
        of_others, _ = sample(of=replace(record, pixels=others))
        assert torch.equal(after[0], of_others[0])

    def test_threads_share_a_pipeline(self) -> None:
        # What another thread may do while one is between the choice of pixels and their reading.
        pixels, others = np.random.default_rng(1).integers(0, 256, (2, 9, 16, 3), np.uint8)
        waiting = [ImageRecord(1, "b", "b", pixels=others)]

        class Interrupted(Compose):  # type: ignore[misc]
            def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
                if waiting:
                    pipeline(waiting.pop())
                return dict(super().__call__(data))

        pipeline = StepsPipeline([dict(type="LoadImageFromFile")], Interrupted)
        found = pipeline(ImageRecord(0, "a", "a", pixels=pixels))["img"]
        assert waiting == []
        assert np.array_equal(found, pixels[..., ::-1])

    @pytest.mark.parametrize("steps", [[], [dict(type="RandomFlip")]])
    def test_a_pipeline_that_loads_no_file(self, steps: list[Any]) -> None:
        pipeline = StepsPipeline(steps, Compose)
        record = ImageRecord(0, "a", "a", pixels=np.zeros((9, 16, 3), np.uint8))
        with pytest.raises(UserError, match=r"must begin with LoadImageFromFile to take pixels"):
            pipeline(record)


def test_what_is_no_picture_is_counted(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.HEIC", "c.heic", "sub/d.gif", "sub/README", ".hidden"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert passed_over(str(tmp_path / "a.jpg")) is None
    (tmp_path / "gone.jpg").symlink_to("/nowhere/gone.jpg")
    assert [r.name for r in records_of_images(str(tmp_path))] == ["a.jpg"]
    told = passed_over(str(tmp_path))
    assert told is not None
    assert told.startswith("passed over 5 files that are no pictures: 2 .heic, ")
    assert "1 links that lead nowhere" in told
    (tmp_path / "a.jpg").unlink()
    with pytest.raises(
        UserError, match=r"no pictures there \(.*\); passed over 5 files .* 2 \.heic"
    ):
        list(records_of_images(str(tmp_path)))


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"x")
    with pytest.raises(UserError, match=r"the name b'caf\\xe9.jpg' is not UTF-8") as caught:
        list(records_of_images(str(tmp_path)))
    assert str(caught.value).isprintable()
