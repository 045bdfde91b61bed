"""mmdet 2.x on today's numpy, and without panopticapi."""

import json

import mmdet.core.bbox.samplers.iou_balanced_neg_sampler as sampler_module
import mmdet.datasets.custom as dataset_module
import numpy as np
import torch
from mmdet.core import AssignResult, InstanceBalancedPosSampler, IoUBalancedNegSampler
from mmdet.datasets.coco_panoptic import COCOPanoptic
from mmdet.datasets.pipelines import LoadPanopticAnnotations, loading

from bdd100k_models.frames.panoptic import rgb_to_id


def test_old_numpy_names_reach_mmdet_alone():
    assert dataset_module.np.int is int
    assert sampler_module.np.arange is np.arange
    assert not hasattr(np, "int")


def test_iou_balanced_sampler_draws_in_numpy():
    overlaps = torch.linspace(0, 0.4, 200)
    assigned = AssignResult(0, torch.zeros(200, dtype=torch.long), overlaps)
    sampler = IoUBalancedNegSampler(16, 0.25, floor_thr=0.1, floor_fraction=0.3, num_bins=3)
    drawn = sampler._sample_neg(assigned, 16)
    assert len(set(drawn.tolist())) == 16


def test_iou_balanced_sampler_draws_alike_from_the_first_time():
    overlaps = torch.cat([torch.zeros(100), torch.linspace(0.01, 0.4, 100)])
    assigned = AssignResult(0, torch.zeros(200, dtype=torch.long), overlaps)
    sampler = IoUBalancedNegSampler(16, 0.25, floor_thr=-1, floor_fraction=0, num_bins=3)
    drawn = []
    for _ in range(3):
        torch.manual_seed(0)
        drawn.append(sampler._sample_neg(assigned, 16).tolist())
    assert drawn[0] == drawn[1] == drawn[2]
    assert len(set(drawn[0])) == 16


def test_instance_balanced_sampler_draws_nothing_twice():
    things = torch.cat([torch.zeros(5), torch.ones(60), torch.full((3,), 2)]).long()
    assigned = AssignResult(2, things, torch.ones(68))
    sampler = InstanceBalancedPosSampler(40, 1.0)
    drawn = []
    for _ in range(2):
        torch.manual_seed(0)
        drawn.append(sampler._sample_pos(assigned, 40).tolist())
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 40
    assert sum(things[i] == 2 for i in drawn[0]) == 3
    assert min(drawn[0]) >= 5
    assert len(sampler._sample_pos(assigned, 64)) == 63


def test_panoptic_annotations_load(tmp_path):
    file = tmp_path / "pan.json"
    segment = {"id": 1, "category_id": 7, "area": 4, "bbox": [0, 0, 2, 2], "iscrowd": 0}
    file.write_text(
        json.dumps(
            {
                "images": [{"id": 0, "file_name": "a.jpg", "height": 2, "width": 2}],
                "annotations": [{"image_id": 0, "file_name": "a.png", "segments_info": [segment]}],
                "categories": [{"id": 7, "name": "car", "isthing": 1}],
            }
        )
    )
    assert COCOPanoptic(str(file)).getImgIds() == [0]
    assert LoadPanopticAnnotations().with_seg
    assert loading.rgb2id is rgb_to_id
