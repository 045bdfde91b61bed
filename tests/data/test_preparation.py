"""Converted label files are complete, and what is wrong is said in plain words."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pycocotools import mask as mask_codec
from pycocotools.coco import COCO

from bdd100k_models.cli.prepare_data import main
from bdd100k_models.data.preparation import Report, prepare
from bdd100k_models.errors import UserError
from bdd100k_models.zoo.classes import PAN_SEG, POSE_KEYPOINTS, SEM_SEG, TRACKED

SCRIPT = Path(__file__).parents[2] / "tools" / "prepare_data.py"


def _json(path: Path) -> Any:
    return json.loads(path.read_text())


@pytest.fixture
def root(mini_root: Path, tmp_path: Path) -> Path:
    """A copy of the mini dataset, without what was prepared, to be broken."""
    copy = tmp_path / "data"
    shutil.copytree(mini_root, copy, ignore=shutil.ignore_patterns("jsons", "colormaps"))
    return copy


def _prepare(root: Path, task: str, split: str = "val") -> Report:
    (report,) = prepare(root, [task], [split], quiet=True)
    return report


def test_boxes_are_complete(mini_root: Path) -> None:
    coco = _json(mini_root / "jsons/det_val_cocofmt.json")
    frames = _json(mini_root / "labels/det_20/det_val.json")
    assert [image["file_name"] for image in coco["images"]] == [f["name"] for f in frames]
    assert {(image["height"], image["width"]) for image in coco["images"]} == {(720, 1280)}
    assert len(coco["annotations"]) == sum(len(frame["labels"]) for frame in frames)
    first, box = coco["annotations"][0], frames[0]["labels"][0]["box2d"]
    assert first["bbox"] == [
        box["x1"], box["y1"], box["x2"] - box["x1"] + 1, box["y2"] - box["y1"] + 1,
    ]  # fmt: skip
    names = {category["id"]: category["name"] for category in coco["categories"]}
    assert len(names) == 10
    flat = [label for frame in frames for label in frame["labels"]]
    for annotation, label in zip(coco["annotations"], flat, strict=True):
        ignored = label["category"] == "trailer" or label["attributes"]["crowd"]
        assert annotation["iscrowd"] == int(ignored)
        expected = "truck" if label["category"] == "trailer" else label["category"]
        assert names[annotation["category_id"]] == expected


def test_instances_keep_sizes_and_what_is_ignored(mini_root: Path) -> None:
    coco = _json(mini_root / "jsons/ins_seg_train_cocofmt.json")
    frames = _json(mini_root / "labels/ins_seg/rles/ins_seg_train.json")["frames"]
    assert {(image["height"], image["width"]) for image in coco["images"]} == {(720, 1280)}
    truth = {frame["name"]: frame["labels"] for frame in frames}
    names = {image["id"]: image["file_name"] for image in coco["images"]}
    for annotation in coco["annotations"]:
        label = truth[names[annotation["image_id"]]][annotation["instance_id"] - 1]
        ignored = label["category"] == "trailer" or label["attributes"]["crowd"]
        assert annotation["iscrowd"] == int(ignored)
        assert annotation["segmentation"]["counts"] == label["rle"]["counts"]
        assert annotation["bbox"] == mask_codec.toBbox(label["rle"]).tolist()
    assert len(coco["annotations"]) == sum(len(labels) for labels in truth.values())


def test_panoptic_segments_are_complete(mini_root: Path) -> None:
    coco = _json(mini_root / "jsons/pan_seg_val_cocofmt.json")
    assert [category["name"] for category in coco["categories"]] == list(PAN_SEG)
    assert [category["isthing"] for category in coco["categories"]] == [1] * 10 + [0] * 30
    for image, annotation in zip(coco["images"], coco["annotations"], strict=True):
        assert (mini_root / "images/10k/val" / image["file_name"]).is_file()
        assert (image["height"], image["width"]) == (720, 1280)
        assert annotation["image_id"] == image["id"]
        png = mini_root / "jsons/pan_seg/masks/val" / annotation["file_name"]
        red_green_blue = cv2.imread(str(png))[..., ::-1].astype(int)
        ids = red_green_blue @ (1, 256, 65536)
        segments = annotation["segments_info"]
        assert {segment["id"] for segment in segments} == set(np.unique(ids)) - {0}
        for segment in segments:
            rows, columns = np.nonzero(ids == segment["id"])
            assert segment["area"] == len(rows)
            x, y, width, height = segment["bbox"]
            assert (x, x + width - 1) == (columns.min(), columns.max())
            assert (y, y + height - 1) == (rows.min(), rows.max())
            assert segment["iscrowd"] in (0, 1)


def test_poses_count_labelled_joints(mini_root: Path) -> None:
    coco = _json(mini_root / "jsons/pose_train_cocofmt.json")
    assert coco["annotations"]
    (category,) = coco["categories"]
    assert category["name"] == "pedestrian"
    assert category["keypoints"] == list(POSE_KEYPOINTS)
    for annotation in coco["annotations"]:
        joints = np.array(annotation["keypoints"]).reshape(18, 3)
        assert annotation["num_keypoints"] == (joints[:, 2] > 0).sum()
        assert annotation["area"] == annotation["bbox"][2] * annotation["bbox"][3]


@pytest.mark.parametrize("task", ["det", "ins_seg", "pose"])
def test_pycocotools_reads_the_files(
    mini_root: Path, task: str, capsys: pytest.CaptureFixture[str]
) -> None:
    coco = COCO(str(mini_root / f"jsons/{task}_val_cocofmt.json"))
    capsys.readouterr()
    assert coco.getAnnIds()


def test_mmsegmentation_loads_masks(mini_root: Path) -> None:
    # MMCV can be imported once this package has been.
    importlib.import_module("bdd100k_models")
    from mmseg.datasets import CustomDataset

    dataset = CustomDataset(
        pipeline=[{"type": "LoadImageFromFile"}, {"type": "LoadAnnotations"}],
        img_dir=str(mini_root / "images/10k/train"),
        ann_dir=str(mini_root / "labels/sem_seg/masks/train"),
        classes=SEM_SEG,
        palette=[[0, 0, 0]] * len(SEM_SEG),
    )
    assert len(dataset) == 6
    mask = mini_root / "labels/sem_seg/masks/train/train00000.png"
    np.testing.assert_array_equal(
        dataset[0]["gt_semantic_seg"], cv2.imread(str(mask), cv2.IMREAD_UNCHANGED)
    )


def test_mmdetection_loads_instances_and_panoptic_segments(mini_root: Path) -> None:
    importlib.import_module("bdd100k_models")
    from mmdet.datasets import CocoDataset
    from mmdet.datasets.pipelines import LoadPanopticAnnotations

    dataset = CocoDataset(
        ann_file=str(mini_root / "jsons/ins_seg_train_cocofmt.json"),
        img_prefix=str(mini_root / "images/10k/train"),
        classes=("pedestrian", "car"),
        pipeline=[
            {"type": "LoadImageFromFile"},
            {"type": "LoadAnnotations", "with_bbox": True, "with_mask": True},
        ],
    )
    sample = dataset[0]
    assert sample["img"].shape == (720, 1280, 3)
    assert len(sample["gt_masks"]) == len(sample["gt_bboxes"]) > 0

    coco = _json(mini_root / "jsons/pan_seg_train_cocofmt.json")
    index = {category["id"]: i for i, category in enumerate(coco["categories"])}
    annotation = coco["annotations"][0]
    masks = [
        {
            "id": segment["id"],
            "category": index[segment["category_id"]],
            "is_thing": index[segment["category_id"]] < 10,
        }
        for segment in annotation["segments_info"]
    ]
    loaded = LoadPanopticAnnotations(with_bbox=False, with_label=False)(
        {
            "img_info": coco["images"][0],
            "seg_prefix": str(mini_root / "jsons/pan_seg/masks/train"),
            "ann_info": {"seg_map": annotation["file_name"], "masks": masks},
            "mask_fields": [],
            "seg_fields": [],
        }
    )
    bitmask = cv2.imread(
        str(mini_root / "labels/pan_seg/bitmasks/train" / annotation["file_name"]),
        cv2.IMREAD_UNCHANGED,
    )
    expected = np.full(41, 255)
    for category_id, position in index.items():
        expected[category_id] = position
    np.testing.assert_array_equal(loaded["gt_semantic_seg"], expected[bitmask[..., 2]])
    assert len(loaded["gt_masks"]) == sum(mask["is_thing"] for mask in masks)


def test_every_task_is_ready(mini_root: Path) -> None:
    reports = prepare(mini_root, quiet=True)
    assert {report.status for report in reports} == {"ready"}
    assert len(reports) == 18


def test_absent_labels_are_skipped_unless_wanted(root: Path) -> None:
    shutil.rmtree(root / "labels/pan_seg")
    reports = {(r.task, r.split): r for r in prepare(root, splits=["val"], quiet=True)}
    assert reports["pan_seg", "val"].status == "skipped"
    assert reports["pan_seg", "val"].summary == (
        "no labels: labels/pan_seg/bitmasks/val is not there"
    )
    assert reports["det", "val"].status == "ready"
    assert _prepare(root, "pan_seg").status == "failed"


def test_counts_of_the_real_dataset_are_information(root: Path) -> None:
    report = _prepare(root, "sem_seg")
    assert report.status == "ready"
    assert report.notes == ["4 labelled pictures; the real dataset has 1000"]


def test_labels_without_pictures_are_left_out_and_named(root: Path) -> None:
    (root / "images/100k/val/val00002.jpg").unlink()
    report = _prepare(root, "det")
    assert report.status == "ready"
    assert "1 labels have no picture and are left out: val00002.jpg" in report.notes
    coco = _json(root / "jsons/det_val_cocofmt.json")
    assert [i["file_name"] for i in coco["images"]] == [
        "val00000.jpg", "val00001.jpg", "val00003.jpg",
    ]  # fmt: skip
    ids = {image["id"] for image in coco["images"]}
    assert {annotation["image_id"] for annotation in coco["annotations"]} <= ids


def test_pictures_without_labels_are_named(root: Path) -> None:
    shutil.copy(root / "images/100k/val/val00001.jpg", root / "images/100k/val/extra.jpg")
    assert "1 pictures have no labels: extra.jpg" in _prepare(root, "det").notes


def test_pictures_of_another_split_are_noticed(root: Path) -> None:
    shutil.rmtree(root / "images/100k/val")
    shutil.copytree(root / "images/100k/train", root / "images/100k/val")
    report = _prepare(root, "det")
    assert report.status == "failed"
    assert "none of the 4 labelled pictures is in" in report.summary


def test_no_pictures_at_all(root: Path) -> None:
    shutil.rmtree(root / "images/10k/val")
    assert _prepare(root, "ins_seg").summary.startswith("no pictures: ")


@pytest.mark.parametrize(
    ("task", "path"),
    [
        ("det", "images/100k/val/val00001.jpg"),
        ("sem_seg", "labels/sem_seg/masks/val/val00001.png"),
        ("ins_seg", "labels/ins_seg/bitmasks/val/val00001.png"),
        ("pan_seg", "labels/pan_seg/bitmasks/val/val00001.png"),
    ],
)
def test_truncated_files_are_named(root: Path, task: str, path: str) -> None:
    data = (root / path).read_bytes()
    # The two picture sets share their files by hard links: replace, do not write into them.
    (root / path).unlink()
    (root / path).write_bytes(data[: len(data) // 2])
    report = _prepare(root, task)
    assert report.status == "failed"
    assert f"1 of 4 {'pictures' if task == 'det' else 'masks'}" in report.summary
    assert f"{Path(path).name} ends too early" in report.summary
    assert not (root / f"jsons/{task}_val_cocofmt.json").exists()


def test_a_text_that_calls_itself_a_picture(root: Path) -> None:
    path = root / "images/100k/val/val00000.jpg"
    path.unlink()
    path.write_text("not a picture")
    assert "val00000.jpg is not a picture" in _prepare(root, "det").summary


def test_masks_with_values_that_are_no_class(root: Path) -> None:
    path = root / "labels/drivable/masks/val/val00000.png"
    mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    mask[0, 0] = 9
    cv2.imwrite(str(path), mask)
    assert "val00000.png has the value 9, which is no class" in _prepare(root, "drivable").summary


def test_colour_maps_in_the_place_of_masks(root: Path) -> None:
    path = root / "labels/sem_seg/masks/val/val00000.png"
    cv2.imwrite(str(path), np.zeros((720, 1280, 3), dtype=np.uint8))
    assert "val00000.png has 3 channels, a mask has 1" in _prepare(root, "sem_seg").summary
    path = root / "labels/ins_seg/bitmasks/val/val00000.png"
    cv2.imwrite(str(path), np.zeros((720, 1280), dtype=np.uint8))
    assert "val00000.png has 1 channels, a bitmask has 4" in _prepare(root, "ins_seg").summary


def test_bitmasks_with_unknown_categories(root: Path) -> None:
    path = root / "labels/ins_seg/bitmasks/val/val00000.png"
    shutil.copy(root / "labels/pan_seg/bitmasks/val/val00000.png", path)
    assert "has the category id 10, which is no class" in _prepare(root, "ins_seg").summary


def test_masks_of_another_size(root: Path) -> None:
    path = root / "labels/sem_seg/masks/val/val00000.png"
    cv2.imwrite(str(path), np.zeros((360, 640), dtype=np.uint8))
    report = _prepare(root, "sem_seg")
    assert "1 masks in" in report.summary
    assert "another size than their pictures: val00000.jpg" in report.summary


def test_stuff_in_several_segments_is_joined(root: Path) -> None:
    path = root / "labels/pan_seg/bitmasks/val/val00000.png"
    bitmask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    road = bitmask[..., 2] == 7
    left = road & (np.arange(1280) < 640)
    bitmask[left, 1] = 4
    cv2.imwrite(str(path), bitmask)
    report = _prepare(root, "pan_seg")
    assert report.status == "ready"
    assert any("1 bitmasks have a stuff category in several segments" in n for n in report.notes)
    segments = _json(root / "jsons/pan_seg_val_cocofmt.json")["annotations"][0]["segments_info"]
    (only,) = [segment for segment in segments if segment["category_id"] == 7]
    assert only["id"] == 7
    assert only["area"] == road.sum()
    assert [p.name for p in (root / "jsons").iterdir() if p.name.startswith("pan_seg_")] == [
        "pan_seg_val_cocofmt.json"
    ]


def _edit(path: Path, change: Any) -> None:
    content = _json(path)
    change(content)
    path.write_text(json.dumps(content))


def test_broken_label_files(root: Path) -> None:
    path = root / "labels/det_20/det_val.json"
    whole = path.read_text()
    path.write_text(whole[: len(whole) // 2])
    assert f"labels {path} is not JSON" in _prepare(root, "det").summary
    path.write_text('{"images": []}')
    assert f"{path} is not in Scalabel form" in _prepare(root, "det").summary
    path.write_text("[]")
    assert f"{path} has no frames" in _prepare(root, "det").summary


def test_label_files_with_senseless_content(root: Path) -> None:
    path = root / "labels/det_20/det_val.json"
    whole = path.read_text()
    _edit(path, lambda frames: frames.append(frames[0]))
    assert "names 'val00000.jpg' more than once" in _prepare(root, "det").summary
    path.write_text(whole)
    _edit(path, lambda frames: frames[0]["labels"][0].update(category="lorry"))
    summary = _prepare(root, "det").summary
    assert "val00000.jpg has a label of the category 'lorry'; known are " in summary
    path.write_text(whole)
    _edit(path, lambda frames: frames[0]["labels"][0]["box2d"].update(x2=-5))
    assert "1 boxes without an area are left out" in _prepare(root, "det").notes
    path.write_text(whole)
    _edit(path, lambda frames: frames[0]["labels"][0]["box2d"].update(x2="wide"))
    assert "label 0 of frame 'val00000.jpg': x2 of 'box2d' is text" in _prepare(root, "det").summary
    path.write_text(whole)
    _edit(path, lambda frames: frames[0]["labels"][0].pop("id"))
    assert "the toolkit's converter fails on" in _prepare(root, "det").summary


def strip_geometry(frames: list[dict[str, Any]]) -> None:
    for frame in frames:
        for label in frame["labels"]:
            label.pop("box2d", None)
            label.pop("graph", None)


@pytest.mark.parametrize(("task", "kind"), [("det", "box2d"), ("pose", "graph")])
def test_labels_without_geometry(root: Path, task: str, kind: str) -> None:
    path = root / "labels" / ("det_20/det_val.json" if task == "det" else "pose_21/pose_val.json")
    _edit(path, lambda frames: strip_geometry(frames[:1]))
    report = _prepare(root, task)
    assert report.status == "ready"
    assert any(note.endswith(f"labels have no {kind} and are left out") for note in report.notes)
    _edit(path, strip_geometry)
    report = _prepare(root, task)
    assert report.status == "failed"
    assert report.summary.startswith("none of the ") and f"has a {kind}" in report.summary
    _edit(path, lambda frames: [frame.update(labels=[]) for frame in frames])
    report = _prepare(root, task)
    assert report.status == "failed" and "has no labels at all" in report.summary


def test_poses_with_other_joints(root: Path) -> None:
    path = root / "labels/pose_21/pose_val.json"
    whole = path.read_text()
    _edit(path, lambda frames: frames[0]["labels"][0]["graph"]["nodes"].pop())
    assert "has 17 joints, not 18" in _prepare(root, "pose").summary
    path.write_text(whole)
    _edit(path, lambda frames: frames[0]["labels"][0]["graph"]["nodes"].reverse())
    assert "come in another order than head, neck" in _prepare(root, "pose").summary


def test_tags_that_no_model_knows(root: Path) -> None:
    path = root / "labels/det_20/det_val.json"
    _edit(path, lambda frames: frames[0]["attributes"].update(weather="hail"))
    report = _prepare(root, "tagging")
    assert report.status == "ready"
    assert "unknown values of weather: hail" in report.notes

    def strip(frames: list[dict[str, Any]]) -> None:
        for frame in frames:
            del frame["attributes"]["scene"]

    _edit(path, strip)
    assert _prepare(root, "tagging").summary.endswith("has no attribute scene")


def test_the_label_file_of_2018_has_tags_too(root: Path) -> None:
    labels = root / "labels"
    (labels / "det_20/det_val.json").rename(labels / "bdd100k_labels_images_val.json")
    assert _prepare(root, "tagging").status == "ready"
    assert _prepare(root, "det").status == "failed"


def test_wrong_roots_and_tasks(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no folder"):
        prepare(tmp_path / "nowhere")
    with pytest.raises(UserError, match="has no folder images/"):
        prepare(tmp_path)
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    with pytest.raises(UserError, match="no task 'depth'; did you mean 'det'"):
        prepare(tmp_path, ["depth"])


def test_exit_status_and_output(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--data-root", str(root), "--splits", "val", "--quiet", "--workers", "1"]
    assert main([*arguments, "--tasks", "det"]) == 0
    printed = capsys.readouterr()
    assert "ready   det val: 4 pictures, " in printed.out
    assert "-> jsons/det_val_cocofmt.json" in printed.out
    assert printed.err == ""
    shutil.rmtree(root / "labels/pose_21")
    assert main([*arguments, "--tasks", "det", "pose"]) == 1
    assert "failed  pose val: no labels" in capsys.readouterr().out


def test_the_script_tells_a_mistake_in_one_line(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, str(SCRIPT), "--data-root", str(tmp_path / "none")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert run.stderr == (
        f"error: no folder {tmp_path / 'none'}; pass --data-root DIR with images/ and labels/ "
        "in it\n"
    )


def test_old_panoptic_pngs_stay_until_new_ones_are_there(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _prepare(root, "pan_seg").status == "ready"
    folder = root / "jsons" / "pan_seg" / "masks"
    before = {path.name: path.read_bytes() for path in (folder / "val").iterdir()}
    assert before

    def killed(*_: Any) -> None:
        assert {path.name: path.read_bytes() for path in (folder / "val").iterdir()} == before
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("bdd100k.label.to_coco_panseg.bitmask2coco_pan_seg", killed)
        with pytest.raises(KeyboardInterrupt):
            _prepare(root, "pan_seg")
    assert {path.name for path in (folder / "val").iterdir()} == set(before)
    assert _prepare(root, "pan_seg").status == "ready"
    assert [path.name for path in folder.iterdir()] == ["val"]


def test_videos_are_as_the_toolkit_converts_them(mini_root: Path) -> None:
    """Boxes of the toolkit's own converter; it joins the files of videos itself."""
    from bdd100k.common.utils import load_bdd100k_config
    from bdd100k.label.to_scalabel import bdd100k_to_scalabel
    from scalabel.label.io import load
    from scalabel.label.to_coco import scalabel2coco_box_track

    ours = json.loads((mini_root / "jsons/box_track_val_cocofmt.json").read_text())
    config = load_bdd100k_config("box_track")
    frames = bdd100k_to_scalabel(load(str(mini_root / "labels/box_track_20/val")).frames, config)
    theirs = scalabel2coco_box_track(frames, config.scalabel)
    assert [video["name"] for video in ours["videos"]] == ["val0000", "val0001"]
    for part in ("images", "annotations"):
        for mine, their in zip(ours[part], theirs[part], strict=True):
            assert mine == {key: their[key] for key in mine}
    names = [category["name"] for category in ours["categories"]]
    assert names == [category["name"] for category in theirs["categories"]] == list(TRACKED)


