"""What a model with the weights of others gives is what their own model gives, renamed.

The other side of each comparison is the model that an OpenMMLab package builds from its own config,
with its own test pipeline, and the class tables of the catalogue applied by hand.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmcv import Config
from torch import nn

from bdd100k_models import Predictor, build_model, load_config
from bdd100k_models.cli import evaluate, pack_submission
from bdd100k_models.cli.test import main
from bdd100k_models.engine.model import build_network
from bdd100k_models.errors import UserError
from bdd100k_models.evaluation.predictions import whose
from bdd100k_models.files import REPOSITORY
from bdd100k_models.tasks import get_task
from bdd100k_models.tasks.base import ImageRecord, StepsPipeline
from bdd100k_models.tasks.zero_shot import ZeroShot
from bdd100k_models.weights import STORE_VARIABLE, store
from bdd100k_models.zoo import catalogue, classes
from bdd100k_models.zoo.catalogue import PublishedModel
from bdd100k_models.zoo.public import PublicSource
from tests.upstream import config_of, network_of, publish

#: Pixels of the pictures, width and height.
SIZE = (160, 96)

#: An eighth of the channels of a ResNet, in the two configs alike: a test takes a second.
_FPN = {"model.backbone.base_channels": 8, "model.neck.in_channels": [32, 64, 128, 256]}
#: More boxes: of the kept classes some are among the best.
_MANY = {"model.test_cfg.rcnn.max_per_img": 1000, "model.test_cfg.rcnn.score_thr": 0.015}
_BOX = {"model.roi_head.bbox_head.fc_out_channels": 64, **_MANY}
_STAGES = {f"model.roi_head.bbox_head.{i}.fc_out_channels": 64 for i in range(3)} | _MANY
_DYNAMIC = {f"model.roi_head.bbox_head.{i}.dynamic_conv_cfg.feat_channels": 8 for i in range(6)} | {
    "model.test_cfg.rcnn.max_per_img": 2000
}
_SEG = {
    "model.backbone.base_channels": 8,
    "model.backbone.stem_channels": 8,
    "model.decode_head.in_channels": 256,
    "model.decode_head.channels": 64,
    "model.auxiliary_head.in_channels": 128,
}


@dataclass
class Served:
    """A source on a loopback server, and the network that it holds.

    Attributes:
        model: the entry of the catalogue, with the server in the place of the source's host.
        cfg: the config of the source.
        network: its network.
    """

    model: PublishedModel
    cfg: Config
    network: nn.Module

    @property
    def source(self) -> PublicSource:
        assert self.model.public is not None
        return self.model.public

    def rows(self) -> dict[str, tuple[int, ...]]:
        """Class of the task -> positions in the source."""
        known = self.source.classes(self.model.task)
        assert known is not None
        return dict(zip(known.target, known.rows, strict=True))

    @torch.no_grad()
    def results(self, path: Path, **extra: Any) -> Any:
        """What the source's own network says of a picture, through its own pipeline."""
        from mmdet.datasets.pipelines import Compose as ComposeDetection
        from mmseg.datasets.pipelines import Compose as ComposeSegmentation

        seg = self.model.task in ("sem_seg", "drivable")
        compose = ComposeSegmentation if seg else ComposeDetection
        steps = self.cfg.data.test.pipeline
        steps[1]["img_scale"] = SIZE
        pipeline = StepsPipeline(steps, compose, {"seg_fields": []} if seg else None)
        batch = pipeline.collate([pipeline(ImageRecord(0, path.name, str(path)))])
        (result,) = self.network(return_loss=False, rescale=True, **batch)
        return result


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    rng = np.random.default_rng(5)
    coarse = rng.integers(0, 256, (6, 10, 3), dtype=np.uint8)
    path = tmp_path / "street.png"
    cv2.imwrite(str(path), cv2.resize(coarse, SIZE, interpolation=cv2.INTER_CUBIC))
    return path


@pytest.fixture
def serve(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Served]:
    """``serve(name, options, gain)``: the model's source, made here, on the server."""
    monkeypatch.setenv(STORE_VARIABLE, str(tmp_path / "store"))

    def make(name: str, options: dict[str, Any], gain: float = 1.0, **meta: Any) -> Served:
        model = catalogue.find(name)
        assert model.public is not None
        cfg = config_of(model.public, options)
        network = network_of(model.task, cfg, gain)
        _favour(network, model)
        path = publish(network, model.public, server.root, **meta)
        digits = path.name.replace(model.public.filename.split(model.public.sha256 or "?")[0], "")
        source = replace(model.public, urls=(f"{server.url}/{path.name}",), sha256=digits[:8])
        model = replace(model, public=source)
        monkeypatch.setattr(store, "published_model", lambda _: model)
        return Served(model, cfg, network)

    return make


