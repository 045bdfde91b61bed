"""Networks made faster for inference on a CPU, with the same results.

What it does, where a network's modules allow it, and leaves everything else as it is:

- batch norm is folded into the convolution before it;
- convolutions compute in the channels-last layout, so that all maps between them are in it, with
  weights that oneDNN has laid out once instead of at each call;
- convolutions of 3x3 take a quarter of the multiplications where maps and channels are many
  enough, see :mod:`bdd100k_models.engine.winograd`;
- the activation after a convolution, and the addition that closes a residual block, happen while
  the convolution writes its result, and not in passes over memory of their own;
- freed memory stays with the process, see :func:`bdd100k_models.system.keep_freed_memory`.
"""

from __future__ import annotations

import functools
import itertools
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn

from bdd100k_models.engine import winograd

_PACKAGES = ("mmcls", "mmdet", "mmseg", "mmpose")


def repeat_for_any_threads() -> None:
    """Let matrix products have the same bits for any number of threads, where MKL computes them.

    One process and many ranks share the cores of a machine out differently, and their files must
    not differ for it. A mode that the user chose (``MKL_CBWR``) stays. MKL looks when it first
    computes, so this comes before any network is built.
    """
    os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")


def accelerate(network: nn.Module, *, pack: bool = True) -> None:
    """Make a network in eval mode on the CPU faster, in place; it can no longer be trained.

    Its results stay the same but for rounding. Its state dict does not.

    Args:
        network: any network; modules that are not known stay as they are.
        pack: lay out maps and weights as oneDNN computes best; torch.compile has its own ways.
    """
    uses = _Uses(network)
    for module in list(network.modules()):
        _fold_norms(module, uses)
    if not pack:
        return
    for module in list(network.modules()):
        if type(module).forward is nn.GroupNorm.forward:
            module.forward = MethodType(_norm_groups, module)
    if packing_works():
        for module in list(network.modules()):
            if is_plain_convolution(module):
                PackedConv2d.adopt(module)
        uses = _Uses(network)
        for module in list(network.modules()):
            _fuse(module, uses)
    else:
        _set_layout(network, torch.channels_last)
    if "forward" not in vars(network):
        _set_forward(network, _in_either_layout)


def _set_layout(network: nn.Module, layout: torch.memory_format) -> None:
    for module in network.modules():
        if isinstance(module, PackedConv2d):
            module.layout = layout
        elif is_plain_convolution(module):
            module.to(memory_format=layout)


def _in_either_layout(self: Any, *inputs: Any, **options: Any) -> Any:
    """``forward`` of a network; one that takes the plain layout for granted gets it.

    That shows where it views a map as a vector, which fails at its first pass.
    """
    forward = type(self).forward
    try:
        return forward(self, *inputs, **options)
    except RuntimeError as error:
        if "view size is not compatible" not in str(error):
            raise
    del self.forward
    _set_layout(self, torch.contiguous_format)
    return forward(self, *inputs, **options)


# -- batch norm -----------------------------------------------------------------------------------


class _Uses:
    """How often modules and parameters have a place in a network; heads share some."""

    def __init__(self, network: nn.Module) -> None:
        modules = [module for _, module in network.named_modules(remove_duplicate=False)]
        self._modules = Counter(id(module) for module in modules)
        self._parameters = Counter(
            id(parameter)
            for module in {id(module): module for module in modules}.values()
            for parameter in module.parameters(recurse=False)
        )

    def once(self, module: nn.Module) -> bool:
        """Nobody else has the module or one of its parameters."""
        return self._modules[id(module)] == 1 and all(
            self._parameters[id(parameter)] == 1 for parameter in module.parameters(recurse=False)
        )


def _fold_norms(owner: nn.Module, uses: _Uses) -> None:
    for conv, name in _normed(owner):
        norm = owner._modules[name]
        if (
            norm is not None
            and (is_plain_convolution(conv) or _is_plain_deconvolution(conv))
            and _is_batch_norm(norm)
            and uses.once(conv)
            and uses.once(norm)
            and not _has_hooks(conv, norm)
        ):
            _fold(conv, norm)
            owner._modules[name] = nn.Identity()


