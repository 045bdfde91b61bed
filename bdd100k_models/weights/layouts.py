"""Checkpoints of other code bases: known by their keys, told by name, renamed to ours.

Vis4D and torchvision name the parts of the same detectors otherwise, QDTrack keeps a tracker
beside its detector, timm names a classifier without a backbone, and the authors of Swin, ConvNeXt
and DLA have names of their own. A checkpoint that has the network's own names is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bdd100k_models.zoo import classes as zoo_classes
from bdd100k_models.zoo.public_classes import COCO

if TYPE_CHECKING:
    from torch import Tensor, nn

    State = Mapping[str, Tensor]

#: Ids of COCO, which count from 1 to 90, that no class has.
_COCO_GAPS = frozenset({12, 26, 29, 30, 45, 66, 68, 69, 71, 83})
#: The classes of QDTrack's BDD100K detector, in the order of its class layer: that of the
#: annotation file. The names in its code and files have another order, which had no effect.
QDTRACK: tuple[str, ...] = zoo_classes.TRACKED

_BOX_CLASSES = "roi_head.bbox_head.fc_cls.bias"


@dataclass(frozen=True)
class Foreign:
    """Weights of another code base, under the names that they have here.

    Attributes:
        layout: whose they are, such as ``Vis4D's Faster R-CNN``.
        state: tensors by our names, on the CPU.
        classes: what the rows of the class layers stand for, in their order, without background;
            None where the file does not tell and it is not known.
        dataset: what they were trained on, where that is known.
        dropped: tensors that only the other code base needs (a tracker, a counter).
        options: entries of the config that make the network compute as theirs does, as
            ``--cfg-options`` has them.
        pipeline: steps in the place of the test pipeline's resizing and cropping; None for none.
        prepare: the last touch on the network, once it holds the weights.
    """

    layout: str
    state: dict[str, Tensor]
    classes: tuple[str, ...] | None = None
    dataset: str | None = None
    dropped: int = 0
    options: tuple[str, ...] = ()
    pipeline: tuple[Mapping[str, Any], ...] | None = None
    prepare: Callable[[nn.Module], None] | None = None


@dataclass(frozen=True)
class _Layout:
    """How a layout is known, and what its names become.

    Attributes:
        name: whose it is.
        marks: patterns that some key matches each.
        renames: pattern and replacement; the first that matches a key renames it.
        drops: patterns of keys that have no counterpart here.
        finish: what else is to be done.
        needs: a pattern of the network's own names; without such a name the layout is not for it.
    """

    name: str
    marks: Sequence[str]
    renames: Sequence[tuple[str, str]]
    drops: Sequence[str] = ()
    finish: Callable[[Foreign, Mapping[str, Any]], Foreign] | None = None
    needs: str = ""


def translate(
    state: State, meta: Mapping[str, Any] | None = None, own: Collection[str] = ()
) -> Foreign | None:
    """The weights under our names, where they are of a layout that is known; else None.

    Args:
        state: tensors by name, as :func:`read_checkpoint` gives them.
        meta: what the checkpoint says of itself.
        own: names of the network's tensors; a layout whose marks it has itself is none.
    """
    for layout in _LAYOUTS:
        marks = [re.compile(mark) for mark in layout.marks]
        if not all(any(mark.search(key) for key in state) for mark in marks):
            continue
        if layout.needs and not any(re.search(layout.needs, key) for key in own):
            continue
        if own and all(any(mark.search(key) for key in own) for mark in marks):
            continue
        return _renamed(layout, state, meta or {})
    return None


def _renamed(layout: _Layout, state: State, meta: Mapping[str, Any]) -> Foreign:
    renames = [(re.compile(pattern), new) for pattern, new in layout.renames]
    drops = [re.compile(pattern) for pattern in layout.drops]
    renamed = {}
    for key, value in state.items():
        if any(drop.search(key) for drop in drops):
            continue
        for pattern, new in renames:
            key, count = pattern.subn(new, key, count=1)
            if count:
                break
        renamed[key] = value
    foreign = Foreign(
        layout.name,
        renamed,
        classes=_names(meta.get("CLASSES")),
        dropped=len(state) - len(renamed),
    )
    return layout.finish(foreign, meta) if layout.finish else foreign


def _names(said: Any) -> tuple[str, ...] | None:
    """Class names as a checkpoint tells them; None where it tells none."""
    if not isinstance(said, (list, tuple)) or not said:
        return None
    return tuple(said) if all(isinstance(name, str) for name in said) else None


# -- Vis4D ----------------------------------------------------------------------------------------

#: Torchvision's pyramid, which Vis4D builds on; older ones have no ``.0``.
_PYRAMID = tuple(
    (rf"^(?:backbone\.)?fpn\.{theirs}\.(\d+)(?:\.0)?\.(weight|bias)$", rf"neck.{ours}.\1.conv.\2")
    for theirs, ours in (("inner_blocks", "lateral_convs"), ("layer_blocks", "fpn_convs"))
)
_VIS4D = (
    (r"^(?:basemodel\.body|basemodel|backbone\.body)\.", "backbone."),
    *_PYRAMID,
    (r"^faster_rcnn_heads?\.rpn_head\.rpn_box\.", "rpn_head.rpn_reg."),
    (r"^faster_rcnn_heads?\.rpn_head\.", "rpn_head."),
    (r"^faster_rcnn_heads?\.roi_head\.", "roi_head.bbox_head."),
    (r"^mask_heads?\.convs\.(\d+)\.(weight|bias)$", r"roi_head.mask_head.convs.\1.conv.\2"),
    (r"^mask_heads?\.", "roi_head.mask_head."),
    (r"^seg_head\.(scale_heads\.\d+\.\d+)\.norm\.", r"decode_head.\1.bn."),
    (r"^seg_head\.(scale_heads\.\d+\.\d+)\.(weight|bias)$", r"decode_head.\1.conv.\2"),
    (r"^seg_head\.", "decode_head."),
)
#: What belongs to the tracker of Vis4D's QDTrack, or to the moving average beside a model.
_VIS4D_DROPS = (r"^(qdtrack_heads?|similarity_heads?|track_graph|roi2det)\.",)
_VIS4D_PARTS = r"^(basemodel|backbone\.body|fpn)\."

#: Vis4D numbers classes in the order of the toolkit; the tracking set has the first eight of det.
_TOOLKIT: Mapping[int, tuple[str, ...]] = {
    len(zoo_classes.DET): zoo_classes.DET,
    len(zoo_classes.INS_SEG): zoo_classes.INS_SEG,
    len(COCO): COCO,
}
_REGIONS: Mapping[int, tuple[str, ...]] = {
    len(zoo_classes.SEM_SEG): zoo_classes.SEM_SEG,
    len(zoo_classes.DRIVABLE): zoo_classes.DRIVABLE,
}


def _finish_vis4d(foreign: Foreign, meta: Mapping[str, Any]) -> Foreign:
    if foreign.classes is not None:
        return foreign
    if _BOX_CLASSES in foreign.state:
        names = _TOOLKIT.get(len(foreign.state[_BOX_CLASSES]) - 1)
    else:
        names = _REGIONS.get(len(foreign.state.get("decode_head.conv_seg.bias", ())))
    dataset = {None: None, COCO: "COCO"}.get(names, "BDD100K")
    return replace(foreign, classes=names, dataset=dataset)


def _vis4d(name: str, mark: str) -> _Layout:
    return _Layout(f"Vis4D's {name}", (_VIS4D_PARTS, mark), _VIS4D, _VIS4D_DROPS, _finish_vis4d)


# -- torchvision ----------------------------------------------------------------------------------

_TORCHVISION_BOXES = (
    (r"^backbone\.body\.", "backbone."),
    *_PYRAMID,
    (r"^rpn\.head\.conv(?:\.0\.0)?\.(weight|bias)$", r"rpn_head.rpn_conv.\1"),
    (r"^rpn\.head\.cls_logits\.", "rpn_head.rpn_cls."),
    (r"^rpn\.head\.bbox_pred\.", "rpn_head.rpn_reg."),
    (r"^roi_heads\.box_head\.fc6\.", "roi_head.bbox_head.shared_fcs.0."),
    (r"^roi_heads\.box_head\.fc7\.", "roi_head.bbox_head.shared_fcs.1."),
    (r"^roi_heads\.box_predictor\.cls_score\.", "roi_head.bbox_head.fc_cls."),
    (r"^roi_heads\.box_predictor\.bbox_pred\.", "roi_head.bbox_head.fc_reg."),
)
_TORCHVISION_MASKS = (
    *_TORCHVISION_BOXES,
    (r"^roi_heads\.mask_head\.(\d+)\.0\.", r"roi_head.mask_head.convs.\1.conv."),
    # Older ones count from 1: what follows subtracts it.
    (r"^roi_heads\.mask_head\.mask_fcn(\d+)\.", r"roi_head.mask_head.convs.-\1.conv."),
    (r"^roi_heads\.mask_predictor\.conv5_mask\.", "roi_head.mask_head.upsample."),
    (r"^roi_heads\.mask_predictor\.mask_fcn_logits\.", "roi_head.mask_head.conv_logits."),
)


def _finish_torchvision(foreign: Foreign, meta: Mapping[str, Any]) -> Foreign:
    """Background from the first row to the last; what torchvision's detectors compute otherwise.

    The rows of ids that no class has stay: their part of the softmax is theirs.
    """
    import torch

    state = {
        re.sub(r"convs\.-(\d+)", lambda m: f"convs.{int(m.group(1)) - 1}", key): value
        for key, value in foreign.state.items()
    }
    for kind in ("weight", "bias"):
        key = f"roi_head.bbox_head.fc_cls.{kind}"
        if key in state:
            state[key] = torch.cat([state[key][1:], state[key][:1]])
        for key, rows in (("bbox_head.fc_reg", 4), ("mask_head.conv_logits", 1)):
            if f"roi_head.{key}.{kind}" in state:
                state[f"roi_head.{key}.{kind}"] = state[f"roi_head.{key}.{kind}"][rows:]
    count = len(state[_BOX_CLASSES]) - 1
    names = foreign.classes
    if names is not None and len(names) == count + 1:
        names = names[1:]
    if names is None and count == len(COCO) + len(_COCO_GAPS):
        coco, foreign = iter(COCO), replace(foreign, dataset="COCO")
        names = tuple(
            f"no class {number}" if number in _COCO_GAPS else next(coco)
            for number in range(1, count + 1)
        )
    options = _roi_align("bbox")
    if "roi_head.mask_head.conv_logits.weight" in state:
        options += _roi_align("mask")
    # Frozen batch norm has no counter; with it the epsilon of the COCO weights is 0.
    if not any(key.endswith("num_batches_tracked") for key in state):
        options += ("+model.backbone.norm_cfg.eps=0.0",)
    return replace(foreign, state=state, classes=names, options=options, prepare=round_anchors)


def _roi_align(what: str) -> tuple[str, ...]:
    layer = f"+model.roi_head.{what}_roi_extractor.roi_layer"
    return (f"{layer}.sampling_ratio=2", f"{layer}.aligned=False")


def round_anchors(network: Any) -> None:
    """Anchors at whole pixels, as torchvision's are; in place."""
    generator = network.rpn_head.prior_generator
    generator.base_anchors = [anchors.round() for anchors in generator.base_anchors]