@torch.no_grad()
def _favour(network: nn.Module, model: PublishedModel) -> None:
    """Raise the scores of the classes that are kept: of eighty random ones few would be seen."""
    known = model.public.classes(model.task) if model.public else None
    assert known is not None
    kept = [row for rows in known.rows for row in rows]
    for name, value in network.state_dict().items():
        if name.endswith("fc_cls.bias"):
            value[[row for row in kept if row < len(value) - 1]] += 2
        elif name == "semantic_head.conv_logits.bias":
            value[[row - 80 for row in kept if row >= 80]] += 10


def predict(name: str, options: dict[str, Any], picture: Path, **others: Any) -> Any:
    """The one result of the model with public weights, and the predictor."""
    scale = {} if "pose" in name else {"data.test.pipeline.1.img_scale": SIZE}
    predictor = Predictor(
        name, "public", device="cpu", cfg_options={**options, **scale}, precision="fp32", **others
    )
    (result,) = predictor(picture)
    return result, predictor


def same_boxes(found: np.ndarray, scores: np.ndarray, wanted: np.ndarray) -> None:
    """``found`` (N, 4) and ``scores`` (N,) are the (N, 5) ``wanted``, in this order."""
    np.testing.assert_allclose(found, wanted[:, :4], atol=0.01)
    np.testing.assert_allclose(scores, wanted[:, 4], atol=1e-5)


DETECTORS = {
    "faster_rcnn_r50_fpn_1x": ({**_FPN, **_BOX}, 0.5),
    "cascade_rcnn_r50_fpn_1x": ({**_FPN, **_STAGES}, 0.5),
    "retinanet_r50_fpn_1x": (_FPN, 1.0),
    "atss_r50_fpn_1x": (_FPN, 1.0),
    "fcos_tricks_r50_fpn_1x": (_FPN, 1.0),
    "sparse_rcnn_r50_fpn_1x": ({**_FPN, **_DYNAMIC}, 1.0),
    "faster_rcnn_swin-t_fpn_1x": (_BOX, 0.5),
}


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=[pytest.mark.slow] if "swin" in kind else []) for kind in DETECTORS],
)
def test_boxes_are_those_of_the_source(
    kind: str, serve: Callable[..., Served], picture: Path
) -> None:
    options, gain = DETECTORS[kind]
    name = f"{kind}_det_bdd100k"
    served = serve(name, options, gain)
    result, predictor = predict(name, options, picture)
    boxes = served.results(picture)
    if isinstance(boxes, tuple):  # a Mask R-CNN in the place of a Faster R-CNN
        boxes = boxes[0]
    found = result.arrays
    total = 0
    for index, rows in enumerate(served.rows().values()):
        of_class = found["classes"] == index
        wanted = np.concatenate([np.zeros((0, 5)), *(boxes[row] for row in rows)])
        same_boxes(found["boxes"][of_class], found["scores"][of_class], wanted)
        total += len(wanted)
    assert total == len(found["boxes"]) > 0
    assert sum(map(len, boxes)) > total  # others there were, and they are gone
    assert predictor.classes == classes.DET
    assert len(predictor.network.CLASSES) == 80


_MASK = {"model.roi_head.mask_head.num_convs": 1, "model.test_cfg.rcnn.max_per_img": 100}
INSTANCES = {
    "mask_rcnn_r50_fpn_1x": ({**_FPN, **_BOX, **_MASK}, 0.5),
    "mask_rcnn_r101_fpn_3x": (
        {**_FPN, **_BOX, **_MASK, "model.backbone.depth": 50},
        0.5,
    ),
}


@pytest.mark.parametrize("kind", INSTANCES)
def test_masks_are_those_of_the_source(
    kind: str, serve: Callable[..., Served], picture: Path
) -> None:
    options, gain = INSTANCES[kind]
    name = f"{kind}_ins_seg_bdd100k"
    served = serve(name, options, gain)
    found = predict(name, options, picture)[0].arrays
    boxes, masks = served.results(picture)
    assert len(found["boxes"]) > 0
    for index, rows in enumerate(served.rows().values()):
        of_class = found["classes"] == index
        wanted = np.concatenate([np.zeros((0, 5)), *(boxes[row] for row in rows)])
        same_boxes(found["boxes"][of_class], found["scores"][of_class], wanted)
        flat = [mask for row in rows for mask in masks[row]]
        others = found["masks"][of_class] != np.array(flat).reshape(-1, SIZE[1], SIZE[0])
        # Random masks cross the threshold at every other pixel, some within rounding.
        assert np.count_nonzero(others) <= 1e-5 * others.size


