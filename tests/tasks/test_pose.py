"""pose: true keypoints come out as a file that the official evaluator finds perfect."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from bdd100k_models import load_config, visualization
from bdd100k_models.engine.loading import to_device
from bdd100k_models.engine.model import build_network
from bdd100k_models.engine.predictor import Predictor
from bdd100k_models.errors import UserError
from bdd100k_models.tasks import task_of
from bdd100k_models.tasks.base import Converter, ImageRecord, Task
from bdd100k_models.tasks.pose import (
    DEFAULT_DETECTOR,
    CropPipeline,
    PoseForward,
    Poses,
    PoseTask,
    Unsearched,
)
from bdd100k_models.tasks.pose_boxes import PersonBox
from bdd100k_models.visualization import read_picture
from bdd100k_models.zoo import classes

CONFIG = "mobilenetv2_256x192_1x_pose_bdd100k"
PEOPLE = {"b.jpg": 2, "a.jpg": 0, "c.jpg": 3}
JOINTS = len(classes.POSE_KEYPOINTS)

RunTask = Callable[..., Path]
Evaluate = Callable[..., dict[str, Any]]


class Oracle(nn.Module):
    """Gives the keypoints that it was told for the people of an image, as MMPose's models do."""

    def __init__(self, keypoints: dict[str, np.ndarray]) -> None:
        super().__init__()
        self.keypoints = keypoints
        self.batches: list[int] = []

    def forward(
        self, img: torch.Tensor, img_metas: list[dict[str, Any]], return_loss: bool
    ) -> dict[str, np.ndarray]:
        assert not return_loss
        assert img.shape == (len(img_metas), 3, 256, 192)
        self.batches.append(len(img))
        found = [self.keypoints[Path(m["image_file"]).name][m["bbox_id"]] for m in img_metas]
        boxes = [[*m["center"], *m["scale"], np.prod(m["scale"] * 200), 1.0] for m in img_metas]
        return {"preds": np.array(found, np.float32), "boxes": np.array(boxes, np.float32)}


def true_keypoints() -> dict[str, np.ndarray]:
    """(P, 18, 3) float32 by image; every person in a column of their own."""
    random = np.random.default_rng(5)
    found = {}
    for name, people in PEOPLE.items():
        keypoints = random.integers(0, 160, (people, JOINTS, 3)).astype(np.float32)
        keypoints[..., 0] += 300 * np.arange(people)[:, None] + 50
        keypoints[..., 1] += 200
        keypoints[..., 2] = 1.0
        found[name] = keypoints
    return found


def box_of(keypoints: np.ndarray) -> tuple[float, float, float, float]:
    """x y width height around (18, 3) keypoints."""
    low, high = keypoints[:, :2].min(axis=0), keypoints[:, :2].max(axis=0)
    return float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])


def write_world(root: Path, keypoints: dict[str, np.ndarray]) -> Path:
    """Images, the COCO file that configs read, and official labels; gives the latter's path."""
    images = root / "images" / "100k" / "val"
    images.mkdir(parents=True)
    coco: dict[str, list[dict[str, Any]]] = {"images": [], "annotations": [], "categories": []}
    coco["categories"].append({"id": 1, "name": classes.POSE_CATEGORY})
    frames = []
    for image, (name, people) in enumerate(keypoints.items(), start=1):
        pixels = np.random.default_rng(image).integers(0, 255, (720, 1280, 3), np.uint8)
        Image.fromarray(pixels).save(images / name)
        coco["images"].append({"id": image, "file_name": name, "width": 1280, "height": 720})
        labels = []
        for person in people:
            x, y, width, height = box_of(person)
            visible = person.copy()
            visible[:, 2] = 2
            coco["annotations"].append(
                {
                    "id": len(coco["annotations"]) + 1,
                    "image_id": image,
                    "category_id": 1,
                    "iscrowd": 0,
                    "area": width * height,
                    "bbox": [x, y, width, height],
                    "keypoints": visible.reshape(-1).tolist(),
                    "num_keypoints": JOINTS,
                }
            )
            labels.append(
                {
                    "id": f"{image}-{len(labels)}",
                    "category": classes.POSE_CATEGORY,
                    "box2d": {"x1": x, "y1": y, "x2": x + width - 1, "y2": y + height - 1},
                    "graph": {
                        "nodes": [
                            {"id": part, "category": part, "location": [u, v], "visibility": "V"}
                            for part, (u, v, _) in zip(
                                classes.POSE_KEYPOINTS, person.tolist(), strict=True
                            )
                        ],
                        "edges": [],
                        "type": "Pose2D-18Joints",
                    },
                }
            )
        frames.append({"name": name, "labels": labels})
    (root / "jsons").mkdir()
    (root / "jsons" / "pose_val_cocofmt.json").write_text(json.dumps(coco))
    truth = root / "labels" / "pose_21" / "pose_val.json"
    truth.parent.mkdir(parents=True)
    truth.write_text(json.dumps({"frames": frames}))
    return truth


