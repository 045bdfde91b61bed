"""mmcv's own synchronised batch norm (MMSyncBN) against torch's batch norm."""

import pytest
import torch
import torch.distributed as dist
from mmcv import _ext
from mmcv.ops import SyncBatchNorm
from torch.nn import BatchNorm2d


@pytest.fixture
def one_rank(tmp_path):
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def test_one_rank_is_batch_norm(one_rank):
    ours, theirs = SyncBatchNorm(3), BatchNorm2d(3)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(4, 3, 5, 7, requires_grad=True)
    y = x.detach().clone().requires_grad_()
    weight = torch.randn(4, 3, 5, 7)
    for _ in range(2):
        output, expected = ours(x), theirs(y)
        torch.testing.assert_close(output, expected)
    (output * weight).sum().backward()
    (expected * weight).sum().backward()
    torch.testing.assert_close(x.grad, y.grad)
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)
    torch.testing.assert_close(ours.bias.grad, theirs.bias.grad)
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_halves_are_normalised_in_float32(dtype):
    x = torch.randn(2, 3, 10).to(dtype)
    mean, var, std = torch.zeros(3), torch.zeros(3), torch.zeros(3)
    norm, output = torch.zeros(2, 3, 10), torch.zeros(2, 3, 10, dtype=dtype)
    _ext.sync_bn_forward_mean(x, mean)
    _ext.sync_bn_forward_var(x, mean, var)
    ones, zeros = torch.ones(3), torch.zeros(3)
    _ext.sync_bn_forward_output(
        x, mean, var, ones, zeros, zeros.clone(), ones.clone(), norm, std, output,
        eps=1e-5, momentum=0.1, group_size=1,
    )  # fmt: skip
    expected = torch.nn.functional.batch_norm(x.float(), None, None, training=True)
    torch.testing.assert_close(norm, expected, rtol=1e-4, atol=1e-4)
    assert torch.equal(output, norm.to(dtype))


def test_two_ranks_see_the_statistics_of_both():
    whole = torch.randn(4, 3, 10)
    expected = BatchNorm2d(3)
    expected(whole[..., None])
    means = [torch.zeros(3), torch.zeros(3)]
    variances = [torch.zeros(3), torch.zeros(3)]
    halves = whole[:2], whole[2:]
    for part, mean in zip(halves, means, strict=True):
        _ext.sync_bn_forward_mean(part, mean)
    mean = sum(means) / 2
    for part, var in zip(halves, variances, strict=True):
        _ext.sync_bn_forward_var(part, mean, var)
    running_mean, running_var = torch.zeros(3), torch.ones(3)
    _ext.sync_bn_forward_output(
        halves[0], mean, sum(variances) / 2, torch.ones(3), torch.zeros(3), running_mean,
        running_var, torch.zeros(2, 3, 10), torch.zeros(3), torch.zeros(2, 3, 10),
        eps=1e-5, momentum=0.1, group_size=2,
    )  # fmt: skip
    torch.testing.assert_close(running_mean, expected.running_mean)
    torch.testing.assert_close(running_var, expected.running_var)
