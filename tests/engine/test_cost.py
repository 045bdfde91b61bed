"""What models cost is counted as one can count by hand, without computing anything."""

import pytest

from bdd100k_models import load_config
from bdd100k_models.engine.cost import cost
from bdd100k_models.errors import UserError
from bdd100k_models.zoo import catalogue

#: One of each way to count: VGG has linear layers, FCN looks through windows, Sparse R-CNN has
#: learned proposals, dconv is counted by a rule of ours, PCAN and Panoptic FPN have further heads.
NAMES = [
    "vgg11_5x_224x224_weather_tag_bdd100k",
    "sparse_rcnn_r50_fpn_1x_det_bdd100k",
    "mask_rcnn_r50_fpn_dconv_1x_ins_seg_bdd100k",
    "fcn_r50-d8_769x769_40k_sem_seg_bdd100k",
    "panoptic_fpn_r50_fpn_1x_pan_seg_bdd100k",
    "mobilenetv2_256x192_1x_pose_bdd100k",
    "pcan-frcnn_r50_fpn_12e_mots_bdd100k",
]


@pytest.mark.parametrize("name", NAMES)
def test_the_catalogue_has_what_is_counted(name: str) -> None:
    assert catalogue.find(name).cost == cost(load_config(name))


def test_every_model_that_runs_here_has_a_cost() -> None:
    assert [n for n in catalogue.list_models() if catalogue.find(n).cost is None] == []


def test_vgg_by_hand() -> None:
    """Channels and side of each convolution of VGG-11, then its linear layers, and 7 tags."""
    convolutions = [
        (3, 64, 224),
        (64, 128, 112),
        (128, 256, 56),
        (256, 256, 56),
        (256, 512, 28),
        (512, 512, 28),
        (512, 512, 14),
        (512, 512, 14),
    ]
    linear = [(25088, 4096), (4096, 4096), (4096, 7)]
    products = sum(9 * i * o * side**2 for i, o, side in convolutions)
    products += sum(i * o for i, o in linear)
    learned = sum(9 * i * o + o for i, o, _ in convolutions) + sum(i * o + o for i, o in linear)
    found = cost(load_config("vgg11_5x_224x224_weather_tag_bdd100k"))
    assert found == catalogue.Cost(learned, round(2 * products / 1e9, 2), (224, 224))


def test_a_network_that_cannot_be_built() -> None:
    cfg = load_config(NAMES[0], options={"model.backbone.type": "NoSuch"})
    with pytest.raises(UserError, match="model cannot be built"):
        cost(cfg)