def write_boxes(path: Path, keypoints: dict[str, np.ndarray], score: float = 0.5) -> Path:
    """A det.json with the people, and a car in every image."""
    frames = []
    for name, people in keypoints.items():
        labels = []
        for category, (x, y, w, h) in [
            *((classes.POSE_CATEGORY, box_of(person)) for person in people),
            ("car", (5.0, 5.0, 50.0, 50.0)),
        ]:
            box = {"x1": x, "y1": y, "x2": x + w - 1, "y2": y + h - 1}
            labels.append({"category": category, "score": score, "box2d": box})
        frames.append({"name": name, "labels": labels})
    path.write_text(json.dumps({"frames": frames}))
    return path


def options_of(task: Task, *argv: str) -> Any:
    parser = ArgumentParser()
    task.add_arguments(parser)
    return task.options_from(parser.parse_args(argv))


def pose_converter(
    task: Task, cfg: Any, *argv: str, names: tuple[str, ...] | None = None
) -> Converter:
    options = task.settle(options_of(task, *argv), cfg, split="val", images=False)
    return task.converter(cfg, options, names or task.class_names(cfg))


def read_labels(out: Path) -> dict[str, list[dict[str, Any]]]:
    frames = json.loads((out / "result_keypoints.json").read_text())["frames"]
    return {frame["name"]: frame["labels"] for frame in frames}


@pytest.mark.parametrize("boxes", ["annotated", "det.json"])
def test_true_keypoints_score_perfectly(
    tmp_path: Path, run_task: RunTask, official_scores: Evaluate, boxes: str
) -> None:
    keypoints = true_keypoints()
    root = tmp_path / "bdd100k"
    truth = write_world(root, keypoints)
    cfg = load_config(CONFIG, data_root=root)
    task = task_of(cfg)
    path = write_boxes(tmp_path / "det.json", keypoints)
    options = options_of(task, *(["--boxes", str(path)] if boxes == "det.json" else []))
    out = run_task(task, cfg, Oracle(keypoints), options=options, batch_size=2)
    labels = read_labels(out)
    assert list(labels) == list(PEOPLE)
    assert {name: len(found) for name, found in labels.items()} == PEOPLE
    assert [label["id"] for found in labels.values() for label in found] == list("01234")
    scores = {label["score"] for found in labels.values() for label in found}
    assert scores == {1.0 if boxes == "annotated" else 0.5}
    x, y, width, height = box_of(keypoints["c.jpg"][0])
    assert labels["c.jpg"][0]["box2d"] == {
        "x1": x,
        "y1": y,
        "x2": x + width - 1,
        "y2": y + height - 1,
    }
    found = official_scores("pose", truth, out / "result_keypoints.json")
    for metric in ("AP", "AP50", "AP75", "AR"):
        assert found[metric][-1]["OVERALL"] == pytest.approx(100.0)


