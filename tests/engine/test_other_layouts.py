"""Files of other code bases, run: what comes out is what their own network gives."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.models import detection, resnet18
from torchvision.ops import FrozenBatchNorm2d

from bdd100k_models import Predictor, load_config, weights
from bdd100k_models.engine.model import build_network
from bdd100k_models.errors import UserError
from bdd100k_models.tasks import task_of
from bdd100k_models.weights.layouts import QDTRACK
from bdd100k_models.zoo import catalogue
from bdd100k_models.zoo.public_classes import COCO

HEIGHT, WIDTH = 192, 256
DET = "faster_rcnn_r50_fpn_1x_det_bdd100k"
INS_SEG = "mask_rcnn_r50_fpn_1x_ins_seg_bdd100k"
WEATHER = "resnet18_5x_224x224_weather_tag_bdd100k"
#: Pictures keep their size, as they do in torchvision's networks below.
SIZE = {"data.test.pipeline.1.img_scale": (WIDTH, HEIGHT)}


def picture(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Soft blobs, (H, W, 3) uint8 RGB."""
    coarse = np.random.default_rng(3).integers(0, 255, (9, 12, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def seed(network: nn.Module, gain: dict[str, float]) -> None:
    """Values that neither vanish nor explode; ``gain`` of tensors whose name holds its key."""
    generator = torch.Generator().manual_seed(5)
    for name, value in network.state_dict().items():
        if not value.dtype.is_floating_point:
            continue
        drawn = torch.randn(value.shape, generator=generator)
        if name.endswith("running_var"):
            value.copy_(1 + 0.1 * drawn.tanh())
        elif value.ndim >= 2:
            scale = (2 / value[0].numel()) ** 0.5
            value.copy_(drawn * scale * next((g for key, g in gain.items() if key in name), 1.0))
        elif name.endswith("weight"):
            value.copy_((0.3 if name.endswith("bn3.weight") else 0.9) + 0.05 * drawn)
        else:
            value.copy_(0.05 * drawn)


def torchvision_detector(*, masks: bool) -> Any:
    """With the frozen batch norm and the epsilon of torchvision's COCO weights."""
    backbone = detection.backbone_utils.resnet_fpn_backbone(
        backbone_name="resnet50", weights=None, norm_layer=FrozenBatchNorm2d
    )
    make = detection.MaskRCNN if masks else detection.FasterRCNN
    network = make(backbone, 91, min_size=HEIGHT, max_size=WIDTH).eval()
    detection._utils.overwrite_eps(network, 0.0)
    with torch.no_grad():
        # No score near 1, where order is a matter of rounding.
        seed(network, {"cls_score": 0.5, "bbox_pred": 0.05, "cls_logits": 0.05})
    return network


@torch.inference_mode()
def theirs(network: Any) -> dict[str, Tensor]:
    image = torch.from_numpy(picture().copy()).permute(2, 0, 1) / 255
    results: dict[str, Tensor] = network([image])[0]
    return results


#: COCO id of each class of det; rider has none.
IDS = {"pedestrian": 1, "car": 3, "truck": 8, "bus": 6, "train": 7, "motorcycle": 4, "bicycle": 2}
IDS |= {"traffic light": 10, "traffic sign": 13}


def compare(found: dict[str, np.ndarray], expected: dict[str, Tensor], names: Any) -> int:
    """Boxes within 0.01 px, scores within 1e-5; gives how many there are."""
    compared = 0
    for place, name in enumerate(names):
        mine = found["classes"] == place
        their = (expected["labels"] == IDS.get(name, -1)).numpy()
        assert mine.sum() == their.sum(), name
        boxes = expected["boxes"].numpy()[their]
        np.testing.assert_allclose(found["boxes"][mine], boxes, atol=0.01, rtol=0)
        scores = expected["scores"].numpy()[their]
        np.testing.assert_allclose(found["scores"][mine], scores, atol=1e-5, rtol=0)
        compared += int(mine.sum())
    return compared


def test_torchvision_faster_rcnn_gives_what_torchvision_does(tmp_path: Path) -> None:
    network = torchvision_detector(masks=False)
    torch.save(network.state_dict(), tmp_path / "tv.pth")
    said: list[str] = []
    predict = Predictor(
        DET, tmp_path / "tv.pth", device="cpu", cfg_options=SIZE, report=said.append
    )
    (result,) = predict(picture())
    assert compare(result.arrays, theirs(network), predict.classes) >= 5
    assert said[0].startswith("note: tv.pth: weights of torchvision's Faster R-CNN, ")
    assert said[-1] == (
        "tv.pth: weights of torchvision's Faster R-CNN, trained on COCO, run as there; scores are "
        f"not those of the card of {DET}; no source for rider; near, not the same: pedestrian from "
        "person, traffic sign from stop sign"
    )
    assert predict.public is not None
    assert predict.public.facts()["trained on"] == "COCO"


def test_torchvision_mask_rcnn_gives_what_torchvision_does(tmp_path: Path) -> None:
    network = torchvision_detector(masks=True)
    torch.save({"model": network.state_dict()}, tmp_path / "tv.pth")
    predict = Predictor(
        INS_SEG, tmp_path / "tv.pth", device="cpu", cfg_options=SIZE, report=lambda text: None
    )
    (result,) = predict(picture())
    expected = theirs(network)
    found = result.arrays
    assert compare(found, expected, predict.classes) >= 5
    for place, name in enumerate(predict.classes):
        mine = found["masks"][found["classes"] == place]
        their = expected["masks"][expected["labels"] == IDS.get(name, -1)][:, 0].numpy() >= 0.5
        # They are the same 28 x 28 numbers, which each enlarges in its own way.
        assert np.mean(mine != their) < 0.01 if len(mine) else True


def of_ours(name: str, count: int, gain: dict[str, float]) -> tuple[dict[str, Tensor], Any]:
    """State dict of a seeded network of the zoo that has ``count`` classes; and the network."""
    cfg = load_config(name, options={"model.roi_head.bbox_head.num_classes": count, **SIZE})
    network = build_network(task_of(cfg), cfg)
    with torch.no_grad():
        seed(network, gain)
    return network.state_dict(), cfg


GAIN = {"fc_cls": 4.0, "rpn_reg": 0.05, "fc_reg": 0.05, "rpn_cls": 2.0}


def test_qdtrack_gives_boxes_under_the_names_of_its_classes(tmp_path: Path) -> None:
    state, cfg = of_ours(DET, len(QDTRACK), GAIN)
    torch.save({"state_dict": state, "meta": {"CLASSES": QDTRACK}}, tmp_path / "plain.pth")
    tracker = {"roi_head.track_head.fc_embed.weight": torch.zeros(2, 2)}
    torch.save({"state_dict": state | tracker}, tmp_path / "qdtrack.pth")
    own = Predictor(cfg, tmp_path / "plain.pth", device="cpu", report=lambda text: None)
    said: list[str] = []
    predict = Predictor(
        DET, tmp_path / "qdtrack.pth", device="cpu", cfg_options=SIZE, report=said.append
    )
    (expected,), (result,) = own(picture()), predict(picture())
    assert predict.classes == tuple(load_config(DET).data.test.get("classes", predict.classes))
    for name in QDTRACK:
        their = expected.arrays["classes"] == QDTRACK.index(name)
        mine = result.arrays["classes"] == predict.classes.index(name)
        np.testing.assert_array_equal(result.arrays["boxes"][mine], expected.arrays["boxes"][their])
    assert len(result.arrays["boxes"]) == len(expected.arrays["boxes"]) > 5
    assert "without 1 that only that needs" in said[0]
    assert said[-1].endswith("no source for traffic light, traffic sign")


TAGS = ("clear", "foggy", "overcast", "partly cloudy", "rainy", "snowy", "unknown")


def timm_file(folder: Path, **facts: Any) -> tuple[Path, nn.Module]:
    network = resnet18(num_classes=7).eval()
    with torch.no_grad():
        seed(network, {})
    torch.save({"state_dict": network.state_dict(), **facts}, folder / "best.pt")
    return folder / "best.pt", network


def test_timm_tagging_is_squashed_and_named(tmp_path: Path) -> None:
    path, network = timm_file(tmp_path, class_names=list(TAGS), imgsz=224)
    predict = Predictor(WEATHER, path, device="cpu", report=lambda text: None)
    pixels = picture(360, 640)
    squashed = Image.fromarray(pixels).resize((224, 224), Image.Resampling.BILINEAR)
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    image = torch.from_numpy((np.asarray(squashed) / 255 - mean) / std).permute(2, 0, 1)
    with torch.inference_mode():
        expected = network(image.float()[None]).softmax(1)[0].numpy()
    (result,) = predict(pixels)
    order = [TAGS.index("unknown" if name == "undefined" else name) for name in predict.classes]
    np.testing.assert_allclose(result.arrays["scores"], expected[order], atol=1e-5)


def test_public_weights_of_tagging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(weights.STORE_VARIABLE, str(tmp_path / "store"))
    source = catalogue.find(WEATHER).public
    assert source is not None
    stored = weights.stored_public(source)
    stored.parent.mkdir(parents=True)
    path, _ = timm_file(tmp_path, class_names=list(TAGS), imgsz=224)
    path.rename(stored)
    said: list[str] = []
    predict = Predictor(WEATHER, "public", device="cpu", report=said.append)
    same = Predictor(WEATHER, stored, device="cpu", report=lambda text: None)
    (result,), (expected,) = predict(picture(360, 640)), same(picture(360, 640))
    np.testing.assert_array_equal(result.arrays["scores"], expected.arrays["scores"])
    assert result.frame["attributes"] == expected.frame["attributes"]
    assert said[-1].startswith("public weights: best.pt of dronefreak")
    assert predict.public is not None
    assert predict.public.facts()["classes"]["foggy"] == ["foggy"]


def test_classes_that_a_file_does_not_tell(tmp_path: Path) -> None:
    path, _ = timm_file(tmp_path)
    with pytest.raises(UserError, match="does not say what the rows of their class layer mean"):
        Predictor(WEATHER, path, device="cpu", report=lambda text: None)


def test_classes_of_another_task(tmp_path: Path) -> None:
    path, _ = timm_file(tmp_path, class_names=[f"{name} thing" for name in TAGS])
    with pytest.raises(UserError, match="none of them is a class of resnet18_5x_224x224_weather"):
        Predictor(WEATHER, path, device="cpu", report=lambda text: None)


def test_coco_names_are_mmdetections() -> None:
    names = detection.FasterRCNN_ResNet50_FPN_Weights.COCO_V1.meta["categories"]
    assert [names[number] for number in IDS.values()][-1] == "stop sign"
    assert [name for name in names[1:] if name != "N/A"] == list(COCO)


def test_a_model_of_vis4d_by_its_name(tmp_path: Path) -> None:
    """What Vis4D calls the parts of a Faster R-CNN, under the name that its zoo has for it."""
    state, cfg = of_ours(DET, 10, GAIN)
    torch.save({"state_dict": state}, tmp_path / "ours.pth")
    renames = [
        (r"^backbone\.", "model.basemodel."),
        (r"^neck\.lateral_convs\.(\d)\.conv\.", r"model.fpn.inner_blocks.\1.0."),
        (r"^neck\.fpn_convs\.(\d)\.conv\.", r"model.fpn.layer_blocks.\1.0."),
        (r"^rpn_head\.rpn_reg\.", "model.faster_rcnn_head.rpn_head.rpn_box."),
        (r"^rpn_head\.", "model.faster_rcnn_head.rpn_head."),
        (r"^roi_head\.bbox_head\.", "model.faster_rcnn_head.roi_head."),
    ]
    theirs = {}
    for key, value in state.items():
        for pattern, new in renames:
            key = re.sub(pattern, new, key)
        theirs[key] = value
    torch.save({"state_dict": theirs, "epoch": 3}, tmp_path / "last.ckpt")
    said: list[str] = []
    name = "faster_rcnn_r50_1x_bdd100k"
    predict = Predictor(
        name, tmp_path / "last.ckpt", device="cpu", cfg_options=SIZE, report=said.append
    )
    own = Predictor(cfg, tmp_path / "ours.pth", device="cpu", report=lambda text: None)
    (found,), (expected,) = predict(picture()), own(picture())
    assert found.frame == expected.frame
    assert len(found.arrays["boxes"]) > 5
    assert predict.public is None
    assert said == [
        f"note: last.ckpt: weights of Vis4D's Faster R-CNN, {len(state)} tensors renamed"
    ]
    with pytest.raises(UserError, match="pass --checkpoint FILE with a checkpoint that Vis4D"):
        Predictor(name, device="cpu")