#: Model, and what makes it small.
MAPS: dict[str, dict[str, Any]] = {
    "fcn_r50-d8_512x1024_40k_sem_seg": _SEG,
    "fcn_r50-d8_769x769_40k_sem_seg": _SEG,
    "pointrend_r50_512x1024_40k_sem_seg": {
        "model.backbone.base_channels": 8,
        "model.backbone.stem_channels": 8,
        "model.neck.in_channels": [32, 64, 128, 256],
    },
    "upernet_deit-s_512x1024_80k_sem_seg": {
        "model.decode_head.channels": 64,
        "model.backbone.num_layers": 12,
    },
    "upernet_convnext-t_fp16_512x1024_40k_sem_seg": {"model.decode_head.channels": 64},
    "danet_r50-d8_512x1024_40k_drivable": _SEG,
    "upernet_swin-t_512x1024_40k_drivable": {"model.decode_head.channels": 64},
}


@pytest.mark.parametrize("kind", MAPS)
def test_maps_are_those_of_the_source(
    kind: str, serve: Callable[..., Served], picture: Path
) -> None:
    name = f"{kind}_bdd100k"
    served = serve(name, MAPS[kind])
    found = predict(name, MAPS[kind], picture)[0].arrays["class_map"]
    theirs = np.asarray(served.results(picture))
    wanted = np.full(theirs.shape, 255, np.uint8)
    if served.model.task == "drivable":
        known = served.source.classes("drivable")
        assert known is not None
        wanted = np.where(theirs == known.source.index("road"), 0, 1)
    else:
        for index, rows in enumerate(served.rows().values()):
            wanted[np.isin(theirs, rows)] = index
    assert len(np.unique(theirs)) > 3
    np.testing.assert_array_equal(found, wanted)


