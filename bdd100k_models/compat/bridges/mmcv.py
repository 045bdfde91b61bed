"""mmcv 1.x on torch >= 2.4 and current yapf. They can go with mmcv 1.x."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bdd100k_models.compat.registry import bridge

if TYPE_CHECKING:
    import torch


@bridge("mmcv.utils.config")
def format_without_verify(module: Any) -> None:
    """`Config.pretty_text` and `Config.dump`: yapf >= 0.40.2 has no argument ``verify``."""
    format_code = module.FormatCode

    def format_any(text: str, style_config: Any = None, verify: bool = True) -> Any:
        return format_code(text, style_config=style_config)

    module.FormatCode = format_any


@bridge("mmcv.parallel._functions")
def stream_of_index(module: Any) -> None:
    """`MMDataParallel` on CUDA: torch >= 2.1 takes a device where mmcv passes its index."""
    get_stream = module._get_stream

    def stream(device: "int | torch.device") -> Any:
        import torch

        if isinstance(device, int):
            device = torch.device("cuda", device)
        return get_stream(device)

    module._get_stream = stream


@bridge("mmcv.parallel.distributed")
def ddp_through_torch(module: Any) -> None:
    """`MMDistributedDataParallel`: run all three steps through torch's own forward.

    mmcv repeats the insides of torch 1.x, of which torch >= 2.1 has lost
    ``_use_replicated_tensor_module``. It also leaves data containers wrapped where there is no
    GPU, so that ranks on CPU (gloo) cannot train.
    """
    wrapper = module.MMDistributedDataParallel

    def run(self: Any, *inputs: Any, **kwargs: Any) -> Any:
        device = self.device_ids[0] if self.device_ids else -1
        positional, named = self.to_kwargs(inputs, kwargs, device)
        step = getattr(self, "running_step", None)
        function = self.module if step is None else getattr(self.module, step)
        return function(*positional[0], **named[0])

    def through_forward(step: str) -> Any:
        def call(self: Any, *inputs: Any, **kwargs: Any) -> Any:
            self.running_step = step
            try:
                return self(*inputs, **kwargs)
            finally:
                self.running_step = None

        return call

    wrapper._run_ddp_forward = run
    wrapper.train_step = through_forward("train_step")
    wrapper.val_step = through_forward("val_step")


@bridge("mmcv.runner.fp16_utils")
def half_precision_needs_a_gpu(module: Any) -> None:
    """`wrap_fp16_model` and `auto_fp16` on torch >= 2.4.

    mmcv's mixed precision is that of CUDA: on a CPU it feeds halves to float32 weights and fails,
    so a model on CPU stays in float32. And ``torch.cuda.amp.autocast`` is deprecated.
    """
    wrap = module.wrap_fp16_model

    def wrap_on_gpu(model: "torch.nn.Module") -> None:
        parameter = next(model.parameters(), None)
        if parameter is not None and parameter.is_cuda:
            wrap(model)

    def autocast(enabled: bool = True) -> Any:
        import torch

        return torch.autocast("cuda", enabled=enabled)

    module.wrap_fp16_model = wrap_on_gpu
    module.autocast = autocast


@bridge("mmcv.runner.hooks.optimizer")
def scaler_of_torch_amp(module: Any) -> None:
    """`Fp16OptimizerHook`: ``torch.cuda.amp.GradScaler`` is deprecated since torch 2.4.

    Without a GPU the scaler does nothing, as the model runs in float32.
    """

    def grad_scaler(**arguments: Any) -> Any:
        import torch

        return torch.amp.GradScaler("cuda", **{"enabled": torch.cuda.is_available(), **arguments})

    module.GradScaler = grad_scaler


@bridge("mmcv.runner.checkpoint")
def load_without_code(module: Any) -> None:
    """`load_checkpoint`: never run code from a checkpoint file.

    torch < 2.6 unpickles anything by default, its `load_url` still does; torch >= 2.6 refuses the
    numpy scalars that mmcv's hooks put into ``meta``.
    """
    from bdd100k_models.weights import read_file, safe_numpy

    load_url = module.load_url

    def load_from_local(filename: str, map_location: Any = None) -> Any:
        return read_file(Path(filename).expanduser())

    def load_from_url(url: str, **arguments: Any) -> Any:
        with safe_numpy():
            return load_url(url, weights_only=True, **arguments)

    module.load_from_local = load_from_local
    module.CheckpointLoader.register_scheme("", load_from_local, force=True)
    module.load_url = load_from_url


@bridge("mmcv.runner.iter_based_runner")
def resume_without_gpu(module: Any) -> None:
    """`IterBasedRunner.resume` asks for the current GPU, also where there is none (mmcv 1.7.0)."""
    runner = module.IterBasedRunner
    resume = runner.resume

    def resume_on_any_device(
        self: Any, checkpoint: str, resume_optimizer: bool = True, map_location: Any = "cpu"
    ) -> None:
        resume(self, checkpoint, resume_optimizer, map_location)

    runner.resume = resume_on_any_device
