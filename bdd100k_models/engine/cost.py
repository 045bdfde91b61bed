"""What a model costs: its parameters, and its operations for one input of its task."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from bdd100k_models.engine.model import build_network
from bdd100k_models.engine.predictor import build_pipeline
from bdd100k_models.engine.shapes import shapes_only
from bdd100k_models.errors import UserError
from bdd100k_models.tasks import task_of
from bdd100k_models.tasks.base import ImageRecord
from bdd100k_models.zoo.catalogue import Cost

if TYPE_CHECKING:
    from mmcv import Config

    from bdd100k_models.tasks.base import Task

#: Pictures of BDD100K, height and width.
_PICTURE = (720, 1280)
#: Regions that a second stage looks at, and boxes that get a mask and an embedding, at most.
_REGIONS, _BOXES = 1000, 100


def cost(cfg: Config) -> Cost:
    """Parameters of a config's network and operations for one input; nothing is computed.

    The input is a picture of 720x1280 after the config's test pipeline; for pose it is the crop of
    one person. Torch counts the operations of convolutions, matrix products and attention, a
    multiplication and an addition as two; those of a second stage are for 1000 regions, those of
    masks and embeddings for 100 boxes.

    Raises:
        UserError: the network cannot be built, or looks at numbers to know what comes next.
    """
    task = task_of(cfg)
    height, width = _input_size(task, cfg)
    counter = FlopCounterMode(
        display=False, custom_mapping={torch.ops.torchvision.deform_conv2d: _deformable_flops}
    )
    with shapes_only():
        network = build_network(task, cfg).eval()
        _assign_no_regions(network)
        picture = torch.empty(_windows(cfg, height, width))
        try:
            with torch.no_grad(), counter:
                _compute(network, picture)
        except (RuntimeError, NotImplementedError, AttributeError, TypeError, ValueError) as error:
            raise UserError(f"{cfg.filename}: operations cannot be counted: {error}") from error
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Cost(parameters, round(counter.get_total_flops() / 1e9, 2), (height, width))


def _input_size(task: Task, cfg: Config) -> tuple[int, int]:
    """Height and width of what goes into the network."""
    if task.name == "pose":
        width, height = cfg.data_cfg["image_size"]
        return int(height), int(width)
    options = task.settle(task.options(), cfg, split="val", images=True)
    pixels = np.zeros((*_PICTURE, 3), np.uint8)
    pipeline = build_pipeline(task, cfg, options, None)
    batch = pipeline.collate([pipeline(ImageRecord(0, "picture", "picture", pixels=pixels))])
    picture = batch["img"]
    while isinstance(picture, (list, tuple)):
        picture = picture[0]
    return int(picture.shape[-2]), int(picture.shape[-1])


def _windows(cfg: Config, height: int, width: int) -> tuple[int, int, int, int]:
    """Shape of the batch for one picture, which some segmentation models look at in windows."""
    test = cfg.model.get("test_cfg") or {}
    if test.get("mode") != "slide":
        return 1, 3, height, width
    sides = [
        (max(size - crop + stride - 1, 0) // stride + 1, min(size, crop))
        for size, crop, stride in zip(
            (height, width), test["crop_size"], test["stride"], strict=True
        )
    ]
    return math.prod(count for count, _ in sides), 3, sides[0][1], sides[1][1]


def _assign_no_regions(network: nn.Module) -> None:
    """Let regions have features of the right shape, whichever level they would be taken from."""
    from mmdet.models.roi_heads.roi_extractors.base_roi_extractor import BaseRoIExtractor

    def extractor(module: Any) -> Any:
        size = module.roi_layers[0].output_size
        return lambda features, regions, *_: features[0].new_empty(
            len(regions), module.out_channels, *size
        )

    for module in network.modules():
        if isinstance(module, BaseRoIExtractor):
            module.forward = extractor(module)


def _compute(network: Any, picture: Tensor) -> None:
    """What the network does with a picture, up to the choice among what it found."""
    if hasattr(getattr(network, "rpn_head", None), "init_proposal_features"):
        _learned_proposals(network, picture)
    elif hasattr(network, "roi_head"):
        _two_stages(network, picture)
    elif hasattr(network, "head") and network.head is not None:
        features = network.extract_feat(picture)
        network.head.simple_test(features, softmax=False, post_process=False)
    else:
        network.forward_dummy(picture)


def _two_stages(network: Any, picture: Tensor) -> None:
    features = network.extract_feat(picture)
    if hasattr(network, "fuse"):  # features of earlier frames
        features, _ = network.fuse(features, None)
    network.rpn_head(features)
    head = network.roi_head
    boxes = torch.empty(_BOXES, 4)
    head.forward_dummy(features, torch.empty(_REGIONS, 4))
    if hasattr(head, "embed"):
        head.embed(features, [boxes])
    if hasattr(network, "semantic_head"):
        network.semantic_head(features)


def _learned_proposals(network: Any, picture: Tensor) -> None:
    """Sparse R-CNN: objects that go from stage to stage."""
    features = network.extract_feat(picture)
    head = network.roi_head
    objects = network.rpn_head.init_proposal_features.weight.detach()[None]
    for extractor, stage in zip(head.bbox_roi_extractor, head.bbox_head, strict=True):
        regions = extractor(features, torch.empty(objects.shape[1], 5))
        _, _, objects, _ = stage(regions, objects)


def _deformable_flops(picture: Any, weight: Any, *_: Any, out_shape: Any = None, **__: Any) -> int:
    """Of a deformable convolution: those of an ordinary one; shapes (N, C, H, W)."""
    return int(2 * math.prod(out_shape) * math.prod(weight[1:]))