def test_things_and_stuff_are_those_of_the_source(
    serve: Callable[..., Served], picture: Path
) -> None:
    name = "panoptic_fpn_r50_fpn_1x_pan_seg_bdd100k"
    options = {**_FPN, **_BOX, **_MASK, "model.test_cfg.panoptic.mask_overlap": 0.95}
    served = serve(name, options, 0.5)
    found = predict(name, options, picture)[0].arrays
    theirs = served.results(picture)["pan_results"]
    wanted = np.full(theirs.shape, 40)
    for index, rows in enumerate(served.rows().values()):
        wanted[np.isin(theirs % 1000, rows)] = index
    # Two kinds of stuff may be equal within rounding.
    assert np.count_nonzero(found["class_map"] != wanted) <= 2
    instances = np.where(wanted == 40, 0, theirs // 1000)
    assert np.count_nonzero(found["instance_map"] != instances) <= 2
    assert (wanted == 40).any() and (wanted < 10).any() and ((wanted >= 10) & (wanted < 40)).any()


#: What makes the networks small; the sizes and codings differ from those of the models here.
POSES: dict[str, dict[str, Any]] = {
    "res50_256x192_1x": {
        "model.backbone.base_channels": 8,
        "model.keypoint_head.in_channels": 256,
        "model.keypoint_head.num_deconv_filters": [32, 32, 32],
    },
    "mobilenetv2_dark_320x256_1x": {"model.keypoint_head.num_deconv_filters": [32, 32, 32]},
    "res50_udp_320x256_1x": {
        "model.backbone.base_channels": 8,
        "model.keypoint_head.in_channels": 256,
        "model.keypoint_head.num_deconv_filters": [32, 32, 32],
    },
}
PEOPLE = ((20.0, 10.0, 60.0, 90.0), (70.0, 20.0, 130.0, 80.0))


@pytest.fixture
def boxes_file(picture: Path, tmp_path: Path) -> Path:
    """Two people in the picture, as ``det/test.py`` writes them."""
    labels = [
        {
            "id": str(number),
            "category": "pedestrian",
            "score": 0.9,
            "box2d": dict(zip(("x1", "y1", "x2", "y2"), box, strict=True)),
        }
        for number, box in enumerate(PEOPLE)
    ]
    path = tmp_path / "det.json"
    path.write_text(json.dumps({"frames": [{"name": picture.name, "labels": labels}]}))
    return path


@torch.no_grad()
def their_keypoints(served: Served, picture: Path) -> np.ndarray:
    """(P, 17, 3) of the source's own network through its own pipeline."""
    from mmpose.datasets import DatasetInfo
    from mmpose.datasets.pipelines import Compose

    data = served.cfg.data.test
    base = Config.fromfile(str(_data_sets() / "coco.py"))
    info = DatasetInfo(base.dataset_info)
    compose = Compose(data.pipeline)
    samples = []
    for number, (x1, y1, x2, y2) in enumerate(PEOPLE):
        samples.append(
            compose(
                {
                    "image_file": str(picture),
                    "bbox": [x1, y1, x2 - x1 + 1, y2 - y1 + 1],  # as Scalabel counts pixels
                    "bbox_score": 0.9,
                    "bbox_id": number,
                    "rotation": 0,
                    "joints_3d": np.zeros((17, 3), np.float32),
                    "joints_3d_visible": np.zeros((17, 3), np.float32),
                    "ann_info": {
                        "image_size": np.array(data.data_cfg.image_size),
                        "num_joints": 17,
                        "flip_pairs": info.flip_pairs,
                    },
                }
            )
        )
    images = torch.stack([sample["img"] for sample in samples])
    metas = [sample["img_metas"].data for sample in samples]
    preds: np.ndarray = served.network(img=images, img_metas=metas, return_loss=False)["preds"]
    return preds


def _data_sets() -> Path:
    import mmpose

    return Path(str(mmpose.__file__)).parent / ".mim" / "configs" / "_base_" / "datasets"


@pytest.mark.parametrize("kind", POSES)
def test_joints_are_those_of_the_source(
    kind: str, serve: Callable[..., Served], picture: Path, boxes_file: Path
) -> None:
    name = f"{kind}_pose_bdd100k"
    served = serve(name, POSES[kind])
    result, predictor = predict(name, POSES[kind], picture, boxes=str(boxes_file))
    theirs = their_keypoints(served, picture)
    found = result.arrays["keypoints"]
    order = [np.abs(result.arrays["boxes"] - box).sum(axis=1).argmin() for box in PEOPLE]
    assert found.shape == (2, 18, 3) and sorted(order) == [0, 1]
    for joint, rows in enumerate(served.rows().values()):
        if rows:
            wanted = theirs[:, rows[0]]
            np.testing.assert_allclose(found[order, joint, :2], wanted[:, :2], atol=0.01)
            np.testing.assert_allclose(found[order, joint, 2], wanted[:, 2], rtol=1e-5, atol=1e-5)
        else:
            assert not found[:, joint].any()
    assert predictor.classes == ("pedestrian",)
    assert "no source for neck, right_hand, left_hand, right_foot, left_foot" in (
        predictor.public.line() if predictor.public else ""
    )
    nodes = result.frame["labels"][0]["graph"]["nodes"]
    assert [n["category"] for n in nodes if n["score"] == 0 and n["location"] == [0, 0]] == [
        name for name, rows in served.rows().items() if not rows
    ]


def shapes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in network.state_dict().items()}


