"""mmcv's operators as plain functions of torch: seen by torch.compile, and without a detour."""

import sys

import mmcv.ops
import pytest
import torch
from mmcv.ops import (
    DeformConv2dPack,
    ModulatedDeformConv2dPack,
    RoIAlign,
    batched_nms,
    deform_conv2d,
    modulated_deform_conv2d,
    nms,
    roi_align,
)
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

ROIS = torch.tensor([[0, 1.0, 1, 20, 17], [1, 3, 2, 9, 30], [1, 0, 0, 31, 31]])


class Calls(TorchDispatchMode):
    """Every op that reaches a kernel."""

    def __init__(self):
        super().__init__()
        self.ops = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self.ops.append(str(func))
        return result


def layers():
    torch.manual_seed(0)
    plain = nn.ModuleDict(
        {
            "roi_align": RoIAlign((7, 7), 0.5, 0),
            "deform": DeformConv2dPack(4, 4, 3, padding=1),
            "modulated": ModulatedDeformConv2dPack(4, 4, 3, padding=1),
        }
    )
    for name in ("deform", "modulated"):
        nn.init.normal_(plain[name].conv_offset.weight, std=0.3)
    return plain


class Net(nn.Module):
    """A deformable convolution of each kind, then RoIAlign."""

    def __init__(self):
        super().__init__()
        self.layers = layers()

    def forward(self, features, rois):
        features = self.layers["modulated"](self.layers["deform"](features))
        return self.layers["roi_align"](features, rois)


@pytest.fixture
def features():
    return torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(1))


def test_compiled_without_a_graph_break(features):
    torch._dynamo.reset()
    net = Net()
    compiled = torch.compile(net, fullgraph=True, backend="eager")
    assert torch.equal(compiled(features, ROIS), net(features, ROIS))


def test_gradients_through_a_compiled_graph(features):
    torch._dynamo.reset()
    net = Net()
    expected = torch.autograd.grad(net(features, ROIS).square().sum(), list(net.parameters()))
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    found = torch.autograd.grad(compiled(features, ROIS).square().sum(), list(net.parameters()))
    torch.testing.assert_close(found, expected)


def test_exported(features):
    net = Net().eval()
    regions = torch.export.Dim("regions", min=2)
    program = torch.export.export(
        net, (features, ROIS), dynamic_shapes={"features": None, "rois": {0: regions}}
    )
    targets = [str(node.target) for node in program.graph.nodes]
    assert targets.count("torchvision.roi_align.default") == 1
    assert targets.count("torchvision.deform_conv2d.default") == 2
    more = torch.cat([ROIS, ROIS])
    assert torch.equal(program.module()(features, more), net(features, more))


def test_nms_compiled_without_a_graph_break():
    torch._dynamo.reset()
    boxes, scores = ROIS[:, 1:] * 1.0, torch.tensor([0.4, 0.9, 0.6])
    with torch._dynamo.config.patch(capture_dynamic_output_shape_ops=True):
        keep = torch.compile(
            lambda boxes, scores: sys.modules["mmcv.ops.nms"].NMSop.apply(
                boxes, scores, 0.2, 0, 0.0, 10
            ),
            fullgraph=True,
            backend="eager",
        )
        assert torch.equal(keep(boxes, scores), nms(boxes, scores, 0.2, max_num=10)[1])


def test_roi_align_is_one_call(features):
    features.requires_grad_()
    with Calls() as calls:
        roi_align(features, ROIS, (7, 7), 0.5, 0, "avg", True)
    assert calls.ops == ["torchvision.roi_align.default"]


@pytest.mark.parametrize("modulated", [False, True])
def test_deformable_convolution_is_one_call(features, modulated):
    weight, bias = torch.randn(4, 4, 3, 3), torch.randn(4)
    maps = [torch.randn(2, 18, 14, 14), torch.rand(2, 9, 14, 14)]
    with Calls() as calls:
        if modulated:
            modulated_deform_conv2d(features, *maps, weight, bias)
        else:
            deform_conv2d(features, maps[0], weight)
    # Without a mask or a bias, torchvision makes small ones of zeros.
    assert [op for op in calls.ops if op != "aten.zeros.default"] == [
        "torchvision.deform_conv2d.default"
    ]


@pytest.mark.parametrize("offset", [0, 1])
def test_nms_filters_by_score_and_number(offset):
    boxes = torch.tensor([[0.0, 0, 9, 9], [20, 0, 29, 9], [40, 0, 49, 9], [60, 0, 69, 9]])
    scores = torch.tensor([0.3, 0.9, 0.5, 0.7])
    dets, inds = nms(boxes, scores, 0.5, offset=offset, score_threshold=0.4, max_num=2)
    assert inds.tolist() == [1, 3]
    assert torch.equal(dets, torch.cat([boxes[inds], scores[inds, None]], dim=1))
    assert nms(boxes, scores, 0.5, offset, score_threshold=0.4)[1].tolist() == [1, 3, 2]
    assert nms(boxes, scores, 0.5, offset, score_threshold=0.95)[0].shape == (0, 5)


