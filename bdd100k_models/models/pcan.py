"""PCAN: QDTrack with masks, refined by what was seen before (Ke et al., NeurIPS 2021).

Importing this module registers ``PCAN`` and ``PrototypeRoIHead`` with MMDetection. Names of
modules are those of the published weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from mmdet.core import bbox2roi
from mmdet.models.builder import DETECTORS, HEADS, build_head
from torch import Tensor

from bdd100k_models.models.prototypes import Prototypes, fuse, random_prototypes
from bdd100k_models.models.qdtrack import (
    Detections,
    QDTrack,
    QDTrackVideo,
    QuasiDenseRoIHead,
    Reference,
    own_class,
)

#: Prototypes that a checkpoint holds for levels of the pyramid, and the levels that they serve.
_LEVELS = 5
_FUSED_LEVELS = 2


class Fusion(NamedTuple):
    """What a video's frames leave for the features of the next, for each level that is fused.

    Attributes:
        memory: (1, C, H, W) maps.
        prototypes: (1, C, K).
    """

    memory: tuple[Tensor, ...]
    prototypes: tuple[Tensor, ...]


class _MaskSample(NamedTuple):
    """True regions of one frame, in training: features (P, C, h, w), logits (P, H, W), and each
    one's true box, mask target (P, H, W) and embedding (P, E)."""

    features: Tensor
    logits: Tensor
    things: Tensor
    targets: Tensor
    embeddings: Tensor


@HEADS.register_module()
class PrototypeRoIHead(QuasiDenseRoIHead):
    """Boxes, embeddings and masks, and a head that refines masks.

    Args:
        refine_head: see ``PrototypeRefineHead``.
        options: see ``QuasiDenseRoIHead``.

    Raises:
        ValueError: there is no mask head.
    """

    def __init__(self, refine_head: dict[str, Any], **options: Any) -> None:
        super().__init__(**options)
        if not self.with_mask:
            raise ValueError("there are no masks to refine: roi_head has no mask_head")
        self.refine_head = build_head(refine_head)

    def refine_loss(
        self,
        features: tuple[Tensor, ...],
        proposals: list[Tensor],
        boxes: list[Tensor],
        labels: list[Tensor],
        masks: list[Any],
        reference: Reference,
        reference_masks: list[Any],
    ) -> dict[str, Tensor]:
        """Loss of the refined masks of the key frames; only the refining head learns.

        A region is refined by the region of the same thing in the reference that looks most like
        it; where no region of a batch has one, all are refined by themselves.
        """
        with torch.no_grad():
            keys = self._mask_samples(features, proposals, boxes, labels, masks)
            others = self._mask_samples(
                reference.features,
                reference.proposals,
                reference.boxes,
                reference.labels,
                reference_masks,
            )
            pairs = [
                (key, other, *self._paired(key, other, same))
                for key, other, same in zip(keys, others, reference.matches, strict=True)
            ]
            if not any(len(rows) for _, _, rows, _ in pairs):
                pairs = [(key, key, _all_rows(key.things), _all_rows(key.things)) for key in keys]
            earlier = _gathered([(other, found) for _, other, _, found in pairs])
            now = _gathered([(key, rows) for key, _, rows, _ in pairs])
        head = self.refine_head
        refined, prototypes = head(*earlier[:2], *now[:2], head.prototypes)
        head.keep(prototypes)
        return {"loss_refine": head.loss_mask(refined, now[2])}

    def _mask_samples(
        self,
        features: tuple[Tensor, ...],
        proposals: list[Tensor],
        boxes: list[Tensor],
        labels: list[Tensor],
        masks: list[Any],
    ) -> list[_MaskSample]:
        samples = []
        for some, true, classes in zip(proposals, boxes, labels, strict=True):
            assigned = self.bbox_assigner.assign(some, true, None, classes)
            samples.append(self.bbox_sampler.sample(assigned, some, true, classes))
        regions = [sample.pos_bboxes for sample in samples]
        counts = [len(found) for found in regions]
        seen = self._mask_forward(features, bbox2roi(regions))
        classes = torch.cat([sample.pos_gt_labels for sample in samples])
        logits = own_class(seen["mask_pred"], classes)
        targets = self.mask_head.get_targets(samples, masks, self.train_cfg)
        assert logits is not None
        return [
            _MaskSample(*columns)
            for columns in zip(
                seen["mask_feats"].split(counts),
                logits.split(counts),
                [sample.pos_assigned_gt_inds for sample in samples],
                targets.split(counts),
                self.embed(features, regions).split(counts),
                strict=True,
            )
        ]

    def _paired(self, key: _MaskSample, other: _MaskSample, same: Tensor) -> tuple[Tensor, Tensor]:
        """Rows of ``key`` that have a reference, and the row of ``other`` that it is."""
        if not len(key.things) or not len(other.things):
            return (torch.zeros(0, dtype=torch.int64, device=same.device),) * 2
        alike = F.normalize(key.embeddings) @ F.normalize(other.embeddings).T
        alike = alike * (same[key.things][:, None] == other.things[None, :])
        best, found = alike.max(dim=1)
        rows = (best > self.refine_head.match_score_thr).nonzero()[:, 0]
        return rows, found[rows]


