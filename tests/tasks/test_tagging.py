"""tagging: true tags come out as files that the evaluators find perfect."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from bdd100k_models import load_config
from bdd100k_models.engine.model import name_classes
from bdd100k_models.errors import UserError
from bdd100k_models.files import write_json
from bdd100k_models.tasks import get_task, task_of
from bdd100k_models.tasks.base import ImageRecord
from bdd100k_models.tasks.tagging import TaggingConverter, TaggingTask
from bdd100k_models.zoo import classes

WEATHER = "resnet18_5x_224x224_weather_tag_bdd100k"
SCENE = "dla34_5x_224x224_scene_tag_bdd100k"
#: Not in alphabetical order, and every weather and scene occurs.
NAMES = [f"{(3 * i) % 7}.jpg" for i in range(7)]
TAGS = {
    name: {"weather": classes.WEATHER[i], "scene": classes.SCENE[-i], "timeofday": "night"}
    for i, name in enumerate(NAMES)
}


class Oracle(nn.Module):
    """Gives the scores that it was told for a picture, called as MMClassification's models are."""

    def __init__(self, scores: dict[str, np.ndarray]) -> None:
        super().__init__()
        self.scores = scores

    def forward(
        self, img: torch.Tensor, img_metas: list[dict[str, Any]], return_loss: bool
    ) -> list[np.ndarray]:
        assert not return_loss
        assert img.shape == (len(img_metas), 3, 224, 224)
        return [self.scores[Path(meta["filename"]).name] for meta in img_metas]


