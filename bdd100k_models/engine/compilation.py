"""``--compile``: a model's backbone through torch.compile."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from bdd100k_models.errors import UserError

if TYPE_CHECKING:
    import torch
    from torch import nn


def compile_backbone(model: nn.Module, device: torch.device) -> None:
    """Compile ``model.backbone`` in place; its first image of each size then takes longer.

    The backbone is where the time goes and has no control flow that depends on the picture;
    necks and heads of the OpenMMLab packages do, and stay as they are.

    Raises:
        UserError: the model has no backbone, or the code that torch generates would find no
            compiler.
    """
    backbone = getattr(model, "backbone", None)
    if backbone is None:
        raise UserError("--compile: this model has no backbone to compile")
    # Generated code is C++ on a CPU; on a GPU its launcher is C.
    variable, usual = ("CXX", ("g++",)) if device.type == "cpu" else ("CC", ("gcc", "cc", "clang"))
    compilers = [os.environ[variable]] if variable in os.environ else list(usual)
    if not any(shutil.which(compiler) for compiler in compilers):
        raise UserError(
            f"--compile needs a {'C++' if variable == 'CXX' else 'C'} compiler, and there is no "
            f"{' or '.join(compilers)}; install one, or leave --compile out"
        )
    backbone.compile()