# -- trackers -------------------------------------------------------------------------------------

_EMBEDDINGS = r"^roi_head\.track_head\."
_SIMILARITY = r"^(?:qdtrack_heads?\.)?similarity_heads?\."
_VIS4D_TRACKER = (
    (rf"{_SIMILARITY}convs\.(\d+)\.norm\.", r"roi_head.track_head.convs.\1.gn."),
    (rf"{_SIMILARITY}convs\.(\d+)\.(weight)$", r"roi_head.track_head.convs.\1.conv.\2"),
    (rf"{_SIMILARITY}fcs\.(\d+)\.0\.", r"roi_head.track_head.fcs.\1."),
    (_SIMILARITY, "roi_head.track_head."),
    *_VIS4D,
)


def _finish_tracker(foreign: Foreign, meta: Mapping[str, Any]) -> Foreign:
    """Classes by number: what files of trackers name is not always the order they learnt in."""
    count = len(foreign.state.get(_BOX_CLASSES, ())) - 1
    own = zoo_classes.TRACKED
    return replace(foreign, classes=own if count == len(own) else foreign.classes)


# -- QDTrack, timm, and the authors' own ----------------------------------------------------------


def _finish_qdtrack(foreign: Foreign, meta: Mapping[str, Any]) -> Foreign:
    count = len(foreign.state.get(_BOX_CLASSES, ())) - 1
    if foreign.classes is not None and len(foreign.classes) == count:
        return foreign
    known = count == len(QDTRACK)
    return replace(
        foreign, classes=QDTRACK if known else None, dataset="BDD100K" if known else None
    )