def _normed(owner: Any) -> Iterator[tuple[nn.Module, str]]:
    """Convolutions of a module, each with the name of the norm that alone takes its result."""
    children = list(owner._modules.items())
    if isinstance(owner, nn.Sequential):
        for (_, first), (name, _) in itertools.pairwise(children):
            if first is not None:
                yield first, name
    elif _is_conv_module(owner):
        order = owner.order
        if owner.with_norm and order.index("norm") == order.index("conv") + 1:
            yield owner.conv, owner.norm_name
    elif type(owner).__module__.partition(".")[0] in (*_PACKAGES, "bdd100k_models"):
        # Their classes call conv1 norm1 conv2 norm2 in this order, or bn1 in the place of norm1.
        for name, conv in children:
            number = name.removeprefix("conv")
            if conv is None or number == name or not (number == "" or number.isdigit()):
                continue
            norm = getattr(owner, f"norm{number}_name", f"bn{number}")
            if norm in owner._modules:
                yield conv, norm


def _is_batch_norm(norm: Any) -> bool:
    return (
        isinstance(norm, (nn.BatchNorm2d, nn.SyncBatchNorm))
        and norm.running_mean is not None
        and not norm.training
    )


def is_plain_convolution(module: nn.Module) -> bool:
    """A two-dimensional convolution that computes what torch's own class does."""
    return (
        _computes_as(module, nn.Conv2d)
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
        and isinstance(module._parameters.get("weight"), Tensor)
        and "forward" not in vars(module)
    )


def _is_plain_deconvolution(module: nn.Module) -> bool:
    return _computes_as(module, nn.ConvTranspose2d) and bool(module.groups == 1)


def _computes_as(module: nn.Module, kind: type[nn.Module]) -> bool:
    """It is of a class of torch, or of mmcv's of the same name, which minds empty batches."""
    wrapper = getattr(sys.modules.get("mmcv.cnn.bricks.wrappers"), kind.__name__, kind)
    return isinstance(module, kind) and type(module).forward in (kind.forward, wrapper.forward)


def _is_conv_module(module: nn.Module) -> bool:
    kind = getattr(sys.modules.get("mmcv.cnn.bricks.conv_module"), "ConvModule", None)
    return kind is not None and type(module).forward is kind.forward


def _has_hooks(*modules: nn.Module | None) -> bool:
    return any(
        module is not None and bool(module._forward_hooks or module._forward_pre_hooks)
        for module in modules
    )


@torch.no_grad()
def _fold(conv: Any, norm: Any) -> None:
    scale = torch.rsqrt(norm.running_var.double() + norm.eps)
    if norm.weight is not None:
        scale = scale * norm.weight.double()
    shift = (
        -norm.running_mean.double()
        if conv.bias is None
        else (conv.bias.double() - norm.running_mean.double())
    )
    shift = shift * scale
    if norm.bias is not None:
        shift = shift + norm.bias.double()
    outputs_first = not conv.transposed
    weight = conv.weight.double() * scale.reshape((-1, 1, 1, 1) if outputs_first else (1, -1, 1, 1))
    conv.weight = nn.Parameter(weight.to(conv.weight.dtype), requires_grad=False)
    conv.bias = nn.Parameter(shift.to(conv.weight.dtype), requires_grad=False)


def _norm_groups(norm: nn.GroupNorm, input: Tensor) -> Tensor:
    """In the plain layout each group is summed by one thread: the same bits for any number."""
    return nn.functional.group_norm(
        input.contiguous(), norm.num_groups, norm.weight, norm.bias, norm.eps
    )


# -- convolutions ---------------------------------------------------------------------------------