def scores_for(attribute: str, order: tuple[str, ...], right: float = 0.5) -> dict[str, np.ndarray]:
    """Class scores with ``right`` for the true class, the rest shared by the others."""
    scores = {}
    for name, tags in TAGS.items():
        scores[name] = np.full(7, (1 - right) / 6, np.float32)
        scores[name][order.index(tags[attribute])] = right
    return scores


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Pictures and det_20 labels of a validation split."""
    images = tmp_path / "data" / "images" / "100k" / "val"
    labels = tmp_path / "data" / "labels" / "det_20" / "det_val.json"
    images.mkdir(parents=True)
    labels.parent.mkdir(parents=True)
    for name in NAMES:
        Image.fromarray(np.zeros((360, 640, 3), np.uint8)).save(images / name)
    frames = [{"name": name, "attributes": tags, "labels": []} for name, tags in TAGS.items()]
    labels.write_text(json.dumps(frames))
    return tmp_path / "data"


def tagging_task(config: str, root: Path | None = None) -> tuple[TaggingTask, Any]:
    cfg = load_config(config, data_root=root)
    task = get_task("tagging")
    assert isinstance(task, TaggingTask)
    task.register()
    return task, cfg


def tagging_converter(
    task: TaggingTask, cfg: Any, names: tuple[str, ...] | None = None
) -> TaggingConverter:
    converter = task.converter(cfg, task.options(), names or task.class_names(cfg))
    assert isinstance(converter, TaggingConverter)
    return converter


def read(path: Path) -> Any:
    return json.loads(path.read_text())


@pytest.mark.parametrize(("config", "attribute"), [(WEATHER, "weather"), (SCENE, "scene")])
def test_truth_scores_perfectly(
    root: Path, tmp_path: Path, run_task: Any, config: str, attribute: str
) -> None:
    task, cfg = tagging_task(config, root)
    converter = tagging_converter(task, cfg)
    assert converter.attribute == attribute
    out = run_task(task, cfg, Oracle(scores_for(attribute, converter.classes)))

    settings = tmp_path / "config.json"
    values = [{"name": value} for value in converter.classes]
    settings.write_text(json.dumps({"categories": [{"name": attribute, "subcategories": values}]}))
    truth = root / "labels" / "det_20" / "det_val.json"
    command = [sys.executable, "-m", "scalabel.eval.tagging", "--gt", str(truth)]
    command += ["--result", str(out / "tagging.json"), "--config", str(settings)]
    command += ["--out-file", str(tmp_path / "official.json"), "--nproc", "1"]
    subprocess.run(command, check=True, capture_output=True)
    official = json.loads(read(tmp_path / "official.json"))  # a JSON text within a JSON text
    for metric in ("precision", "recall", "f1_score", "accuracy"):
        assert official[metric][-1] == {"AVERAGE": 100.0}

    assert task.evaluate(converter, out, root, "val", None, 1).summary["accuracy"] == 100.0
    assert read(out / "results.json") == {
        "images": 7,
        "accuracy_top-1": 100.0,
        "accuracy_top-5": 100.0,
        "precision": 100.0,
        "recall": 100.0,
        "f1_score": 100.0,
    }


def test_exact_files(root: Path, run_task: Any) -> None:
    task, cfg = tagging_task(WEATHER, root)
    scores = scores_for("weather", classes.WEATHER, right=0.25)
    out = run_task(task, cfg, Oracle(scores))
    assert read(out / "tagging.json") == {
        "frames": [
            {"name": name, "attributes": {"weather": TAGS[name]["weather"]}, "labels": []}
            for name in NAMES
        ]
    }
    preds = read(out / "preds.json")
    assert sorted(preds) == ["class_scores", "pred_class", "pred_label", "pred_score"]
    assert preds["class_scores"] == [scores[name].tolist() for name in NAMES]
    assert preds["pred_score"] == [0.25] * 7
    assert preds["pred_label"] == list(range(7))
    assert preds["pred_class"] == list(classes.WEATHER)
    assert sorted(path.name for path in out.iterdir()) == [
        "preds.json",
        "results.json",
        "tagging.json",
    ]


def test_scores_are_those_of_mmcls(root: Path, run_task: Any) -> None:
    random = np.random.default_rng(5)
    scores = {name: random.dirichlet(np.ones(7)).astype(np.float32) for name in NAMES}
    task, cfg = tagging_task(WEATHER, root)
    out = run_task(task, cfg, Oracle(scores))
    metrics = ["accuracy", "precision", "recall", "f1_score"]
    dataset = task.build_dataset(cfg.data.val)
    theirs = dataset.evaluate([scores[name] for name in NAMES], metrics)
    ours = read(out / "results.json")
    assert ours.pop("images") == 7
    assert 0 < ours["accuracy_top-1"] < 100
    assert ours == pytest.approx({key: float(value) for key, value in theirs.items()}, rel=1e-5)


def test_the_checkpoint_tells_the_order_of_the_classes(root: Path, run_task: Any) -> None:
    task, cfg = tagging_task(WEATHER, root)
    order = tuple(sorted(classes.WEATHER))
    out = run_task(task, cfg, Oracle(scores_for("weather", order)), classes=order)
    found = {f["name"]: f["attributes"]["weather"] for f in read(out / "tagging.json")["frames"]}
    assert found == {name: tags["weather"] for name, tags in TAGS.items()}
    assert read(out / "preds.json")["pred_label"][0] == order.index("rainy")
    assert read(out / "results.json")["accuracy_top-1"] == 100.0


def test_the_checkpoint_must_know_the_tags_of_the_config() -> None:
    task, cfg = tagging_task(WEATHER)
    meta = {"CLASSES": classes.SCENE}
    with pytest.raises(
        UserError, match=r"predicts scene \(tunnel, .* the config weather \(rainy, "
    ):
        name_classes(task, cfg, nn.Module(), meta, print)


def test_without_known_tags_there_are_no_scores(
    root: Path, run_task: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "labels" / "det_20" / "det_val.json").unlink()
    task, cfg = tagging_task(WEATHER, root)
    out = run_task(task, cfg, Oracle(scores_for("weather", classes.WEATHER)))
    assert read(out / "results.json") == {"images": 0}
    # The order is that of the folder now.
    assert [f["name"] for f in read(out / "tagging.json")["frames"]] == sorted(NAMES)
    assert "weather of" not in capsys.readouterr().out


def test_own_pictures_with_names_of_the_dataset_are_not_scored(root: Path, tmp_path: Path) -> None:
    task, cfg = tagging_task(WEATHER, root)
    mine = tmp_path / "mine"
    (root / "images" / "100k" / "val").rename(mine)
    records = task.records(cfg, images=str(mine))
    assert [record.name for record in records] == sorted(NAMES)
    rows = scores_for("weather", classes.WEATHER)
    converter = tagging_converter(task, cfg)
    write_json(
        tmp_path / "preds.json",
        [converter(rows[record.name], record).entries["preds"] for record in records],
    )
    converter.finish(records, tmp_path)
    assert read(tmp_path / "results.json") == {"images": 0}


def test_labels_of_2018(root: Path) -> None:
    new = root / "labels" / "det_20" / "det_val.json"
    old = root / "labels" / "bdd100k_labels_images_val.json"
    new.rename(old)
    task, cfg = tagging_task(SCENE, root)
    assert [record.name for record in task.records(cfg)] == NAMES
    dataset = task.build_dataset(cfg.data.val)
    assert [dataset.CLASSES[label] for label in dataset.get_gt_labels()] == [
        TAGS[name]["scene"] for name in NAMES
    ]


def test_training_samples(root: Path) -> None:
    frames: list[dict[str, Any]] = [{"name": n, "attributes": t} for n, t in TAGS.items()]
    frames[1]["attributes"] = None
    frames[2]["attributes"] = {"weather": "hail"}
    labels = root / "labels" / "det_20" / "det_val.json"
    labels.write_text(json.dumps({"frames": frames}))
    task, cfg = tagging_task(WEATHER, root)
    data = dict(cfg.data.val, pipeline=cfg.data.train.pipeline, test_mode=False)
    dataset = task.build_dataset(data)
    kept = [name for i, name in enumerate(NAMES) if i not in (1, 2)]
    assert [info["img_info"]["filename"] for info in dataset.data_infos] == kept
    sample = dataset[1]
    assert sample["img"].shape == (3, 224, 224)
    assert int(sample["gt_label"]) == classes.WEATHER.index(TAGS[kept[1]]["weather"])


def test_task_of_a_config() -> None:
    cfg = load_config(SCENE)
    task = task_of(cfg)
    assert isinstance(task, TaggingTask)
    converter = tagging_converter(task, cfg)
    assert (converter.attribute, converter.classes) == ("scene", classes.SCENE)


def test_config_of_another_task() -> None:
    with pytest.raises(UserError, match="'BDD100KDetDataset'; tagging takes BDD100KWeather"):
        get_task("tagging").class_names(load_config("faster_rcnn_r50_fpn_1x_det_bdd100k"))


def test_scores_that_are_not_numbers() -> None:
    task, cfg = tagging_task(WEATHER)
    convert = tagging_converter(task, cfg)
    with pytest.raises(ValueError, match="finite"):
        convert(np.full(7, np.nan), ImageRecord(0, "x.jpg", "/x.jpg"))


def test_own_classes_name_the_results() -> None:
    task, cfg = tagging_task(WEATHER)
    convert = tagging_converter(task, cfg, ("hail", "sunshine"))
    entries = convert(np.array([0.25, 0.75], np.float32), ImageRecord(0, "x.jpg", "/x.jpg")).entries
    assert entries["tagging"]["attributes"] == {"weather": "sunshine"}
    assert entries["preds"] == {
        "class_scores": [0.25, 0.75],
        "pred_score": 0.75,
        "pred_label": 1,
        "pred_class": "sunshine",
    }


def test_nothing(root: Path, tmp_path: Path) -> None:
    task, cfg = tagging_task(WEATHER, root)
    converter = tagging_converter(task, cfg)
    records = task.records(cfg)
    nothing = converter.nothing(records[0], 720, 1280)
    assert nothing.pictures == {}
    assert nothing.entries["tagging"] == {"name": records[0].name, "attributes": {}, "labels": []}
    rows = scores_for("weather", classes.WEATHER)
    others = [converter(rows[record.name], record).entries["preds"] for record in records[1:]]
    write_json(tmp_path / "preds.json", [nothing.entries["preds"], *others])
    converter.finish(records, tmp_path)
    preds = read(tmp_path / "preds.json")
    assert {key: column[0] for key, column in preds.items()} == {
        "class_scores": None,
        "pred_score": None,
        "pred_label": None,
        "pred_class": None,
    }
    assert preds["pred_class"][1:] == [TAGS[record.name]["weather"] for record in records[1:]]
    assert read(tmp_path / "results.json")["images"] == 6


def test_arrays() -> None:
    task, cfg = tagging_task(WEATHER)
    scores = np.array([0.125, 0.5, 0, 0, 0.25, 0.125, 0], np.float32)
    found = tagging_converter(task, cfg).arrays(scores)
    assert {name: array.dtype for name, array in found.items()} == {
        "scores": np.float32,
        "classes": np.int64,
    }
    assert found["scores"].tolist() == scores.tolist()
    assert found["classes"].tolist() == [1]