#: Tags of others -> those of the zoo, where the words differ.
_TAGS = {"unknown": "undefined"}


def _finish_timm(foreign: Foreign, meta: Mapping[str, Any]) -> Foreign:
    """The classes that the file names, and the whole picture squashed to the size it says."""
    if foreign.classes is None:
        return foreign
    names = tuple(_TAGS.get(name, name) for name in foreign.classes)
    size = meta.get("imgsz", 224)
    height, width = (size, size) if isinstance(size, int) else tuple(int(side) for side in size)
    normalize: dict[str, Any] = {"type": "Normalize", "to_rgb": True}
    for key, default in (("mean", (0.485, 0.456, 0.406)), ("std", (0.229, 0.224, 0.225))):
        normalize[key] = [255.0 * float(value) for value in meta.get(key) or default]
    squash = {"type": "Resize", "size": (height, width), "interpolation": "bilinear"}
    squash["backend"] = "pillow"
    return replace(foreign, classes=names, pipeline=(squash, normalize))


def _finish_swin(foreign: Foreign, meta: Mapping[str, Any]) -> Foreign:
    from mmdet.models.utils.ckpt_convert import swin_converter

    prefix = "backbone."
    inside = {k.removeprefix(prefix): v for k, v in foreign.state.items() if k.startswith(prefix)}
    others = {k: v for k, v in foreign.state.items() if not k.startswith(prefix)}
    return replace(foreign, state={**swin_converter(inside), **others})