@pytest.fixture
def no_initialisation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave parameters as allocated: only names and shapes count."""
    for name in dir(torch.nn.init):
        if name.endswith("_") and not name.startswith("_"):
            monkeypatch.setattr(torch.nn.init, name, lambda tensor, *args, **kwargs: tensor)


def runnable() -> list[str]:
    """The models that run with public weights."""
    models = (catalogue.find(name) for name in catalogue.list_models())
    return [m.name for m in models if m.public is not None and m.public.runs(m.task)]


def one_of_each_method() -> list[Any]:
    """A model for each folder of configs that sources come from; the others in the slow tests."""
    seen, params = set(), []
    for name in runnable():
        source = catalogue.find(name).public
        assert source is not None
        method = source.config.rpartition("/")[0]
        params.append(pytest.param(name, marks=[pytest.mark.slow] if method in seen else []))
        seen.add(method)
    return params


@pytest.mark.usefixtures("no_initialisation")
@pytest.mark.parametrize("name", one_of_each_method())
def test_keys_shapes_and_settings_are_those_of_the_source(name: str) -> None:
    model, cfg = catalogue.find(name), load_config(name)
    assert model.public is not None
    upstream = config_of(model.public)
    own = ZeroShot.of(model).config(cfg)
    task = get_task(model.task)
    theirs = shapes(task.build_network(upstream.model))
    kept = {k: v for k, v in theirs.items() if not k.startswith(model.public.left_out)}
    assert shapes(build_network(task, own)) == kept
    assert len(kept) == len(theirs) or model.public.left_out
    assert settings(own) == settings(upstream)


#: What does not decide a result, or is the default where it is not said.
_ASIDE = {"img_scale", "target_type", "dataset_info", "ann_file", "img_prefix"}
_DEFAULTS = {
    ("channel_order", "rgb"),
    ("use_udp", False),
    ("to_float32", False),
    ("mask_thr_binary", 0.5),
}


def settings(cfg: Config) -> dict[str, Any]:
    """How a config tests: pipeline, thresholds, sizes."""
    data = cfg.data.test
    return {
        "test_cfg": _plain(cfg.model.get("test_cfg")),
        "pipeline": _plain(data.pipeline),
        **{
            key: _plain(data.get("data_cfg", {}).get(key)) for key in ("image_size", "heatmap_size")
        },
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _plain(item)
            for key, item in value.items()
            if key not in _ASIDE
            and not (isinstance(item, (str, float, int)) and (key, item) in _DEFAULTS)
        }
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


DET = "faster_rcnn_r50_fpn_1x_det_bdd100k"
ROAD = "fcn_r50-d8_769x769_40k_drivable_bdd100k"


def script(task: str, name: str, options: dict[str, Any], *argv: str) -> int:
    """``test.py`` of a task with public weights, in this process."""
    small = {"data.test.pipeline.1.img_scale": SIZE, **options}
    changes = [f"{key}={_written(value)}" for key, value in small.items()]
    argv = ("--checkpoint", "public", "--device", "cpu", "--workers", "0", *argv)
    return main(task, [name, *argv, "--cfg-options", *changes])


def _written(value: Any) -> str:
    return str(value).replace(" ", "")


def test_a_run_says_whose_weights_they_are_on_a_line_and_in_a_file(
    serve: Callable[..., Served],
    picture: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = {**_FPN, **_BOX}
    served = serve(DET, options, 0.5)
    out = tmp_path / "out"
    argv = ["--images", str(picture), "--format-dir", str(out)]
    assert script("det", DET, options, *argv) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if "public weights" in line]
    assert said == [
        f"public weights: {served.source.filename} of MMDetection, trained on COCO, box AP 40.3 "
        f"there; not the zoo's, scores are not those of the card of {DET}; no source for rider; "
        "near, not the same: pedestrian from person, traffic sign from stop sign"
    ]
    facts = json.loads((out / "public_weights.json").read_text())
    assert facts == ZeroShot.of(served.model).facts()  # as it is compared when a run is resumed
    assert facts["note"] == said[0]
    assert facts["urls"] == list(served.source.urls)
    assert facts["classes"]["pedestrian"] == ["person"] and facts["classes"]["rider"] == []
    (frame,) = json.loads((out / "det.json").read_text())["frames"]
    assert {label["category"] for label in frame["labels"]} <= set(classes.DET)
    assert whose("det", out) == whose("det", out / "det.json") == said[0]
    assert whose("det", tmp_path) is None
    store = tmp_path / "store"
    assert [path.name for path in store.rglob("*.pth")] == [served.source.filename]
    assert not (store / "det").exists()

    # The same folder with weights of one's own is no longer one of public weights.
    own = tmp_path / "own.pth"
    network = build_model(load_config(DET, options=options))
    torch.save({"state_dict": network.state_dict()}, own)
    changes = [f"{key}={_written(value)}" for key, value in options.items()]
    argv += ["--checkpoint", str(own), "--device", "cpu", "--workers", "0"]
    assert main("det", [DET, *argv, "--cfg-options", *changes]) == 0
    assert not (out / "public_weights.json").exists()


def test_roads_are_written_as_roads_and_never_scored(
    serve: Callable[..., Served],
    picture: Path,
    tmp_path: Path,
    mini_root: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    serve(ROAD, _SEG)
    out = tmp_path / "out"
    argv = ["--images", str(picture), "--format-dir", str(out), "--masks"]
    assert script("drivable", ROAD, _SEG, *argv) == 0
    assert sorted(path.name for path in out.iterdir() if path.suffix) == [
        "public_weights.json",
        "road.json",
    ]
    (frame,) = json.loads((out / "road.json").read_text())["frames"]
    assert {label["category"] for label in frame["labels"]} <= {"road", "background"}
    assert "drivable lanes it does not know" in capsys.readouterr().out
    mask = cv2.imread(str(out / "road_masks" / "street.png"), cv2.IMREAD_UNCHANGED)
    assert mask.shape == SIZE[::-1] and set(np.unique(mask)) <= {0, 1}
    for predictions in (out / "road.json", out / "road_masks"):
        with pytest.raises(UserError, match="holds roads that public weights found"):
            evaluate.main(["drivable", str(predictions), "--data-root", str(mini_root)])
    with pytest.raises(UserError, match="holds roads that public weights found"):
        pack_submission.main(["drivable", str(out)])
    argv = ["--eval", "--data-root", str(mini_root), "--format-dir", str(tmp_path / "scored")]
    assert script("drivable", ROAD, _SEG, *argv) == 2
    assert "finds roads, which are no drivable lanes" in capsys.readouterr().err
    assert not (tmp_path / "scored").exists()


def test_the_detector_of_poses_has_public_weights_too(
    serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, kind = "res50_256x192_1x_pose_bdd100k", "res50_256x192_1x"
    poses = serve(name, POSES[kind])
    detector = "retinanet_pvtv2-b0_fpn_1x_det_bdd100k"  # a small one
    people = serve(detector, {})
    entries = {model.model.name: model.model for model in (poses, people)}
    monkeypatch.setattr(store, "published_model", lambda path: entries[Path(path).stem])
    said: list[str] = []
    predictor = Predictor(
        name, "public", device="cpu", cfg_options=POSES[kind], detector=detector, report=said.append
    )
    assert predictor.detector is not None and predictor.detector.public is not None
    assert [line.split(" of ")[1][:7] for line in said if "public weights" in line] == [
        "MMDetec",
        "MMPose,",
    ]


def test_build_model_gives_the_network_of_the_source(serve: Callable[..., Served]) -> None:
    served = serve(ROAD, _SEG)
    network: Any = build_model(load_config(ROAD, options=_SEG), checkpoint="public")
    assert network.CLASSES == classes.SEM_SEG
    own = network.state_dict()
    assert own.keys() == served.network.state_dict().keys()
    assert all(torch.equal(own[key], value) for key, value in served.network.state_dict().items())


def test_classes_go_by_the_names_in_the_file(serve: Callable[..., Served], picture: Path) -> None:
    """A file that says another order of the classes of its data set is believed."""
    order = (*classes.SEM_SEG[1:], classes.SEM_SEG[0])
    name = "fcn_r50-d8_512x1024_40k_sem_seg_bdd100k"
    served = serve(name, _SEG, CLASSES=order)
    theirs = np.asarray(served.results(picture))
    found = predict(name, _SEG, picture)[0].arrays["class_map"]
    np.testing.assert_array_equal(found, (theirs + 1) % 19)


class TestMistakes:
    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("vgg11_5x_224x224_scene_tag_bdd100k", "trained on ImageNet-1k.* fit the backbone and"),
            ("cascade_rcnn_swin-t_fpn_3x_det_bdd100k", "fit backbone and neck and can start a tr"),
            ("fpn_r50_gn_512x1024_40k_sem_seg_bdd100k", "load_from=public"),
        ],
    )
    def test_weights_that_only_start_a_training(self, name: str, message: str) -> None:
        with pytest.raises(UserError, match=message) as caught:
            Predictor(name, "public", device="cpu")
        assert "\n" not in str(caught.value)

    def test_a_model_without_any(self, monkeypatch: pytest.MonkeyPatch) -> None:
        bare = replace(catalogue.find(DET), public=None)
        monkeypatch.setattr(store, "published_model", lambda _: bare)
        with pytest.raises(UserError, match="no public weights are known that fit it"):
            Predictor(DET, "public", device="cpu")

    def test_a_config_of_ones_own(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.py"
        path.write_text(f'_base_ = "{REPOSITORY}/det/configs/det/{DET}.py"\n')
        with pytest.raises(UserError, match="not a published config, so no public weights"):
            Predictor(path, "public", device="cpu")

    def test_a_file_of_another_model_under_a_name_without_a_hash(
        self, serve: Callable[..., Served], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        served = serve(ROAD, _SEG)
        model = replace(catalogue.find(DET), public=replace(served.source, dataset="COCO"))
        monkeypatch.setattr(store, "published_model", lambda _: model)
        with pytest.raises(UserError, match="does not fit this model"):
            Predictor(DET, "public", device="cpu", cfg_options={**_FPN, **_BOX})