def test_evaluation_on_annotated_boxes_says_what_it_cannot_be_compared_with(
    tmp_path: Path, run_task: RunTask, capsys: pytest.CaptureFixture[str]
) -> None:
    keypoints = true_keypoints()
    root = tmp_path / "bdd100k"
    write_world(root, keypoints)
    cfg = load_config(CONFIG, data_root=root)
    task = task_of(cfg)
    out = run_task(task, cfg, Oracle(keypoints))
    task.evaluate(pose_converter(task, cfg), out, root, "val", None, 1)
    printed = capsys.readouterr().out
    assert "boxes: annotated ones" in printed
    assert "the AP is not comparable with the published one" in printed
    boxes = str(write_boxes(tmp_path / "d", keypoints))
    task.evaluate(pose_converter(task, cfg, "--boxes", boxes), out, root, "val", None, 1)
    assert "not comparable" not in capsys.readouterr().out


def make_task(tmp_path: Path) -> tuple[PoseTask, Any]:
    keypoints = true_keypoints()
    write_world(tmp_path, keypoints)
    cfg = load_config(CONFIG, data_root=tmp_path)
    task = task_of(cfg)
    assert isinstance(task, PoseTask)
    task.register()
    return task, cfg


def annotated(task: Task, cfg: Any) -> tuple[CropPipeline, list[ImageRecord]]:
    """The pipeline, and the records with the annotated boxes."""
    options = task.settle(task.options(), cfg, split="val", images=False)
    pipeline = task.pipeline(cfg, options, None)
    assert isinstance(pipeline, CropPipeline)
    return pipeline, task.records(cfg, options)


def test_crops_are_those_of_mmpose(tmp_path: Path) -> None:
    task, cfg = make_task(tmp_path)
    reference = task.build_dataset(cfg.data.test, {"test_mode": True})
    crop, records = annotated(task, cfg)
    samples = [crop(record) for record in records]
    assert [len(sample.images) for sample in samples] == list(PEOPLE.values())
    images = torch.cat([sample.images for sample in samples])
    metas = [meta for sample in samples for meta in sample.metas]
    assert len(reference) == len(images) == 5
    for index, sample in enumerate(reference):
        assert torch.equal(images[index], sample["img"])
        for key in ("center", "scale"):
            assert np.array_equal(metas[index][key], sample["img_metas"].data[key])


def test_people_in_batches_get_the_same_poses_as_alone(tmp_path: Path) -> None:
    torch.manual_seed(0)
    task, cfg = make_task(tmp_path)
    model = build_network(task, cfg).eval()
    crop, records = annotated(task, cfg)
    crops = [crop(record) for record in records]
    with torch.inference_mode():
        together = PoseForward(model, people_per_batch=2)(crops)
        estimate = PoseForward(model, people_per_batch=32)
        alone = [estimate([each])[0] for each in crops]
    for first, second in zip(together, alone, strict=True):
        assert first.boxes == second.boxes
        assert np.allclose(first.areas, second.areas)
        assert np.allclose(first.keypoints[..., 2], second.keypoints[..., 2], atol=1e-5)
    assert [len(poses.keypoints) for poses in together] == list(PEOPLE.values())


def test_people_of_several_pictures_go_through_the_network_in_one_pass(
    tmp_path: Path, run_task: RunTask
) -> None:
    task, cfg = make_task(tmp_path)
    model = Oracle(true_keypoints())
    run_task(task, cfg, model, batch_size=3)
    assert model.batches == [5]