def test_masks_of_videos_keep_their_run_lengths(mini_root: Path) -> None:
    coco = json.loads((mini_root / "jsons/seg_track_val_cocofmt.json").read_text())
    frames = json.loads((mini_root / "labels/seg_track_20/rles/val/val0000.json").read_text())
    assert coco["annotations"][0]["segmentation"] == frames[0]["labels"][0]["rle"]
    assert coco["annotations"][0]["instance_id"] == 1


@pytest.mark.parametrize("form", ["whole file", "coco"])
def test_other_forms_of_the_labels_give_the_same(
    mini_root: Path, tmp_path: Path, form: str
) -> None:
    made = mini_root / "jsons/box_track_val_cocofmt.json"
    expected = json.loads(made.read_text())
    other = tmp_path / "other"
    (other / "labels/box_track_20").mkdir(parents=True)
    (other / "images").symlink_to(mini_root / "images")
    if form == "coco":
        shutil.copy(made, other / "labels/box_track_20/bdd_box_track_val_cocofmt.json")
    else:
        files = sorted((mini_root / "labels/box_track_20/val").glob("*.json"))
        frames = [frame for file in files for frame in json.loads(file.read_text())]
        whole = other / "labels/box_track_20/box_track_val.json"
        whole.write_text(json.dumps({"frames": frames}))
    reports = prepare(other, ["mot"], ["val"], quiet=True)
    assert [report.status for report in reports] == ["ready"]
    found = json.loads((other / "jsons/box_track_val_cocofmt.json").read_text())
    for coco in (expected, found):
        for annotation in coco["annotations"]:
            del annotation["scalabel_id"]
    assert found == expected


def test_frames_of_one_video_have_one_size(root: Path) -> None:
    path = root / "images/track/val/val0000/val0000-0000003.jpg"
    picture = cv2.imread(str(path))
    path.unlink()
    cv2.imwrite(str(path), picture[:360])
    (report,) = prepare(root, ["mot"], ["val"], quiet=True)
    assert report.status == "failed"
    assert report.summary == (
        "video 'val0000' has frames of different sizes: 1280x360, 1280x720; a video has one"
    )
