"""Steps of mmdet 2.x that do, in inference, what only training or export needs.

They give what mmdet's own steps give, to the bit, and can go with mmdet 2.x.
"""

from typing import TYPE_CHECKING, Any

from bdd100k_models.compat.registry import bridge

if TYPE_CHECKING:
    from torch import Tensor


@bridge("mmdet.models.roi_heads.roi_extractors.single_level_roi_extractor")
def extract_without_zeros(module: Any) -> None:
    """`SingleRoIExtractor`: 1,000 regions are 50 MB, which mmdet fills with zeros first.

    For each level that no region is on, it then adds a zero to all of them, so that ranks which
    train agree on their gradients. And on a GPU it waits once for each level.
    """
    extractor = module.SingleRoIExtractor
    original = extractor.forward

    @module.force_fp32(apply_to=("feats",), out_fp16=True)
    def extract(
        self: Any, feats: "tuple[Tensor, ...]", rois: "Tensor", roi_scale_factor: float | None
    ) -> "Tensor":
        import torch

        levels = self.map_roi_levels(rois, len(feats))
        if roi_scale_factor is not None:
            rois = self.roi_rescale(rois, roi_scale_factor)
        each = torch.arange(len(feats), device=levels.device)
        sizes = (levels[:, None] == each).sum(dim=0).tolist()
        size = self.roi_layers[0].output_size
        pooled = feats[0].new_empty(len(rois), self.out_channels, *size)
        for layer, features, rows in zip(
            self.roi_layers, feats, levels.argsort(stable=True).split(sizes), strict=False
        ):
            if len(rows) == len(rois):
                pooled = layer(features, rois)
            elif len(rows):
                pooled[rows] = layer(features, rois[rows])
        return pooled

    def forward(
        self: Any,
        feats: "tuple[Tensor, ...]",
        rois: "Tensor",
        roi_scale_factor: float | None = None,
    ) -> "Tensor":
        import torch

        if (
            torch.is_grad_enabled()
            or len(feats) == 1
            or not len(rois)
            or torch.compiler.is_compiling()
            or torch.onnx.is_in_onnx_export()
        ):
            return original(self, feats, rois, roi_scale_factor)
        return extract(self, feats, rois, roi_scale_factor)

    extractor.forward = forward