def test_people_per_batch(tmp_path: Path) -> None:
    task, cfg = make_task(tmp_path)
    keypoints = true_keypoints()
    model = Oracle(keypoints)
    crop, records = annotated(task, cfg)
    estimate = PoseForward(model, people_per_batch=2)
    found = estimate([crop(record) for record in records])
    assert model.batches == [2, 2, 1]
    for record, poses in zip(records, found, strict=True):
        assert np.array_equal(poses.keypoints, keypoints[record.name])
        assert poses.boxes == record.extra
    model.batches.clear()
    (nobody,) = estimate([crop(records[1])])
    assert model.batches == []
    assert (nobody.keypoints.shape, nobody.areas.shape) == ((0, JOINTS, 3), (0,))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(tmp_path: Path, dtype: torch.dtype) -> None:
    task, cfg = make_task(tmp_path)
    model = build_network(task, cfg).eval()
    crop, records = annotated(task, cfg)
    crops = [crop(records[0])]
    with torch.inference_mode(), torch.autocast("cpu", dtype=dtype):
        (found,) = PoseForward(model, people_per_batch=32)(crops)
    assert found.keypoints.dtype == np.float32
    assert found.keypoints.shape == (2, JOINTS, 3)


def test_repeated_poses_are_dropped_and_the_best_comes_first(tmp_path: Path) -> None:
    task, cfg = make_task(tmp_path)
    one = true_keypoints()["c.jpg"][0]
    other = one.copy()
    other[:, 0] += 400
    boxes = tuple(PersonBox(*box_of(points), score=s) for points, s in [(one, 0.4), (one, 0.6)])
    boxes += (PersonBox(*box_of(other), score=0.9),)
    poses = Poses(np.stack([one, one, other]), np.full(3, 40_000, np.float32), boxes)
    prediction = pose_converter(task, cfg)(poses, ImageRecord(0, "x.jpg", "x.jpg"))
    assert list(prediction.entries) == ["pose"]
    frame = prediction.entries["pose"]
    assert frame["name"] == "x.jpg"
    assert [label["score"] for label in frame["labels"]] == [0.9, 0.6]


def one_pose(score: float = 0.5) -> Poses:
    keypoints = true_keypoints()["c.jpg"][:1]
    box = PersonBox(*box_of(keypoints[0]), score=score)
    return Poses(keypoints, np.full(1, 40_000, np.float32), (box,))


def test_own_classes_name_the_results(tmp_path: Path) -> None:
    task, cfg = make_task(tmp_path)
    convert = pose_converter(task, cfg, names=("walker",))
    (label,) = convert(one_pose(), ImageRecord(0, "x.jpg", "x.jpg")).entries["pose"]["labels"]
    assert label["category"] == "walker"


def test_nothing(tmp_path: Path) -> None:
    task, cfg = make_task(tmp_path)
    prediction = pose_converter(task, cfg).nothing(ImageRecord(0, "a/x.jpg", "x.jpg"), 720, 1280)
    assert prediction.entries == {"pose": {"name": "a/x.jpg", "labels": []}}
    assert prediction.pictures == {}


def test_arrays(tmp_path: Path) -> None:
    task, cfg = make_task(tmp_path)
    converter = pose_converter(task, cfg)
    poses = one_pose(score=0.5)
    nobody = Poses(np.zeros((0, JOINTS, 3), np.float32), np.zeros(0, np.float32), ())
    found, empty = converter.arrays(poses), converter.arrays(nobody)
    for arrays in (found, empty):
        assert {name: array.dtype for name, array in arrays.items()} == {
            "keypoints": np.float32,
            "scores": np.float32,
            "boxes": np.float32,
            "classes": np.int64,
        }
    assert {name: array.shape for name, array in empty.items()} == {
        "keypoints": (0, JOINTS, 3),
        "scores": (0,),
        "boxes": (0, 4),
        "classes": (0,),
    }
    assert np.array_equal(found["keypoints"], poses.keypoints)
    x, y, width, height = box_of(poses.keypoints[0])
    assert found["boxes"].tolist() == [[x, y, x + width, y + height]]
    assert found["scores"].tolist() == [0.5]
    assert found["classes"].tolist() == [0]


