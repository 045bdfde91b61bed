"""A GPU rehearsed on a CPU: tensors that say they are on ``cuda:0`` and compute on the host.

Within :func:`rehearsal`, ``.to("cuda")`` gives tensors whose data stay in host memory. Everything
that CUDA would refuse raises as it does there: operations on tensors of two devices, a GPU tensor
that goes to numpy, a GPU that is not there. What makes the host wait for the GPU is counted. Out of
reach are kernels (numbers are those of the CPU), memory, streams, and the backward pass, which
torch runs in threads of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NoReturn
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_unflatten

from bdd100k_models.benchmarks.waits import Waits

#: Operations whose result the host has to see before it goes on -> what a user calls them.
_WAITING = {
    "aten::_local_scalar_dense": "item",
    "aten::nonzero": "nonzero",
    "aten::nonzero_numpy": "nonzero",
    "aten::masked_select": "masked_select",
    "aten::_unique": "unique",
    "aten::_unique2": "unique",
    "aten::unique_dim": "unique",
    "aten::unique_consecutive": "unique",
    "aten::unique_dim_consecutive": "unique",
    "aten::bincount": "bincount",
    "aten::equal": "equal",
    "aten::multinomial": "multinomial",
    "aten::repeat_interleave": "repeat_interleave",
    "torchvision::nms": "nms",
}
#: Operations beside the pointwise ones that take a CPU tensor of no dimensions.
_TAKE_HOST_SCALARS = {
    "aten::masked_fill",
    "aten::masked_fill_",
    "aten::fill_",
    "aten::fill",
    "aten::index_fill",
    "aten::index_fill_",
    "aten::_foreach_add",
    "aten::_foreach_add_",
    "aten::_foreach_mul",
    "aten::_foreach_mul_",
    "aten::_foreach_div",
    "aten::_foreach_div_",
}
#: Operations with indices, which may be on the CPU. The values may not, but for a single one.
_INDEXING = {"aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_"}
_COPIES = {"aten::_to_copy", "aten::copy_", "aten::copy", "aten::_copy_from"}


class DeviceTensor(Tensor):
    """A tensor on a rehearsed GPU.

    Attributes:
        host: its data, in host memory. Views share them, as on a GPU.
    """

    host: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @staticmethod
    def __new__(cls, host: Tensor, device: torch.device) -> DeviceTensor:
        made: DeviceTensor = Tensor._make_wrapper_subclass(
            cls,
            host.shape,
            strides=host.stride(),
            storage_offset=host.storage_offset(),
            dtype=host.dtype,
            layout=host.layout,
            device=device,
        )
        made.host = host
        return made

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        raise RuntimeError(f"{func.name()}: a tensor of a rehearsed GPU outlived the rehearsal")

    def numpy(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse, as CUDA tensors do."""
        raise TypeError(
            f"can't convert {self.device} device type tensor to numpy. Use Tensor.cpu() to copy "
            "the tensor to host memory first."
        )

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        self.numpy()

    def tolist(self) -> Any:
        """A copy to the host, then a list."""
        return self.cpu().tolist()

    def backward(self, *args: Any, **kwargs: Any) -> None:
        """Stands in for the backward pass: small gradients wherever this came from."""
        nodes, seen = [self.grad_fn], set()
        while nodes:
            node = nodes.pop()
            if node is None or node in seen:
                continue
            seen.add(node)
            leaf = getattr(node, "variable", None)
            if leaf is not None:
                leaf.grad = torch.full_like(leaf, 1e-4)
            nodes += [following for following, _ in node.next_functions]

    def __deepcopy__(self, memo: dict[int, Any]) -> DeviceTensor:
        copied: Any = self.detach().clone().requires_grad_(self.requires_grad)
        if isinstance(self, torch.nn.Parameter):
            copied = torch.nn.Parameter(copied, self.requires_grad)
        memo[id(self)] = copied
        return copied

    def __reduce_ex__(self, protocol: Any) -> Any:
        """A checkpoint of it holds the data."""
        return self.host.__reduce_ex__(protocol)

    def __repr__(self, **kwargs: Any) -> str:  # type: ignore[override]
        return f"DeviceTensor({self.host!r}, device={self.device})"


