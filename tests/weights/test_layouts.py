"""Checkpoints of other code bases, known by their keys and renamed to ours.

Torchvision's networks are its own; those of Vis4D are put together from the parts of torchvision
that it is made of, under the names that it gives them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torchvision.models import detection
from torchvision.ops import FeaturePyramidNetwork

from bdd100k_models import load_config
from bdd100k_models.engine.model import build_network
from bdd100k_models.engine.shapes import shapes_only
from bdd100k_models.errors import UserError
from bdd100k_models.tasks import task_of
from bdd100k_models.weights import load_weights, read_checkpoint
from bdd100k_models.weights.layouts import QDTRACK, Foreign, translate
from bdd100k_models.zoo import classes
from bdd100k_models.zoo.public_classes import COCO
from tests.published import published_models

State = Mapping[str, Tensor]

FASTER = "faster_rcnn_r50_fpn_1x_det_bdd100k"
MASK = "mask_rcnn_r50_fpn_1x_ins_seg_bdd100k"
QUICK = (
    FASTER,
    MASK,
    "faster_rcnn_swin-t_fpn_1x_det_bdd100k",
    "faster_rcnn_convnext-t_fpn_fp16_1x_det_bdd100k",
    "fpn_r50_512x1024_40k_sem_seg_bdd100k",
    "panoptic_fpn_r50_fpn_1x_pan_seg_bdd100k",
    "resnet18_4x_weather_tag_bdd100k",
    "dla34_5x_224x224_weather_tag_bdd100k",
)


def own_network(name: str, device: str = "meta") -> nn.Module:
    cfg = load_config(name)
    with shapes_only() if device == "meta" else nullcontext():
        return build_network(task_of(cfg), cfg)


def shapes(state: State) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in state.items()}


def translated(state: State, name: str, meta: dict[str, Any] | None = None) -> Foreign:
    """The weights under our names; those of the network of that name must be all there."""
    own = own_network(name).state_dict()
    foreign = translate(state, meta, own)
    assert foreign is not None
    assert shapes(foreign.state) == shapes(own)
    return foreign


class Vis4D(nn.Module):
    """A network of Vis4D: basemodel, fpn, and heads."""

    def __init__(self, kind: str, count: int) -> None:
        super().__init__()
        resnet = torchvision.models.resnet50()
        del resnet.fc
        self.basemodel = resnet
        self.fpn = FeaturePyramidNetwork([256, 512, 1024, 2048], 256)
        if kind == "Semantic FPN":
            self.seg_head = self._regions(count)
            return
        rpn = {"conv": nn.Conv2d(256, 256, 3), "cls": nn.Conv2d(256, 3, 1)}
        rpn["box"] = nn.Conv2d(256, 12, 1)
        roi = nn.ModuleDict()
        roi["shared_fcs"] = nn.ModuleList([nn.Linear(256 * 49, 1024), nn.Linear(1024, 1024)])
        roi["fc_cls"], roi["fc_reg"] = nn.Linear(1024, count + 1), nn.Linear(1024, 4 * count)
        self.faster_rcnn_head = nn.ModuleDict(
            {"rpn_head": nn.ModuleDict({f"rpn_{k}": v for k, v in rpn.items()}), "roi_head": roi}
        )
        if kind == "Mask R-CNN":
            convs = nn.ModuleList(nn.Conv2d(256, 256, 3) for _ in range(4))
            self.mask_head = nn.ModuleDict(
                {
                    "convs": convs,
                    "upsample": nn.ConvTranspose2d(256, 256, 2),
                    "conv_logits": nn.Conv2d(256, count, 1),
                }
            )
        if kind == "QDTrack":
            similarity = nn.ModuleDict({"fc_embed": nn.Linear(1024, 256)})
            self.qdtrack_head = nn.ModuleDict({"similarity_head": similarity})

    @staticmethod
    def _regions(count: int) -> nn.Module:
        def conv(inputs: int) -> nn.Module:
            made = nn.Conv2d(inputs, 128, 3, bias=False)
            made.norm = nn.BatchNorm2d(128)
            return made

        heads = nn.ModuleList()
        for level in range(4):
            parts: list[nn.Module] = []
            for k in range(max(1, level)):
                parts.append(conv(256 if k == 0 else 128))
                if level:
                    parts.append(nn.Upsample(scale_factor=2))
            heads.append(nn.Sequential(*parts))
        return nn.ModuleDict({"scale_heads": heads, "conv_seg": nn.Conv2d(128, count, 1)})


def vis4d(kind: str, count: int) -> dict[str, Tensor]:
    with torch.device("meta"):
        state: dict[str, Tensor] = Vis4D(kind, count).state_dict()
    if kind == "Semantic FPN":  # whose ResNet has a deep stem, and names it as MMSegmentation does
        state = {k: v for k, v in state.items() if not k.startswith("basemodel.")}
        own = own_network("fpn_r50_512x1024_40k_sem_seg_bdd100k").backbone.state_dict()
        state |= {f"basemodel.{key}": value for key, value in own.items()}
    return state


@pytest.mark.parametrize(
    ("kind", "count", "name", "names"),
    [
        ("Faster R-CNN", 10, FASTER, classes.DET),
        ("Mask R-CNN", 8, MASK, classes.INS_SEG),
        ("Semantic FPN", 19, "fpn_r50_512x1024_40k_sem_seg_bdd100k", classes.SEM_SEG),
        ("QDTrack", 10, FASTER, classes.DET),
    ],
)
def test_vis4d(kind: str, count: int, name: str, names: tuple[str, ...]) -> None:
    foreign = translated(vis4d(kind, count), name)
    assert foreign.layout == f"Vis4D's {kind}"
    assert foreign.classes == names
    assert foreign.dropped == (2 if kind == "QDTrack" else 0)


def test_vis4d_of_older_versions() -> None:
    old = {}
    for key, value in vis4d("Faster R-CNN", 10).items():
        key = key.replace("basemodel.", "backbone.body.").replace("blocks.", "blocks.", 1)
        key = key.replace("faster_rcnn_head.", "faster_rcnn_heads.")
        for level in range(4):
            key = key.replace(f"_blocks.{level}.0.", f"_blocks.{level}.")
        old[key] = value
    assert translated(old, FASTER).layout == "Vis4D's Faster R-CNN"


def test_each_tensor_of_vis4d_goes_to_its_place() -> None:
    state = {
        key: torch.full(value.shape[:1], float(number)).reshape(-1)
        for number, (key, value) in enumerate(vis4d("Mask R-CNN", 8).items())
    }
    foreign = translate(state)
    assert foreign is not None
    for ours, theirs in (
        ("backbone.layer3.5.bn2.bias", "basemodel.layer3.5.bn2.bias"),
        ("neck.lateral_convs.2.conv.bias", "fpn.inner_blocks.2.0.bias"),
        ("neck.fpn_convs.1.conv.weight", "fpn.layer_blocks.1.0.weight"),
        ("rpn_head.rpn_reg.bias", "faster_rcnn_head.rpn_head.rpn_box.bias"),
        ("rpn_head.rpn_cls.bias", "faster_rcnn_head.rpn_head.rpn_cls.bias"),
        ("roi_head.bbox_head.shared_fcs.1.bias", "faster_rcnn_head.roi_head.shared_fcs.1.bias"),
        ("roi_head.bbox_head.fc_reg.bias", "faster_rcnn_head.roi_head.fc_reg.bias"),
        ("roi_head.mask_head.convs.3.conv.bias", "mask_head.convs.3.bias"),
        ("roi_head.mask_head.upsample.weight", "mask_head.upsample.weight"),
        ("roi_head.mask_head.conv_logits.bias", "mask_head.conv_logits.bias"),
    ):
        assert foreign.state[ours] is state[theirs]


def test_vis4d_with_the_tracking_classes() -> None:
    foreign = translate(vis4d("QDTrack", 8))
    assert foreign is not None
    assert foreign.classes == classes.INS_SEG


def torchvision_state(kind: str, count: int = 91) -> dict[str, Tensor]:
    make = {"Faster R-CNN": detection.fasterrcnn_resnet50_fpn}
    make["Mask R-CNN"] = detection.maskrcnn_resnet50_fpn
    torch.manual_seed(0)
    made = make[kind](weights=None, weights_backbone=None, num_classes=count)
    return made.state_dict()


@pytest.mark.parametrize("kind", ["Faster R-CNN", "Mask R-CNN"])
def test_torchvision(kind: str) -> None:
    state = torchvision_state(kind)
    foreign = translate(state)
    assert foreign is not None
    assert foreign.layout == f"torchvision's {kind}"
    own = own_network(FASTER if kind == "Faster R-CNN" else MASK).state_dict()
    assert foreign.state.keys() == own.keys()
    head = "roi_head.bbox_head."
    theirs = state["roi_heads.box_predictor.cls_score.weight"]
    assert torch.equal(foreign.state[head + "fc_cls.weight"], torch.cat([theirs[1:], theirs[:1]]))
    boxes = state["roi_heads.box_predictor.bbox_pred.bias"]
    assert torch.equal(foreign.state[head + "fc_reg.bias"], boxes[4:])
    if kind == "Mask R-CNN":
        masks = state["roi_heads.mask_predictor.mask_fcn_logits.weight"]
        assert torch.equal(foreign.state["roi_head.mask_head.conv_logits.weight"], masks[1:])
    assert foreign.classes is not None
    assert len(foreign.classes) == len(set(foreign.classes)) == 90
    assert foreign.classes[9] == "traffic light"
    assert foreign.classes[12] == "stop sign"
    assert [name for name in foreign.classes if not name.startswith("no class")] == list(COCO)


def test_torchvision_of_older_versions() -> None:
    new = torchvision_state("Mask R-CNN", 3)
    old = {}
    for key, value in new.items():
        key = key.replace("rpn.head.conv.0.0.", "rpn.head.conv.")
        for level in range(4):
            key = key.replace(f"_blocks.{level}.0.", f"_blocks.{level}.")
            key = key.replace(f"mask_head.{level}.0.", f"mask_head.mask_fcn{level + 1}.")
        old[key] = value
    assert old.keys() != new.keys()
    expected, foreign = translate(new), translate(old, {"CLASSES": ["_", "a", "b"]})
    assert expected is not None
    assert foreign is not None
    assert shapes(foreign.state) == shapes(expected.state)
    assert expected.classes is None
    assert foreign.classes == ("a", "b")


def test_batch_norm_of_torchvision() -> None:
    """Frozen, it has no counter, and the epsilon of the COCO weights is 0."""
    state = torchvision_state("Faster R-CNN", 3)
    trained = translate(state)
    frozen = translate({k: v for k, v in state.items() if "num_batches" not in k})
    assert trained is not None
    assert frozen is not None
    eps = "+model.backbone.norm_cfg.eps=0.0"
    assert eps not in trained.options
    assert eps in frozen.options


@pytest.mark.parametrize("flat", [True, False])
def test_qdtrack(flat: bool) -> None:
    own = {k: v for k, v in own_network(FASTER).state_dict().items() if "fc_" not in k}
    head = "roi_head.bbox_head."
    own |= {head + "fc_cls.weight": torch.zeros(9, 4), head + "fc_cls.bias": torch.zeros(9)}
    tracker = {"track_head.fc_embed.weight": torch.zeros(2), "track_head.convs.0.conv.weight": 0}
    if flat:
        state = {**own, **{f"roi_head.{key}": torch.zeros(2) for key in tracker}}
    else:
        state = {f"detector.{key}": value for key, value in own.items()}
        state |= {key: torch.zeros(2) for key in tracker}
    foreign = translate(state, {}, own)
    assert foreign is not None
    assert foreign.layout == "QDTrack's detector"
    assert foreign.classes == QDTRACK
    assert foreign.dropped == 2
    assert shapes(foreign.state) == shapes(own)
    assert translate(state, {}, state) is None  # a tracker takes it as it is


TAGS = ("clear", "foggy", "overcast", "partly cloudy", "rainy", "snowy", "unknown")


def timm_checkpoint() -> dict[str, Any]:
    torch.manual_seed(1)
    network = torchvision.models.resnet18(num_classes=7)
    facts = {"imgsz": 224, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    return {"state_dict": network.state_dict(), "class_names": list(TAGS), "epoch": 3, **facts}


def test_timm(tmp_path: Path) -> None:
    torch.save(timm_checkpoint(), tmp_path / "best.pt")
    content = read_checkpoint(tmp_path / "best.pt")
    name = "resnet18_4x_weather_tag_bdd100k"
    foreign = translated(content["state_dict"], name, content["meta"])
    assert foreign.layout == "a ResNet of timm or torchvision"
    assert foreign.classes == (*TAGS[:-1], "undefined")
    squash, normalize = foreign.pipeline or ()
    assert squash["size"] == (224, 224)
    assert normalize["mean"] == pytest.approx([123.675, 116.28, 103.53])


def test_dla_of_its_authors() -> None:
    own = own_network("dla34_5x_224x224_weather_tag_bdd100k").state_dict()
    state = {key.removeprefix("backbone."): value for key, value in own.items()}
    assert translated(state, "dla34_5x_224x224_weather_tag_bdd100k").layout.startswith("DLA")


def test_convnext_of_its_authors() -> None:
    name = "faster_rcnn_convnext-b_fpn_fp16_3x_det_bdd100k"
    names = {"depthwise_conv": "dwconv", "pointwise_conv1": "pwconv1", "pointwise_conv2": "pwconv2"}
    state = {}
    for key, value in own_network(name).state_dict().items():
        for ours, theirs in names.items():
            key = key.replace(f".{ours}.", f".{theirs}.")
        state[key] = value
    assert translated(state, name).layout.startswith("ConvNeXt")


def test_swin_of_its_authors() -> None:
    name = "faster_rcnn_swin-b_fpn_fp16_3x_det_bdd100k"
    state = {}
    for key, value in own_network(name).state_dict().items():
        key = key.replace("backbone.stages.", "backbone.layers.").replace("w_msa.", "")
        key = key.replace("ffn.layers.0.0.", "mlp.fc1.").replace("ffn.layers.1.", "mlp.fc2.")
        state[key.replace("patch_embed.projection", "patch_embed.proj")] = value
    assert translated(state, name).layout.startswith("Swin")


def test_patches_of_swin_are_put_in_our_order() -> None:
    """What merges 2 x 2 patches reads them column by column there, row by row here."""
    weight = torch.arange(8.0).reshape(1, 8)  # 4 patches of 2 channels
    state = {
        "backbone.layers.0.blocks.0.attn.qkv.weight": torch.zeros(1),
        "backbone.layers.0.downsample.reduction.weight": weight,
    }
    foreign = translate(state)
    assert foreign is not None
    merged = foreign.state["backbone.stages.0.downsample.reduction.weight"]
    assert merged.tolist() == [[0, 4, 2, 6, 1, 5, 3, 7]]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(model.name, marks=[] if model.name in QUICK else pytest.mark.slow)
        for model in published_models()
    ],
)
def test_our_own_are_left_alone(name: str) -> None:
    own = own_network(name).state_dict()
    assert translate(own) is None
    assert translate(own, {}, own) is None


@pytest.mark.parametrize(
    "nest", ["state_dict", "model", "ema", "model_ema", "ema.module", "model.state_dict"]
)
@pytest.mark.parametrize("prefix", ["", "module.", "model.", "module.model.", "_orig_mod."])
def test_nests_and_prefixes(tmp_path: Path, nest: str, prefix: str) -> None:
    network = nn.Sequential(OrderedDict(conv=nn.Conv2d(3, 4, 3)))
    content: Any = {prefix + key: value for key, value in network.state_dict().items()}
    if prefix:
        content["n_averaged"] = torch.ones(())
    for key in reversed(nest.split(".")):
        content = {key: content}
    torch.save({**content, "epoch": 3, "optimizer": {}}, tmp_path / "x.pt")
    target = nn.Sequential(OrderedDict(conv=nn.Conv2d(3, 4, 3)))
    said: list[str] = []
    load_weights(target, tmp_path / "x.pt", said.append)
    assert torch.equal(target.conv.weight, network.conv.weight)
    assert said == (
        [] if nest == "state_dict" else [f"note: x.pt: the weights under {nest!r} are taken"]
    )


def test_the_moving_average_is_taken(tmp_path: Path) -> None:
    states = {
        key: {"conv.weight": torch.full((1,), float(number))}
        for number, key in enumerate(["model", "model_ema"])
    }
    torch.save(states, tmp_path / "x.pt")
    assert read_checkpoint(tmp_path / "x.pt")["state_dict"]["conv.weight"].item() == 1


def test_a_network_that_it_does_not_fit(tmp_path: Path) -> None:
    torch.save({"state_dict": torchvision_state("Faster R-CNN")}, tmp_path / "x.pth")
    with pytest.raises(UserError, match=r"weights of torchvision's Faster R-CNN\) does not fit"):
        load_weights(own_network(FASTER, "cpu"), tmp_path / "x.pth", lambda text: None)