class FixedDetector(nn.Module):
    """A detector that finds two pedestrians, one of them unlikely, and a car in every image."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def forward(
        self, img: Any, img_metas: Any, return_loss: bool, rescale: bool
    ) -> list[list[np.ndarray]]:
        assert rescale and not return_loss
        self.batches.append(len(img[0]))
        none = np.zeros((0, 5), np.float32)
        people = np.array([[50, 200, 209, 359, 0.75], [1, 1, 9, 9, 0.01]], np.float32)
        car = np.array([[5, 5, 60, 60, 0.9]], np.float32)
        return [[people, none, car] + [none] * 7 for _ in range(len(img[0]))]


def fixed_detector(config: str = DEFAULT_DETECTOR) -> Predictor:
    cfg = load_config(config)
    return Predictor.of_network(task_of(cfg), cfg, FixedDetector(), torch.device("cpu"))


def test_a_detector_finds_people_in_pictures_without_annotations(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keypoints = true_keypoints()
    write_world(tmp_path, keypoints)
    (tmp_path / "jsons" / "pose_val_cocofmt.json").unlink()
    cfg = load_config(CONFIG, data_root=tmp_path)
    task = task_of(cfg)
    given = options_of(task, "--box-score-thr", "0.1")
    options = task.settle(given, cfg, split="val", images=True)
    assert options == task.settle(given, cfg, split="val", images=False)
    records = task.records(cfg, options, images=str(tmp_path / "images"))
    assert task.detector(options) == (DEFAULT_DETECTOR, None)
    assert [record.extra for record in records] == [None, None, None]
    detector = fixed_detector()
    predictor = Predictor.of_network(
        task,
        cfg,
        build_network(task, cfg),
        torch.device("cpu"),
        options=options,
        detector=detector,
    )
    assert predictor.converter.identity()["boxes"] == DEFAULT_DETECTOR
    samples = [predictor.pipeline(record) for record in records[:2]]
    batch = to_device(predictor.pipeline.collate(samples), torch.device("cpu"))
    with torch.inference_mode():
        results = predictor.forward(batch)
    box = PersonBox(50, 200, 159, 159, 0.75)
    assert [poses.boxes for poses in results] == [(box,), (box,)]
    assert results[0].keypoints.shape == (1, JOINTS, 3)
    assert isinstance(detector.network, FixedDetector)
    assert detector.network.batches == [2]
    assert isinstance(samples[0], Unsearched)
    predictor.converter.finish(records, tmp_path)
    assert f"boxes: found by {DEFAULT_DETECTOR}" in capsys.readouterr().out


def test_with_a_detector_the_picture_is_decoded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, cfg = make_task(tmp_path)
    options = task.options(source="detector", detector=DEFAULT_DETECTOR, box_score_thr=0.1)
    detector = fixed_detector()
    predictor = Predictor.of_network(
        task,
        cfg,
        build_network(task, cfg),
        torch.device("cpu"),
        options=options,
        detector=detector,
    )
    # A JPEG file, whose decoding is not that of any other decoder.
    record = ImageRecord(0, "b.jpg", str(tmp_path / "images" / "100k" / "val" / "b.jpg"))
    box = PersonBox(50, 200, 159, 159, 0.75)
    alone = detector.pipeline(record)
    crops = task.pipeline(cfg, options, None)(replace(record, extra=(box,)))
    passes: list[Any] = []

    def read_and_remove(path: str) -> np.ndarray:
        pixels = read_picture(path)
        Path(path).unlink()
        return pixels

    def note(_module: nn.Module, _inputs: Any, given: dict[str, Any]) -> None:
        passes.append(given["img"])

    monkeypatch.setattr(visualization, "read_picture", read_and_remove)
    predictor.network.register_forward_pre_hook(note, with_kwargs=True)
    sample = predictor.pipeline(record)
    assert isinstance(sample, Unsearched)
    assert torch.equal(sample.sample["img"][0], alone["img"][0])
    batch = predictor.pipeline.collate([sample, sample])
    with torch.inference_mode():
        results = predictor.forward(to_device(batch, predictor.device))
    assert [poses.boxes for poses in results] == [(box,), (box,)]
    # Both people in one pass, and cut out of the same pixels.
    (images,) = passes
    assert torch.equal(images, torch.cat([crops.images] * 2))


def test_the_training_data_set_validates_on_a_det_json(tmp_path: Path) -> None:
    task, cfg = make_task(tmp_path)
    task.register()
    keypoints = true_keypoints()
    boxes = write_boxes(tmp_path / "det.json", keypoints, score=0.25)
    data = cfg.data.val
    data.data_cfg.bbox_file = str(boxes)
    data.img_prefix = data.img_prefix.rstrip("/")
    dataset = task.build_dataset(data, {"test_mode": True})
    assert [sample["bbox_score"] for sample in dataset.db] == [0.25] * 5
    assert dataset.db[0]["bbox"] == list(box_of(keypoints["b.jpg"][0]))
    results = []
    for sample, person in zip(dataset.db, np.concatenate(list(keypoints.values())), strict=True):
        box = [[0.0, 0.0, 1.0, 1.0, 40_000.0, 0.25]]
        results.append(
            {
                "preds": person[None],
                "boxes": np.array(box),
                "image_paths": [sample["image_file"]],
                "bbox_ids": [sample["bbox_id"]],
            }
        )
    assert dataset.evaluate(results)["AP"] == pytest.approx(1.0)


def test_the_training_data_set_without_a_det_json_uses_annotated_boxes(tmp_path: Path) -> None:
    task, cfg = make_task(tmp_path)
    task.register()
    dataset = task.build_dataset(cfg.data.val, {"test_mode": True})
    assert [sample["bbox_score"] for sample in dataset.db] == [1] * 5


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--boxes", "a.json", "--detector", "x"], "--boxes and --detector exclude each other"),
        (["--boxes", "a.json"], "--boxes a.json: no such file"),
        (["--detector-checkpoint", "a.pth"], "--detector-checkpoint needs --detector CONFIG"),
    ],
)
def test_options_that_do_not_fit(tmp_path: Path, argv: list[str], message: str) -> None:
    task, _ = make_task(tmp_path)
    with pytest.raises(UserError, match=message):
        options_of(task, *argv)


def test_boxes_of_other_images(tmp_path: Path) -> None:
    task, cfg = make_task(tmp_path)
    path = write_boxes(tmp_path / "det.json", {"z.jpg": true_keypoints()["b.jpg"]})
    options = task.settle(options_of(task, "--boxes", str(path)), cfg, split="val", images=False)
    with pytest.raises(UserError, match=r"has none of the 3 images, first 'b\.jpg'; run det"):
        task.records(cfg, options)


def test_a_detector_of_another_task(tmp_path: Path) -> None:
    weights = tmp_path / "pose.pth"
    weights.write_bytes(b"weights")
    with pytest.raises(UserError, match="is a model for pose, not for det"):
        Predictor(CONFIG, weights, device="cpu", detector=CONFIG)


def test_a_detector_without_weights(tmp_path: Path) -> None:
    weights = tmp_path / "pose.pth"
    weights.write_bytes(b"weights")
    missing = str(tmp_path / "missing.pth")
    with pytest.raises(UserError, match="that finds the people has no weights: no checkpoint at"):
        Predictor(
            CONFIG,
            weights,
            device="cpu",
            detector=DEFAULT_DETECTOR,
            detector_checkpoint=missing,
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data.test.data_cfg.soft_nms": True}, "soft_nms is not supported"),
        ({"data.test.dataset_info": None}, "data.test has no dataset_info"),
    ],
)
def test_a_config_that_does_not_fit(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    task, _ = make_task(tmp_path)
    cfg = load_config(CONFIG, data_root=tmp_path, options=change)
    with pytest.raises(UserError, match=message):
        task.pipeline(cfg, task.options(), None)
    with pytest.raises(UserError, match=message):
        task.converter(cfg, task.options(), task.classes)