@pytest.mark.parametrize("split_thr", [10, 10000])
@pytest.mark.parametrize("class_agnostic", [False, True])
def test_batched_nms_keeps_mmcvs_meaning(split_thr, class_agnostic):
    generator = torch.Generator().manual_seed(3)
    corner = torch.rand(60, 2, generator=generator) * 50
    boxes = torch.cat([corner, corner + 5 + torch.rand(60, 2, generator=generator) * 20], dim=1)
    scores = torch.rand(60, generator=generator)
    classes = torch.randint(0, 3, (60,), generator=generator)
    config = {"type": "nms", "iou_threshold": 0.4, "max_num": 7, "split_thr": split_thr}
    dets, keep = batched_nms(boxes, scores, classes, config, class_agnostic)
    if class_agnostic and split_thr > 60:
        expected = nms(boxes, scores, 0.4)[1][:7]
    else:
        # In one call `max_num` holds for all classes together, in groups for each and for all.
        kept = [
            rows[nms(boxes[rows], scores[rows], 0.4)[1]]
            for rows in (torch.nonzero(classes == index)[:, 0] for index in range(3))
        ]
        together = torch.cat(kept)
        expected = together[scores[together].argsort(descending=True)][:7]
    assert keep.tolist() == expected.tolist()
    assert torch.equal(dets[:, 4], scores[keep])


def test_autocast_pools_in_full_precision(features):
    expected = roi_align(features, ROIS, (3, 3), 0.5)
    with torch.autocast("cpu", torch.bfloat16):
        half = roi_align(features.bfloat16(), ROIS, (3, 3), 0.5)
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), expected, rtol=0.02, atol=0.02)


def test_autocast_convolves_in_the_type_of_the_offset(features):
    layer = layers()["deform"]
    expected = layer(features)
    with torch.autocast("cpu", torch.bfloat16):
        output = layer(features)
    assert output.dtype == torch.bfloat16
    torch.testing.assert_close(output.float(), expected, rtol=0.1, atol=0.1)
    output.float().sum().backward()
    assert layer.weight.grad.dtype == torch.float32


@pytest.mark.parametrize("call", [
    lambda x: roi_align(x, torch.zeros(1, 4), 2),
    lambda x: roi_align(x, torch.zeros(1, 5), 2, 1.0, 0, "median"),
    lambda x: deform_conv2d(x[0], torch.zeros(1, 18, 16, 16), torch.zeros(4, 4, 3, 3)),
    lambda x: deform_conv2d(x, torch.zeros(2, 18, 14, 14), torch.zeros(4, 4, 3, 3), bias=True),
])  # fmt: skip
def test_arguments_that_make_no_sense(features, call):
    with pytest.raises(ValueError, match=r"5 columns|pool_mode|shape \(N, C, H, W\)|no bias"):
        call(features)


def test_autograd_functions_of_mmcv_are_the_same():
    for module, function, name in (
        ("roi_align", "RoIAlignFunction", "roi_align"),
        ("deform_conv", "DeformConv2dFunction", "deform_conv2d"),
        ("modulated_deform_conv", "ModulatedDeformConv2dFunction", "modulated_deform_conv2d"),
    ):
        inner = sys.modules[f"mmcv.ops.{module}"]
        assert getattr(inner, function).apply is getattr(mmcv.ops, name)


def test_a_compiled_modules_functions_stay(run_python):
    out = run_python(
        "import sys, types\n"
        "import bdd100k_models\n"
        "compiled = types.ModuleType('mmcv._ext')\n"
        "compiled.__file__ = '/anywhere/mmcv/_ext.so'\n"
        "compiled.__getattr__ = lambda name: (lambda *a, **k: None)\n"
        "sys.modules['mmcv._ext'] = compiled\n"
        "import mmcv.ops\n"
        "from torch.autograd import Function\n"
        "for name, cls in (('roi_align', 'RoIAlignFunction'), ('nms', 'NMSop'),\n"
        "        ('deform_conv', 'DeformConv2dFunction'),\n"
        "        ('modulated_deform_conv', 'ModulatedDeformConv2dFunction')):\n"
        "    print(issubclass(getattr(sys.modules['mmcv.ops.' + name], cls), Function))\n"
        "print(mmcv.ops.roi_align.__module__)\n"
    )
    assert out.split()[:4] == ["True"] * 4
    assert "bdd100k_models" not in out
