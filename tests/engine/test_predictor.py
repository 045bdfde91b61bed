"""`Predictor`: the same results as ``test.py``, from files, arrays and PIL pictures."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from bdd100k_models import Predictor, load_config
from bdd100k_models.cli.test import main
from bdd100k_models.engine.model import name_classes
from bdd100k_models.engine.predictor import records_of
from bdd100k_models.errors import UserError
from bdd100k_models.files import REPOSITORY
from bdd100k_models.tasks import get_task, task_of
from bdd100k_models.zoo import classes

MODELS = REPOSITORY / "demo" / "models"
FILES = {
    "tagging": ("tagging_scene_mini", "tagging.json"),
    "det": ("det_mini", "det.json"),
    "ins_seg": ("ins_seg_mini", "ins_seg.json"),
    "sem_seg": ("sem_seg_mini", "sem_seg.json"),
    "drivable": ("drivable_mini", "drivable.json"),
    "pan_seg": ("pan_seg_mini", "pan_seg.json"),
    "pose": ("pose_mini", "result_keypoints.json"),
}


@pytest.fixture(scope="module")
def pictures(mini_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three rendered scenes as PNG, which every way of reading gives the same pixels for."""
    folder = tmp_path_factory.mktemp("pictures")
    sources = sorted((mini_root / "images" / "100k" / "val").glob("*.jpg"))[:3]
    for source in sources:
        cv2.imwrite(str(folder / f"{source.stem}.png"), cv2.imread(str(source)))
    return folder


def detector(**options: Any) -> dict[str, Any]:
    """What finds the people of the pose model."""
    return {
        "detector": str(MODELS / "det_mini.py"),
        "detector_checkpoint": str(MODELS / "det_mini.pth"),
        **options,
    }


def predictor(task: str, **options: Any) -> Predictor:
    name = FILES[task][0]
    if task == "pose":
        options = detector(**options)
    config, weights = MODELS / f"{name}.py", MODELS / f"{name}.pth"
    return Predictor(config, checkpoint=weights, device="cpu", **options)


@pytest.mark.parametrize("task", FILES)
def test_same_frames_as_the_script(task: str, pictures: Path, tmp_path: Path) -> None:
    name, file = FILES[task]
    argv = [str(MODELS / f"{name}.py"), "--checkpoint", str(MODELS / f"{name}.pth")]
    argv += ["--images", str(pictures), "--out", str(tmp_path), "--device", "cpu", "--workers", "0"]
    for key, value in detector().items() if task == "pose" else ():
        argv += [f"--{key.replace('_', '-')}", value]
    assert main(task, argv) == 0
    written = json.loads((tmp_path / file).read_text())["frames"]

    predict = predictor(task)
    results = list(predict(pictures))
    assert [json.loads(json.dumps(result.frame)) for result in results] == written
    assert results[0].path == os.fspath(pictures / results[0].name)
    # An array of the same pixels, and a PIL picture, give the same.
    path = pictures / written[0]["name"]
    picture = Image.open(path)
    for given in (np.asarray(picture), picture):
        (result,) = predict(given)
        assert {**result.frame, "name": path.name} == written[0]
    drawn = results[0].draw()
    assert drawn.shape == (720, 1280, 3)
    assert drawn.dtype == np.uint8


def test_arrays_are_what_the_frame_says(pictures: Path) -> None:
    (result,) = predictor("det")(pictures / sorted(os.listdir(pictures))[0])
    found, labels = result.arrays, result.frame["labels"]
    assert {name: (value.dtype.name, value.shape[1:]) for name, value in found.items()} == {
        "boxes": ("float32", (4,)),
        "scores": ("float32", ()),
        "classes": ("int64", ()),
    }
    assert len(found["boxes"]) == len(labels) > 0
    assert [result.predictor.classes[i] for i in found["classes"]] == [
        label["category"] for label in labels
    ]
    assert found["boxes"][:, 0].tolist() == [label["box2d"]["x1"] for label in labels]