@functools.cache
def packing_works() -> bool:
    """Whether this torch has oneDNN's convolutions with weights laid out once, and they are right.

    Builds for other processors may lack them.
    """
    if not torch.backends.mkldnn.is_available():
        return False
    try:
        with torch.inference_mode(), torch.random.fork_rng(devices=[]):
            conv = nn.Conv2d(4, 8, 3, padding=1)
            inputs, other = torch.randn(1, 4, 6, 6), torch.randn(1, 8, 6, 6)
            plain = conv(inputs)
            packed = PackedConv2d.adopt(conv)
            same = torch.allclose(packed(inputs), plain, atol=1e-5)
            sum_ = packed.compute(inputs, "relu", other)
            return same and torch.allclose(sum_, (plain + other).relu(), atol=1e-5)
    except (AttributeError, RuntimeError, NotImplementedError):
        return False


class PackedConv2d(nn.Conv2d):
    """A convolution with weights in oneDNN's layout, from and to maps in channels-last.

    Attributes:
        activation: what follows at each call: ``none`` or ``relu``.
        layout: of the maps: channels-last, or plain where a network relies on that.
    """

    activation: str
    padding: tuple[int, int]  # text is not taken
    layout: torch.memory_format
    _packed: dict[torch.dtype, tuple[Tensor, Tensor | None]]
    _winograd: Tensor | None

    @classmethod
    def adopt(cls, conv: Any) -> PackedConv2d:
        """Make a convolution one of these, in place: whoever holds it keeps it, hooks stay."""
        conv.__class__ = cls
        conv.activation = "none"
        conv.layout = torch.channels_last
        conv._packed = {}
        conv._winograd = None
        conv.requires_grad_(False)
        packed: PackedConv2d = conv
        return packed

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_packed": {}, "_winograd": None}

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, out_channels, H', W')."""
        return self.compute(input, self.activation)

    def compute(self, input: Tensor, activation: str, other: Tensor | None = None) -> Tensor:
        """The convolution, plus ``other`` of the shape of its result, through an activation."""
        dtype = _compute_dtype(input)
        packable = self.layout == torch.channels_last and input.dim() == 4 and input.numel()
        if dtype is None or not packable:
            return self._plain(input, activation, other)
        if dtype == torch.float32 and winograd.fits(self, input):
            if self._winograd is None:
                self._winograd = winograd.transform_weights(self.weight)
            return winograd.convolve(
                input.to(dtype),
                self._winograd,
                self.bias,
                self.padding,
                self.dilation[0],
                relu=activation == "relu",
                other=other,
            )
        weight, bias = self._weights(dtype, input)
        input = input.to(dtype).contiguous(memory_format=torch.channels_last)
        shape = (self.padding, self.stride, self.dilation, self.groups)
        if other is None:
            result: Tensor = torch.ops.mkldnn._convolution_pointwise(
                input, weight, bias, *shape, activation, [], ""
            )
        else:
            other = other.to(dtype).contiguous(memory_format=torch.channels_last)
            result = torch.ops.mkldnn._convolution_pointwise.binary(
                input,
                other,
                weight,
                bias,
                *shape,
                "add",
                1.0,
                None if activation == "none" else activation,
                [],
                "",
            )
        return result

    def _plain(self, input: Tensor, activation: str, other: Tensor | None) -> Tensor:
        result = super().forward(input)
        if other is not None:
            result = result + other
        return result.relu() if activation == "relu" else result

    def _weights(self, dtype: torch.dtype, input: Tensor) -> tuple[Tensor, Tensor | None]:
        """Weights for a format, laid out for the first map that comes; they fit all others."""
        found = self._packed.get(dtype)
        if found is None:
            weight = torch.ops.mkldnn._reorder_convolution_weight(
                self.weight.detach().to(dtype),
                self.padding,
                self.stride,
                self.dilation,
                self.groups,
                list(input.shape),
            )
            bias = None if self.bias is None else self.bias.detach().to(dtype)
            found = self._packed[dtype] = weight, bias
        return found


def _compute_dtype(input: Tensor) -> torch.dtype | None:
    """In which format to compute, or None where only torch's own convolution will do."""
    if input.device.type != "cpu" or (input.requires_grad and torch.is_grad_enabled()):
        return None
    dtype = input.dtype
    if torch.is_autocast_enabled("cpu"):
        dtype = torch.get_autocast_dtype("cpu")
    if dtype == torch.float32 or (
        dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    ):
        return dtype
    return None