_LAYOUTS: tuple[_Layout, ...] = (
    _Layout(
        "Vis4D's QDTrack",
        (_VIS4D_PARTS, _SIMILARITY),
        _VIS4D_TRACKER,
        (r"^(track_graph|roi2det)\.",),
        _finish_tracker,
        needs=_EMBEDDINGS,
    ),
    _Layout(
        "mmtracking's QDTrack",
        (r"^detector\.roi_head\.", r"^track_head\.embed_head\."),
        ((r"^detector\.", ""), (r"^track_head\.embed_head\.", "roi_head.track_head.")),
        finish=_finish_tracker,
        needs=_EMBEDDINGS,
    ),
    _Layout(
        "QDTrack's later versions",
        (r"^detector\.roi_head\.", r"track_head\."),
        (
            (r"^detector\.", ""),
            (r"^track_head\.track_head\.", "roi_head.track_head."),
        ),
        finish=_finish_tracker,
        needs=_EMBEDDINGS,
    ),
    _vis4d("QDTrack", r"^(qdtrack_heads?|similarity_heads?)\."),
    _vis4d("Mask R-CNN", r"^mask_heads?\.conv_logits\."),
    _vis4d("Faster R-CNN", r"^faster_rcnn_heads?\."),
    _vis4d("Semantic FPN", r"^seg_head\."),
    _Layout(
        "torchvision's Mask R-CNN",
        (r"^backbone\.body\.", r"^roi_heads\.box_head\.fc6\.", r"^roi_heads\.mask_predictor\."),
        _TORCHVISION_MASKS,
        finish=_finish_torchvision,
    ),
    _Layout(
        "torchvision's Faster R-CNN",
        (r"^backbone\.body\.", r"^roi_heads\.box_head\.fc6\."),
        _TORCHVISION_BOXES,
        finish=_finish_torchvision,
    ),
    _Layout(
        "QDTrack's detector",
        (r"^roi_head\.track_head\.", r"^roi_head\.bbox_head\."),
        (),
        (r"^roi_head\.track_",),
        _finish_qdtrack,
    ),
    _Layout(
        "QDTrack's detector",
        (r"^detector\.roi_head\.", r"^track_head\."),
        ((r"^detector\.", ""),),
        (r"^track_",),
        _finish_qdtrack,
    ),
    _Layout(
        "a ResNet of timm or torchvision",
        (r"^conv1\.weight$", r"^layer4\.\d+\.conv2\.weight$", r"^fc\.weight$"),
        ((r"^fc\.", "head.fc."), (r"^", "backbone.")),
        finish=_finish_timm,
    ),
    _Layout(
        "DLA of its authors", (r"^base_layer\.0\.weight$", r"^level5\."), ((r"^", "backbone."),)
    ),
    _Layout(
        "Swin Transformer of its authors",
        (r"^backbone\.layers\.0\.blocks\.0\.attn\.qkv\.",),
        (),
        finish=_finish_swin,
    ),
    _Layout(
        "ConvNeXt of its authors",
        (r"^backbone\.stages\.0\.0\.dwconv\.",),
        (
            (r"\.dwconv\.", ".depthwise_conv."),
            (r"\.pwconv1\.", ".pointwise_conv1."),
            (r"\.pwconv2\.", ".pointwise_conv2."),
        ),
    ),
)