class _Dispatch(TorchDispatchMode):
    """Runs every operation of a rehearsed GPU on the host, and refuses what CUDA refuses."""

    def __init__(self, gpus: RehearsedGpus) -> None:
        super().__init__()
        self._gpus = gpus

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        leaves, spec = tree_flatten((args, kwargs))
        tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        on_gpu = [tensor for tensor in tensors if isinstance(tensor, DeviceTensor)]
        devices = [leaf for leaf in leaves if isinstance(leaf, torch.device)]
        target = self._gpus.place(devices[0]) if devices else None
        if not on_gpu and (target is None or target.type != "cuda"):
            return func(*args, **kwargs)
        name = func.name().partition(".")[0]
        if _is_composite(func):
            # Under inference_mode, composite operations arrive whole.
            with self:
                return func.decompose(*args, **kwargs)
        if name in _COPIES:
            return self._copy(name, func, args, kwargs, target)
        device = on_gpu[0].device if on_gpu else target
        self._check_devices(name, func, args, tensors, device)
        self._count(name, args, kwargs)
        plain_args, plain_kwargs = tree_unflatten([_on_host(leaf) for leaf in leaves], spec)
        known = {id(tensor.host): tensor for tensor in on_gpu}
        result = func(*plain_args, **plain_kwargs)
        for tensor in on_gpu:
            if tensor.shape != tensor.host.shape or tensor.stride() != tensor.host.stride():
                raise NotImplementedError(f"{func.name()} in place is out of the rehearsal's reach")
        # A view of what is no inference tensor is none either.
        alive = func.is_view and not on_gpu[0].is_inference()
        with torch.inference_mode(torch.is_inference_mode_enabled() and not alive):
            return _wrap(result, target or device, known)

    def _copy(
        self,
        name: str,
        func: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        target: torch.device | None,
    ) -> Any:
        """Between devices, or from one type to another."""
        waits = self._gpus.waits
        if name == "aten::_to_copy":
            source = args[0]
            target = target or source.device
            if target.type == "cpu" and isinstance(source, DeviceTensor):
                waits.add("copy to the host")
            elif target.type == "cuda" and not isinstance(source, DeviceTensor):
                self._upload(source, kwargs.get("non_blocking", False))
            options = {**kwargs, "device": torch.device("cpu"), "pin_memory": None}
            copied = func(_on_host(source), **options)
            return DeviceTensor(copied, target) if target.type == "cuda" else copied
        to, source = args[0], args[1]
        if not isinstance(to, DeviceTensor):
            waits.add("copy to the host")
        elif not isinstance(source, DeviceTensor):
            self._upload(source, bool(args[2]) if len(args) > 2 else False)
        _on_host(to).copy_(_on_host(source))
        return to

    def _upload(self, source: Tensor, non_blocking: bool) -> None:
        """Only from pinned memory, and only where asked to, does the host go on at once."""
        if not (non_blocking and getattr(source, "pinned_in_rehearsal", False)):
            self._gpus.waits.add("upload")

    def _check_devices(
        self,
        name: str,
        func: Any,
        args: tuple[Any, ...],
        tensors: list[Tensor],
        device: torch.device | None,
    ) -> None:
        """As CUDA's kernels do.

        Raises:
            RuntimeError: two devices, in torch's words.
        """
        elsewhere = [tensor for tensor in tensors if tensor.device != device]
        if name in _INDEXING:
            indices = {id(index) for index in args[1] if index is not None}
            elsewhere = [t for t in elsewhere if t.device.type != "cpu" or id(t) not in indices]
            if isinstance(args[0], DeviceTensor) and len(args) > 2 and args[2].dim() == 0:
                elsewhere = [t for t in elsewhere if t is not args[2]]
        elif torch.Tag.pointwise in func.tags or name in _TAKE_HOST_SCALARS:
            written = {id(args[0])} if torch.Tag.inplace in func.tags else set()
            elsewhere = [
                t for t in elsewhere if t.dim() or t.device.type != "cpu" or id(t) in written
            ]
        if elsewhere:
            raise RuntimeError(
                "Expected all tensors to be on the same device, but found at least two devices, "
                f"{device} and {elsewhere[0].device}! (in {func.name()})"
            )

    def _count(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        waits = self._gpus.waits
        if name in _INDEXING:
            for index in args[1]:
                if isinstance(index, DeviceTensor) and index.dtype in (torch.bool, torch.uint8):
                    # A single value is filled in where the mask is true: nobody counts.
                    if len(args) < 3 or args[2].numel() != 1 or (len(args) > 3 and args[3]):
                        waits.add("boolean index")
                elif isinstance(index, Tensor) and not isinstance(index, DeviceTensor):
                    waits.add("upload")
        elif name == "aten::repeat_interleave":
            if kwargs.get("output_size") is None:
                waits.add(_WAITING[name])
        elif name in _WAITING:
            waits.add(_WAITING[name])


def _is_composite(func: Any) -> bool:
    composite: bool = torch._C._dispatch_has_kernel_for_dispatch_key(
        func.name(), "CompositeImplicitAutograd"
    )
    return composite


def _on_host(argument: Any) -> Any:
    """An argument of an operation as the host is to have it."""
    if isinstance(argument, torch.device):
        return torch.device("cpu")
    return argument.host if isinstance(argument, DeviceTensor) else argument


def _wrap(result: Any, device: torch.device | None, known: dict[int, DeviceTensor]) -> Any:
    """Tensors of a result on ``device``; those that were arguments are those arguments again."""
    assert device is not None
    if isinstance(result, Tensor):
        own = known.get(id(result))
        return DeviceTensor(result, device) if own is None else own
    if isinstance(result, (list, tuple)):
        return type(result)(_wrap(item, device, known) for item in result)
    return result


class RehearsedGpus:
    """The GPUs of a rehearsal.

    Attributes:
        waits: what made the host wait so far.
        touched: indices of the GPUs that something was put on, as ``nvidia-smi`` would show.
    """

    def __init__(self, count: int = 1) -> None:
        self.count = count
        self.current = 0
        self.waits = Waits()
        self.touched: set[int] = set()

    def place(self, device: Any) -> torch.device:
        """A device with its index.

        Raises:
            RuntimeError: a GPU that is not there.
        """
        device = torch.device(device)
        if device.type != "cuda":
            return device
        index = self.current if device.index is None else device.index
        if index >= self.count:
            raise RuntimeError("CUDA error: invalid device ordinal")
        self.touched.add(index)
        return torch.device("cuda", index)

    def select(self, device: Any) -> None:
        """Stands in for ``torch.cuda.set_device``."""
        self.current = device if isinstance(device, int) else self.place(device).index

    def wait(self, *args: Any) -> None:
        """Stands in for ``torch.cuda.synchronize``."""
        self.waits.add("synchronize")


@contextmanager
def rehearsal(count: int = 1) -> Iterator[RehearsedGpus]:
    """Within, this process has ``count`` GPUs, all rehearsed; it sees no real one.

    Tensors that were put on them must not be used afterwards; take results to the CPU before.
    """
    gpus = RehearsedGpus(count)
    cuda = {
        "is_available": lambda: True,
        "is_initialized": lambda: True,
        "is_bf16_supported": lambda *args, **kwargs: True,
        "device_count": lambda: count,
        "current_device": lambda: gpus.current,
        "set_device": gpus.select,
        "synchronize": gpus.wait,
        "empty_cache": lambda: None,
        "max_memory_allocated": lambda *args, **kwargs: 0,
        "reset_peak_memory_stats": lambda *args, **kwargs: None,
        "get_device_name": lambda *args: "rehearsed GPU",
        "get_device_capability": lambda *args: (9, 0),
        "manual_seed": lambda seed: None,
        "manual_seed_all": lambda seed: None,
        "get_rng_state": lambda *args: torch.get_rng_state(),
        "set_rng_state": lambda *args: None,
        "_lazy_init": lambda: None,
    }
    if torch.cuda.is_available():
        torch.cuda.init()  # torch would take a real GPU for ready after a rehearsed one
    torch._C._ensureCUDADeviceGuardSet()
    lifted = torch._C._only_lift_cpu_tensors()
    overwritten = torch.__future__.get_overwrite_module_params_on_conversion()
    with ExitStack() as stack:
        for name, stand_in in cuda.items():
            stack.enter_context(patch.object(torch.cuda, name, stand_in))
        stack.enter_context(patch.object(torch.accelerator, "is_available", lambda: True))
        stack.enter_context(patch.object(Tensor, "pin_memory", _pinned))
        # cuDNN's own operations are chosen by the device; the plain ones run on both.
        stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        # A host tensor first, then its way to the GPU, where torch.tensor(list, device=) is asked.
        stack.callback(torch._C._set_only_lift_cpu_tensors, lifted)
        torch._C._set_only_lift_cpu_tensors(True)
        # Parameters that move are new objects: the old ones cannot change what they are.
        stack.callback(torch.__future__.set_overwrite_module_params_on_conversion, overwritten)
        torch.__future__.set_overwrite_module_params_on_conversion(True)
        stack.enter_context(_Dispatch(gpus))
        yield gpus


def _pinned(self: Tensor, device: Any = None) -> Tensor:
    """Stands in for ``Tensor.pin_memory``: a copy that knows of it."""
    pinned: Any = self.clone()
    pinned.pinned_in_rehearsal = True
    return pinned