def test_results_come_one_by_one_from_a_generator(pictures: Path) -> None:
    paths = sorted(pictures.iterdir())
    taken = []

    def endless() -> Iterator[Path]:
        while True:
            taken.append(1)
            yield paths[len(taken) % 3]

    results = predictor("tagging")(endless(), batch_size=2)
    names = [next(results).name for _ in range(5)]
    results.close()
    assert names == [paths[i % 3].name for i in range(1, 6)]
    assert len(taken) < 14


def test_ids_count_over_the_call(pictures: Path) -> None:
    predict = predictor("det")
    ids = [label["id"] for result in predict(pictures, 2) for label in result.frame["labels"]]
    assert ids == [str(number) for number in range(1, len(ids) + 1)]


def test_a_bad_picture(pictures: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"x")
    images = [*sorted(pictures.iterdir())[:1], bad, *sorted(pictures.iterdir())[1:]]
    predict = predictor("tagging")
    results = predict(images)
    next(results)
    with pytest.raises(UserError, match=f"^{bad} cannot be read as a picture"):
        next(results)
    kept = list(predict(images, 2, strict=False))
    assert [result.error is None for result in kept] == [True, False, True, True]
    assert kept[1].frame == {"name": "bad.png", "attributes": {}, "labels": []}
    assert kept[1].arrays == {}


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ("/no/such", "/no/such: no such folder, file, or pattern"),
        (np.zeros((4, 4), np.uint8), r"must be \(H, W, 3\) uint8 RGB, this is \(4, 4\) uint8"),
        (np.zeros((4, 4, 3)), r"this is \(4, 4, 3\) float64"),
        ([7], r"must be \(H, W, 3\) uint8 RGB"),
        (np.zeros((0, 4, 3), np.uint8), r"this is \(0, 4, 3\)"),
    ],
)
def test_what_is_no_picture(images: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        list(records_of(images))


def test_names_of_pictures_without_a_file() -> None:
    picture = np.zeros((4, 4, 3), np.uint8)
    assert [r.name for r in records_of([picture, Image.fromarray(picture)])] == [
        "0000000.jpg",
        "0000001.jpg",
    ]
    assert len(list(records_of(picture))) == 1


def test_a_turned_picture_is_upright(tmp_path: Path) -> None:
    pixels = np.zeros((6, 10, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=exif)
    (record,) = records_of(Image.open(tmp_path / "a.jpg"))
    assert record.pixels is not None
    assert record.pixels.shape == (10, 6, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"config": "faster_rcnn_r50_fpn_1x_det_bdd10k"},
            "did you mean 'faster_rcnn_r50",
        ),
        ({"checkpoint": "/no/w.pth"}, "no checkpoint at /no/w.pth"),
        ({"device": "tpu"}, "--device tpu: use cpu, cuda"),
        ({"masks": True}, "det has no option 'masks'"),
    ],
)
def test_mistakes_are_told(arguments: dict[str, Any], message: str) -> None:
    given = {
        "config": MODELS / "det_mini.py",
        "checkpoint": MODELS / "det_mini.pth",
        "device": "cpu",
        **arguments,
    }
    with pytest.raises(UserError, match=message):
        Predictor(**given)


def test_detector_of_another_task() -> None:
    with pytest.raises(UserError, match="is a model for sem_seg, not for det"):
        predictor("pose", detector=str(MODELS / "sem_seg_mini.py"))