def _all_rows(column: Tensor) -> Tensor:
    """Places of the entries of a tensor."""
    return torch.arange(len(column), device=column.device)


def _gathered(chosen: list[tuple[_MaskSample, Tensor]]) -> tuple[Tensor, Tensor, Tensor]:
    """Features, logits and targets of the chosen rows of each sample."""
    features = torch.cat([sample.features[rows] for sample, rows in chosen])
    logits = torch.cat([sample.logits[rows] for sample, rows in chosen])
    return features, logits, torch.cat([sample.targets[rows] for sample, rows in chosen])


@DETECTORS.register_module()
class PCAN(QDTrack):
    """QDTrack with masks, whose features and masks draw on earlier frames.

    In training only the refining head learns; the rest comes from a trained model.

    Args:
        channels: of the pyramid.
        proto_num: prototypes of a level.
        stage_num: rounds of expectation-maximisation on a level.
        carry_prototypes: the prototypes of the refining head, which every frame changes, go on
            from video to video, as in the original; else each video begins with those of the
            checkpoint. What comes out of a video then depends on those before it.
        options: see ``QDTrack``.
    """

    #: What a checkpoint is that has no weight under a prefix.
    WITHOUT: ClassVar[Mapping[str, str]] = {
        **QDTrack.WITHOUT,
        "roi_head.refine_head.": "it has no refining head (roi_head.refine_head): PCAN is trained "
        "on top of it, see mots/README.md",
    }

    def __init__(
        self,
        channels: int = 256,
        proto_num: int = 30,
        stage_num: int = 3,
        carry_prototypes: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.stage_num = stage_num
        self.carry_prototypes = carry_prototypes
        for level in range(_LEVELS):
            self.register_buffer(f"mu{level}", random_prototypes(channels, proto_num))
        if self.train_cfg:
            learning = set(self.roi_head.refine_head.parameters())
            for parameter in self.parameters():
                parameter.requires_grad = parameter in learning

    def train(self, mode: bool = True) -> PCAN:
        """Only the refining head goes into training, statistics of norms stay as they are."""
        super().train(False)
        self.training = mode
        self.roi_head.refine_head.train(mode)
        return self

    def new_video(self) -> PCANVideo:
        """What is known of a video before its first frame."""
        return PCANVideo(self)

    def simple_test(
        self,
        img: Tensor,
        img_metas: list[dict[str, Any]],
        proposals: None = None,
        rescale: bool = True,
        video: PCANVideo | None = None,
    ) -> list[Any]:
        """:class:`Detections` of the next frame of ``video``, or of single images."""
        if not rescale:
            raise ValueError("boxes are given in pixels of the original image only")
        features = self.extract_feat(img)
        if video is None:
            frames = [
                self.fuse(tuple(x[i : i + 1] for x in features), None) for i in range(len(img))
            ]
            together = zip(*(fused for fused, _ in frames), strict=True)
            return self.detect(tuple(torch.cat(level) for level in together), img_metas)
        features, fusion = self.fuse(features, video.fusion)
        found = self.detect(features, img_metas)
        video.fusion = fusion
        return found

    def fuse(
        self, features: tuple[Tensor, ...], fusion: Fusion | None
    ) -> tuple[tuple[Tensor, ...], Fusion]:
        """The pyramid of a frame, enriched by that of earlier ones; and what the next will need.

        Args:
            features: levels of the pyramid, (1, C, H, W) each.
            fusion: what the frame before left; None for a first frame.

        Raises:
            ValueError: the frame before was of another size.
        """
        if fusion is None:
            own = tuple(getattr(self, f"mu{level}") for level in range(_FUSED_LEVELS))
            fusion = Fusion(features[:_FUSED_LEVELS], own)
        fused, memory, prototypes = list(features), [], []
        for level, (old, start) in enumerate(zip(*fusion, strict=True)):
            if old.shape != features[level].shape:
                raise ValueError("the frames of a video must be of one size")
            fused[level], found = fuse(features[level], old, start, self.stage_num)
            memory.append(0.75 * fused[level] + 0.25 * old)
            prototypes.append(0.5 * start + 0.5 * found)
        return tuple(fused), Fusion(tuple(memory), tuple(prototypes))

    def forward_train(
        self,
        img: Tensor,
        img_metas: list[dict[str, Any]],
        gt_bboxes: list[Tensor],
        gt_labels: list[Tensor],
        gt_match_indices: list[Tensor],
        ref_img: Tensor,
        ref_img_metas: list[dict[str, Any]],
        ref_gt_bboxes: list[Tensor],
        ref_gt_labels: list[Tensor],
        gt_masks: Any = None,
        ref_gt_masks: Any = None,
    ) -> dict[str, Any]:
        """Loss of the refining head; arguments as :meth:`QDTrack.forward_train`."""
        with torch.no_grad():
            features = self.extract_feat(img)
            proposals = self.rpn_head.get_bboxes(
                *self.rpn_head(features), img_metas=img_metas, cfg=self.train_cfg.rpn_proposal
            )
            reference = self._reference(
                ref_img, ref_img_metas, ref_gt_bboxes, ref_gt_labels, gt_match_indices
            )
        losses: dict[str, Any] = self.roi_head.refine_loss(
            features, proposals, gt_bboxes, gt_labels, gt_masks, reference, ref_gt_masks
        )
        return losses


class PCANVideo(QDTrackVideo):
    """One video on its way through a :class:`PCAN`.

    Attributes:
        fusion: what the features of the next frame will draw on.
        prototypes: what the refining of masks begins with.
        references: by identity its latest mask features (C, h, w) and mask logits (classes, H, W).
    """

    def __init__(self, network: PCAN) -> None:
        super().__init__(network)
        self.fusion: Fusion | None = None
        self.prototypes: Prototypes = self.network.roi_head.refine_head.prototypes
        self.references: dict[int, tuple[Tensor, Tensor]] = {}

    def refine(
        self, found: Detections, logits: Tensor | None, kept: np.ndarray, ids: np.ndarray
    ) -> Tensor | None:
        """See :meth:`QDTrackVideo.refine`: what the tracker kept is refined, the rest is not."""
        assert logits is not None and found.mask_features is not None
        assert found.mask_logits is not None
        rows = torch.as_tensor(kept, device=logits.device)
        features, labels = found.mask_features[rows], found.labels[rows]
        all_logits = found.mask_logits[rows]
        references = [
            self.references.get(number, (features[place], all_logits[place]))
            for place, number in enumerate(ids.tolist())
        ]
        before = own_class(torch.stack([said for _, said in references]), labels)
        head = self.network.roi_head.refine_head
        refined, self.prototypes = head(
            torch.stack([seen for seen, _ in references]),
            before,
            features,
            logits[rows],
            self.prototypes,
        )
        if self.network.carry_prototypes:
            head.keep(self.prototypes)
        for place, number in enumerate(ids.tolist()):
            self.references[number] = features[place].clone(), all_logits[place].clone()
        self.references = {number: self.references[number] for number in self.tracker.tracklets}
        logits = logits.clone()
        logits[rows] = refined
        return logits