# -- what surrounds convolutions ------------------------------------------------------------------


def _fuse(module: nn.Module, uses: _Uses) -> None:
    if isinstance(module, nn.Sequential):
        _fuse_sequence(module, uses)
    elif _is_conv_module(module):
        if isinstance(module.conv, PackedConv2d):
            _set_forward(module, _conv_module)
    elif type(module).forward in _forwards("resnet", ("BasicBlock", "Bottleneck")):
        if not getattr(module, "with_plugins", False):
            _set_forward(module, _residual_block)
    elif type(module).forward in (
        *_forwards("resnet", ("ResNet",)),
        *_forwards("hrnet", ("HRNet",)),
    ):
        _fuse_stem(module)


def _forwards(file: str, classes: tuple[str, ...]) -> list[Any]:
    """The forward methods of backbone classes, in those packages that are imported."""
    modules = [sys.modules.get(f"{package}.models.backbones.{file}") for package in _PACKAGES]
    return [
        getattr(module, name).forward
        for module in modules
        for name in classes
        if hasattr(module, name)
    ]


def _set_forward(module: nn.Module, forward: Callable[..., Any]) -> None:
    module.forward = MethodType(forward, module)


def _fuse_sequence(sequence: nn.Sequential, uses: _Uses) -> None:
    """A convolution takes over the ReLU after it, behind a norm that is folded by now."""
    last: nn.Module | None = None
    for name, module in sequence._modules.items():
        if isinstance(module, nn.Identity):
            continue
        if (
            type(module) is nn.ReLU
            and isinstance(last, PackedConv2d)
            and uses.once(last)
            and not _has_hooks(last, module)
        ):
            last.activation = "relu"
            sequence._modules[name] = nn.Identity()
        last = module


def _fuse_stem(backbone: Any) -> None:
    """The first convolutions, which share the ReLU after each."""
    names = [name for name in ("conv1", "conv2") if name in backbone._modules]
    convs = [backbone._modules[name] for name in names]
    norms = [backbone._modules.get(getattr(backbone, f"norm{name[4:]}_name", "")) for name in names]
    if (
        convs
        and type(backbone._modules.get("relu")) is nn.ReLU
        and all(isinstance(conv, PackedConv2d) for conv in convs)
        and all(isinstance(norm, nn.Identity) for norm in norms)
        and not _has_hooks(*convs, backbone.relu)
    ):
        for conv in convs:
            conv.activation = "relu"
        backbone.relu = nn.Identity()


def _conv_module(self: Any, x: Tensor, activate: bool = True, norm: bool = True) -> Tensor:
    """In the place of ``ConvModule.forward``."""
    normed = norm and self.with_norm
    norm_layer = self.norm if normed else None
    direct = self.order == ("conv", "norm", "act") and not self.with_explicit_padding
    if (
        direct
        and activate
        and self.with_activation
        and type(self.activate) is nn.ReLU
        and (norm_layer is None or isinstance(norm_layer, nn.Identity))
        and not _has_hooks(self.conv, norm_layer, self.activate)
    ):
        return self.conv.compute(x, "relu")
    return type(self).forward(self, x, activate, norm)


def _residual_block(self: Any, x: Tensor) -> Tensor:
    """In the place of ``forward`` of ResNet's blocks: two or three convolutions and a sum."""
    last = 3 if "conv3" in self._modules else 2
    out = x
    for number in range(1, last):
        out = _layer(self, number, out)
    identity = x if self.downsample is None else self.downsample(x)
    return _layer(self, last, out, identity)


def _layer(block: Any, number: int, x: Tensor, other: Tensor | None = None) -> Tensor:
    conv = block._modules[f"conv{number}"]
    norm = block._modules[getattr(block, f"norm{number}_name")]
    if (
        isinstance(conv, PackedConv2d)
        and isinstance(norm, nn.Identity)
        and not _has_hooks(conv, norm, block.relu)
    ):
        return conv.compute(x, "relu", other)
    out = norm(conv(x))
    if other is not None:
        out = out + other
    return block.relu(out)
