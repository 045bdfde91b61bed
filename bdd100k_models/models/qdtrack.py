"""QDTrack: Faster R-CNN with an embedding of each box (Pang et al., CVPR 2021).

Importing this module registers ``QDTrack`` and ``QuasiDenseRoIHead`` with MMDetection. Names of
modules are those of the published weights. What belongs to a video is in the object that
:meth:`QDTrack.new_video` makes, and nothing of it on the network.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from mmdet.core import bbox2roi, build_assigner, build_sampler
from mmdet.models.builder import DETECTORS, HEADS, build_head, build_roi_extractor
from mmdet.models.detectors import TwoStageDetector
from mmdet.models.roi_heads import StandardRoIHead
from torch import Tensor

from bdd100k_models.models import embedding  # noqa: F401  # its head is named in configs
from bdd100k_models.models.mask_grids import paste_masks
from bdd100k_models.tracking.quasi_dense import QuasiDenseSettings, QuasiDenseTracker
from bdd100k_models.tracking.tracked import TrackedFrame


class Detections(NamedTuple):
    """What the network finds in one image, on its device.

    Attributes:
        boxes: (N, 5) float32, x1 y1 x2 y2 score, pixels of the original image, by falling score.
        labels: (N,) int64.
        embeddings: (N, E) float32.
        mask_features: (N, C, h, w), what the mask head sees of each box; None without masks.
        mask_logits: (N, classes, H, W), what it says.
    """

    boxes: Tensor
    labels: Tensor
    embeddings: Tensor
    mask_features: Tensor | None = None
    mask_logits: Tensor | None = None


class Reference(NamedTuple):
    """The reference frames of a training step.

    Attributes:
        features: levels of the pyramid, each (B, C, H, W).
        proposals: for each image (N, 5).
        boxes: for each image (G, 4), the true boxes.
        labels: for each image (G,).
        matches: for each *key* frame (G,) int64, which true box of its reference is the same
            thing as each of its own; -1 for none.
    """

    features: tuple[Tensor, ...]
    proposals: list[Tensor]
    boxes: list[Tensor]
    labels: list[Tensor]
    matches: list[Tensor]


@HEADS.register_module()
class QuasiDenseRoIHead(StandardRoIHead):
    """Boxes, and embeddings of boxes.

    Args:
        track_roi_extractor: cuts the map of a box out of the pyramid.
        track_head: map of a box -> embedding.
        track_train_cfg: ``assigner`` and ``sampler`` of the regions that embeddings learn from.
        options: of MMDetection's ``StandardRoIHead``.
    """

    def __init__(
        self,
        track_roi_extractor: dict[str, Any],
        track_head: dict[str, Any],
        track_train_cfg: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.track_roi_extractor = build_roi_extractor(track_roi_extractor)
        self.track_head = build_head(track_head)
        self.track_assigner: Any = None
        self.track_sampler: Any = None
        if track_train_cfg:
            self.track_assigner = build_assigner(track_train_cfg["assigner"])
            self.track_sampler = build_sampler(track_train_cfg["sampler"], context=self)

    def embed(self, features: tuple[Tensor, ...], boxes: list[Tensor]) -> Tensor:
        """Embeddings (N, E) of the boxes of all images, which are in pixels of the input."""
        levels = features[: self.track_roi_extractor.num_inputs]
        embeddings: Tensor = self.track_head(self.track_roi_extractor(levels, bbox2roi(boxes)))
        return embeddings

    def forward_train(
        self,
        x: tuple[Tensor, ...],
        img_metas: list[dict[str, Any]],
        proposal_list: list[Tensor],
        gt_bboxes: list[Tensor],
        gt_labels: list[Tensor],
        gt_bboxes_ignore: list[Tensor] | None = None,
        gt_masks: Any = None,
        *,
        reference: Reference,
    ) -> dict[str, Tensor]:
        """Losses of the key frames, and those of their embeddings against the references."""
        losses: dict[str, Tensor] = super().forward_train(
            x, img_metas, proposal_list, gt_bboxes, gt_labels, gt_bboxes_ignore, gt_masks
        )
        losses.update(self.track_loss(x, proposal_list, gt_bboxes, gt_labels, reference))
        return losses

    def track_loss(
        self,
        features: tuple[Tensor, ...],
        proposals: list[Tensor],
        boxes: list[Tensor],
        labels: list[Tensor],
        reference: Reference,
    ) -> dict[str, Tensor]:
        """Losses of the embeddings: positives of the key frame against all of the reference."""
        keys = [self._sampled(*of) for of in zip(proposals, boxes, labels, strict=True)]
        others = [
            self._sampled(*of)
            for of in zip(reference.proposals, reference.boxes, reference.labels, strict=True)
        ]
        key_boxes = [sample.pos_bboxes for sample in keys]
        other_boxes = [sample.bboxes for sample in others]
        targets = []
        for key, other, same in zip(keys, others, reference.matches, strict=True):
            wanted = same[key.pos_assigned_gt_inds]
            found = torch.cat(
                [other.pos_assigned_gt_inds, wanted.new_full((len(other.neg_bboxes),), -2)]
            )
            targets.append(wanted[:, None] == found[None, :])
        losses: dict[str, Tensor] = self.track_head.loss(
            self.embed(features, key_boxes).split([len(some) for some in key_boxes]),
            self.embed(reference.features, other_boxes).split([len(some) for some in other_boxes]),
            targets,
        )
        return losses

    def _sampled(self, proposals: Tensor, boxes: Tensor, labels: Tensor) -> Any:
        assigned = self.track_assigner.assign(proposals, boxes, None, labels)
        return self.track_sampler.sample(assigned, proposals, boxes, labels)


@DETECTORS.register_module()
class QDTrack(TwoStageDetector):
    """Faster R-CNN whose boxes have embeddings, and the settings of its tracker.

    Args:
        tracker: settings of the tracker, see ``QuasiDenseSettings``.
        train_cfg: as for MMDetection's detectors; ``embed`` beside it is for the embeddings.
        options: of MMDetection's ``TwoStageDetector``.

    Raises:
        ValueError: ``train_cfg`` says nothing of embeddings.
    """

    #: What a checkpoint is that has no weight under a prefix.
    WITHOUT: ClassVar[Mapping[str, str]] = {
        "roi_head.track_head.": "it has no embeddings (roi_head.track_head), so it is a detector "
        "and no tracker: take QDTrack's weights, train with it as load_from, or track its det.json "
        "with tools/track.py"
    }

    def __init__(
        self,
        roi_head: Any,
        train_cfg: Any = None,
        tracker: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        if train_cfg is not None:
            if "embed" not in train_cfg:
                raise ValueError("train_cfg has no embed: assigner and sampler of the embeddings")
            roi_head = copy.deepcopy(roi_head)
            roi_head["track_train_cfg"] = train_cfg["embed"]
        super().__init__(roi_head=roi_head, train_cfg=train_cfg, **options)
        self.tracker_settings = QuasiDenseSettings(**(tracker or {}))

    def new_video(self) -> QDTrackVideo:
        """What is known of a video before its first frame."""
        return QDTrackVideo(self)

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
        """Losses of pairs of a key frame and a reference frame of its video.

        Args:
            img: (B, 3, H, W), the key frames.
            img_metas: of the key frames.
            gt_bboxes: for each image (G, 4), x1 y1 x2 y2, pixels of the input.
            gt_labels: for each image (G,) int64.
            gt_match_indices: for each key frame (G,) int64; see :class:`Reference`.
            ref_img: (B, 3, H, W), the reference frames.
            ref_img_metas: of the reference frames.
            ref_gt_bboxes: of the reference frames.
            ref_gt_labels: of the reference frames.
            gt_masks: for each key frame, where masks are learnt.
            ref_gt_masks: of the reference frames; nothing learns from them here.
        """
        features = self.extract_feat(img)
        losses, proposals = self.rpn_head.forward_train(
            features,
            img_metas,
            gt_bboxes,
            gt_labels=None,
            gt_bboxes_ignore=None,
            proposal_cfg=self.train_cfg.rpn_proposal,
        )
        reference = self._reference(
            ref_img, ref_img_metas, ref_gt_bboxes, ref_gt_labels, gt_match_indices
        )
        losses.update(
            self.roi_head.forward_train(
                features,
                img_metas,
                proposals,
                gt_bboxes,
                gt_labels,
                gt_masks=gt_masks,
                reference=reference,
            )
        )
        return dict(losses)

    def _reference(
        self,
        img: Tensor,
        img_metas: list[dict[str, Any]],
        boxes: list[Tensor],
        labels: list[Tensor],
        matches: list[Tensor],
    ) -> Reference:
        features = self.extract_feat(img)
        proposals = self.rpn_head.simple_test_rpn(features, img_metas)
        return Reference(features, [found.detach() for found in proposals], boxes, labels, matches)

    def simple_test(
        self,
        img: Tensor,
        img_metas: list[dict[str, Any]],
        proposals: None = None,
        rescale: bool = True,
        video: Any = None,
    ) -> list[Any]:
        """:class:`Detections` of each image; ``video`` is for networks that remember frames."""
        if not rescale:
            raise ValueError("boxes are given in pixels of the original image only")
        return self.detect(self.extract_feat(img), img_metas)

    def detect(
        self, features: tuple[Tensor, ...], img_metas: list[dict[str, Any]]
    ) -> list[Detections]:
        """What is in each image, by its features."""
        head = self.roi_head
        proposals = self.rpn_head.simple_test_rpn(features, img_metas)
        boxes, labels = head.simple_test_bboxes(
            features, img_metas, proposals, head.test_cfg, rescale=True
        )
        in_input = [
            found[:, :4] * found.new_tensor(np.asarray(meta["scale_factor"]))
            for found, meta in zip(boxes, img_metas, strict=True)
        ]
        embeddings = head.embed(features, in_input)
        columns = [boxes, labels, embeddings.split([len(found) for found in boxes])]
        if head.with_mask:
            masks = head._mask_forward(features, bbox2roi(in_input))
            for name in ("mask_feats", "mask_pred"):
                columns.append(masks[name].split([len(found) for found in boxes]))
        return [Detections(*found) for found in zip(*columns, strict=True)]


class QDTrackVideo:
    """One video on its way through a :class:`QDTrack`.

    Attributes:
        network: in eval mode.
        tracker: with what it remembers.
    """

    def __init__(self, network: QDTrack) -> None:
        self.network: Any = network
        self.tracker = QuasiDenseTracker(network.tracker_settings)

    @torch.no_grad()
    def __call__(self, frame_index: int, img: Tensor, meta: dict[str, Any]) -> TrackedFrame:
        """The next frame of the video.

        Args:
            frame_index: its place in the video; greater than that of the frame before.
            img: (1, 3, H, W) float32, as the test pipeline makes it, on the network's device.
            meta: of the test pipeline: ``scale_factor``, ``img_shape``, ``ori_shape``.
        """
        (found,) = self.network(
            return_loss=False, rescale=True, img=[img], img_metas=[[meta]], video=self
        )
        boxes, labels, embeddings = (part.cpu().numpy() for part in found[:3])
        kept = ids = np.zeros(0, np.int64)
        logits = own_class(found.mask_logits, found.labels)
        if len(boxes):  # a frame in which there is nothing leaves everything as it is
            kept, ids = self.tracker.match(frame_index, boxes, labels, embeddings)
            logits = self.refine(found, logits, kept, ids)
        height, width = (int(side) for side in meta["ori_shape"][:2])
        masks = None
        if logits is not None:
            scale = found.boxes.new_tensor(np.asarray(meta["scale_factor"]))
            masks = paste_masks(
                logits.sigmoid(),
                found.boxes[:, :4] * scale / scale,  # the rounding of the original
                height,
                width,
                self.network.roi_head.test_cfg.mask_thr_binary,
            )
        return TrackedFrame(boxes, labels, embeddings, kept, ids, height, width, masks)

    def refine(
        self, found: Detections, logits: Tensor | None, kept: np.ndarray, ids: np.ndarray
    ) -> Tensor | None:
        """The masks to show, for a video that knows better than the mask head.

        Args:
            found: the detections, at least one.
            logits: (N, H, W), the mask of each detection's class, or None.
            kept: (K,), the detections that the tracker kept.
            ids: (K,), their identities.
        """
        return logits


def own_class(logits: Tensor | None, labels: Tensor) -> Tensor | None:
    """(N, classes, H, W) and (N,) -> (N, H, W), the grid of each detection's own class."""
    if logits is None:
        return None
    return logits[torch.arange(len(labels), device=labels.device), labels]
