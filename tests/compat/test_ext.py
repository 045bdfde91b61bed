"""The module that stands in for `mmcv._ext`: its names, and what the missing ops say."""

import re
from pathlib import Path

import mmcv
import mmcv.ops
import pytest
import torch
from mmcv import _ext


def wanted_names() -> set[str]:
    """Every name that the files of mmcv.ops ask the compiled module for."""
    names: set[str] = set()
    for file in Path(mmcv.__file__).parent.joinpath("ops").glob("*.py"):
        for call in re.findall(r"load_ext\(\s*'_ext',\s*\[(.*?)\]", file.read_text(), re.S):
            names.update(re.findall(r"'(\w+)'", call))
    return names


def test_every_name_that_mmcv_asks_for_exists():
    names = wanted_names()
    assert len(names) > 80
    assert all(callable(getattr(_ext, name)) for name in names)


def test_ops_that_are_replaced():
    assert {name for name in wanted_names() if name in _ext.__all__} == set(_ext.__all__)


@pytest.mark.parametrize("name", sorted(wanted_names() - set(_ext.__all__))[::9])
def test_missing_op_names_itself_and_the_way_out(name):
    with pytest.raises(NotImplementedError, match=rf"{name!r}.*mmcv-full"):
        getattr(_ext, name)(1, key=2)


def test_missing_op_through_mmcv():
    with pytest.raises(NotImplementedError, match="'roi_pool_forward'"):
        mmcv.ops.roi_pool(torch.zeros(1, 1, 4, 4), torch.zeros(1, 5), (2, 2), 1.0)


def test_no_attribute_with_underscores():
    with pytest.raises(AttributeError):
        _ = _ext.__wrapped__


def test_compiler_report():
    assert "torchvision" in mmcv.ops.get_compiler_version()
    assert "torch" in mmcv.ops.get_compiling_cuda_version()