def test_supervision_is_asked_for(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (result,) = predictor("det")(sorted(pictures.iterdir())[0])
    monkeypatch.setitem(__import__("sys").modules, "supervision", None)
    with pytest.raises(UserError, match="pip install supervision"):
        result.to_supervision()
    fake = SimpleNamespace(Detections=lambda **given: given)
    monkeypatch.setitem(__import__("sys").modules, "supervision", fake)
    given = result.to_supervision()
    assert given["xyxy"].shape == result.arrays["boxes"].shape
    assert given["mask"] is None
    assert given["data"]["class_name"][0] == result.frame["labels"][0]["category"]


# -- what classes are called ----------------------------------------------------------------------


class Headed(nn.Module):
    """A network whose head tells ``count`` classes apart, wherever its package keeps them."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.num_classes = count
        head = nn.Module()
        head.num_classes = count  # type: ignore[assignment]
        self.head = head
        self.bbox_head = head
        fusion = nn.Module()
        fusion.num_things_classes, fusion.num_stuff_classes = 1, count - 1  # type: ignore[assignment]
        self.panoptic_fusion_head = fusion


def names(task: str, count: int, said: Any, told: list[str] | None = None) -> tuple[str, ...]:
    cfg = load_config(MODELS / f"{FILES[task][0]}.py")
    report = told.append if told is not None else print
    return name_classes(get_task(task), cfg, Headed(count), {"CLASSES": said}, report)


@pytest.mark.parametrize("task", ["tagging", "det", "ins_seg", "sem_seg", "drivable", "pan_seg"])
def test_a_checkpoint_says_what_its_classes_are(task: str) -> None:
    told: list[str] = []
    assert names(task, 2, ["tram", "truck"], told) == ("tram", "truck")
    assert len(told) == 1
    assert "has not: tram" in told[0]


def test_classes_of_the_dataset_in_another_order_need_no_word() -> None:
    told: list[str] = []
    turned = list(reversed(classes.DET))
    assert names("det", 10, turned, told) == tuple(turned)
    assert told == []


@pytest.mark.parametrize("said", [None, [], "car", [1, 2]])
def test_a_checkpoint_that_says_nothing(said: Any) -> None:
    assert names("det", 10, said) == classes.DET


def test_number_of_classes_contradicts_the_head() -> None:
    with pytest.raises(UserError, match=r"^the checkpoint names 2 classes \(car, bus\), the netw"):
        names("det", 10, ["car", "bus"])
    with pytest.raises(UserError, match=r"det_mini.py names 10 classes .* head has 3; set num_cl"):
        names("det", 3, None)


def test_weights_for_the_other_tag() -> None:
    with pytest.raises(UserError, match=r"the checkpoint predicts weather .*, the config scene"):
        names("tagging", 7, list(classes.WEATHER))


def test_own_classes_come_out_under_their_names(pictures: Path, tmp_path: Path) -> None:
    """Two classes, trained and saved as training does it, through the whole path."""
    options = {"model.roi_head.bbox_head.num_classes": 2}
    from bdd100k_models.engine.model import build_network

    cfg = load_config(MODELS / "det_mini.py", options=options)
    torch.manual_seed(0)
    network = build_network(task_of(cfg), cfg)
    state = network.state_dict()
    state["roi_head.bbox_head.fc_cls.weight"] *= 40
    weights = tmp_path / "own.pth"
    torch.save({"state_dict": state, "meta": {"CLASSES": ["car", "lorry"]}}, weights)
    told: list[str] = []
    predict = Predictor(
        MODELS / "det_mini.py", weights, device="cpu", cfg_options=options, report=told.append
    )
    (result,) = predict(sorted(pictures.iterdir())[0])
    found = {label["category"] for label in result.frame["labels"]}
    assert found and found <= {"car", "lorry"}
    assert [line for line in told if "lorry" in line] == [
        "note: the checkpoint was trained on classes that det has not: lorry; results bear these "
        "names"
    ]
    assert result.draw().any()


def test_poses_in_boxes_of_a_file(pictures: Path, tmp_path: Path) -> None:
    config = ["--checkpoint", str(MODELS / "det_mini.pth"), "--images", str(pictures)]
    out = ["--out", str(tmp_path), "--device", "cpu", "--workers", "0"]
    assert main("det", [str(MODELS / "det_mini.py"), *config, *out]) == 0
    predict = Predictor(
        MODELS / "pose_mini.py",
        MODELS / "pose_mini.pth",
        device="cpu",
        boxes=str(tmp_path / "det.json"),
    )
    found = {result.name: len(result.arrays["boxes"]) for result in predict(pictures)}
    frames = json.loads((tmp_path / "det.json").read_text())["frames"]
    people = {f["name"]: sum(x["category"] == "pedestrian" for x in f["labels"]) for f in frames}
    assert sum(people.values()) > 0
    assert {name: count > 0 for name, count in found.items()} == {
        name: count > 0 for name, count in people.items()
    }
