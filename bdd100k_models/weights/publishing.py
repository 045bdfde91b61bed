"""A trained checkpoint made ready for others: weights and their description, nothing else."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bdd100k_models.errors import UserError
from bdd100k_models.files import write_bytes
from bdd100k_models.weights.digests import write_md5
from bdd100k_models.weights.fitting import check_values, read_foreign
from bdd100k_models.weights.reading import read_checkpoint
from bdd100k_models.zoo import model_cards

if TYPE_CHECKING:
    from torch import Tensor

#: What others need of ``meta``: the classes, and how the weights came to be.
_KEPT = ("CLASSES", "config", "task", "exp_name", "epoch", "iter", "seed", "time")
_VERSIONS = ("mmcv_version", "bdd100k_models_version")

#: Digits of the SHA-256 in the name.
_DIGITS = 8


@dataclass(frozen=True)
class Published:
    """A published checkpoint: its file, the name of its model, and the MD5 of the file."""

    path: Path
    name: str
    md5: str


def publish(source: Path, out: Path, *, half: bool = False) -> Published:
    """Write the weights of ``source`` as ``NAME-<8 digits>.pth``, and ``.md5`` beside it.

    The digits begin the SHA-256 of the file. ``NAME`` is that of the config which the checkpoint
    was trained with, or the one that ``out`` gives (``FOLDER/NAME.pth``).

    ``half`` writes convolutions and linear layers as float16, half the size; loading makes them
    float32 again. Vectors, the statistics of batch norm among them, keep their precision.

    Raises:
        UserError: ``source`` is no checkpoint, holds numbers that are none, says no name, or
            ``out`` cannot be written; or it is of another code base and computes otherwise.
    """
    import torch

    content = read_checkpoint(source)
    if "bdd100k_models_version" not in content["meta"]:
        content = _under_our_names(content, source)
    meta = content["meta"]
    folder, name = (out.parent, out.stem) if out.suffix == ".pth" else (out, None)
    name = name or Path(str(meta.get("exp_name", ""))).stem
    if not name:
        raise UserError(
            f"{source} does not say what it was trained with; pass OUT as FOLDER/NAME.pth"
        )
    check_values(content["state_dict"], source)
    kept = {key: meta[key] for key in (*_KEPT, *_VERSIONS) if key in meta}
    state = {key: value.contiguous() for key, value in content["state_dict"].items()}
    if half:
        state = {key: _halved(key, value) for key, value in state.items()}
    # Not to a file: torch writes the file's name into it, and equal weights would differ.
    buffer = io.BytesIO()
    torch.save({"meta": kept, "state_dict": state}, buffer)
    data = buffer.getvalue()
    digest = hashlib.sha256(data).hexdigest()[:_DIGITS]
    path = write_bytes(folder / f"{name}-{digest}.pth", data)
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    write_md5(path, md5)
    return Published(path, name, md5)


def _under_our_names(content: dict[str, Any], source: Path) -> dict[str, Any]:
    """A checkpoint of another code base as one of ours.

    Raises:
        UserError: its network computes otherwise, which a checkpoint cannot say, or the meaning of
            its classes is unknown.
    """
    foreign = read_foreign(content, source)
    if foreign is None or foreign.dropped:  # a tracker stays whole
        return content
    if foreign.options or foreign.pipeline is not None:
        raise UserError(
            f"{source} has weights of {foreign.layout}, which compute otherwise than the models "
            "here: test.py --checkpoint runs them as they are; to publish, train from them first: "
            f"tools/train.py NAME --cfg-options load_from={source}"
        )
    if foreign.classes is None and "CLASSES" not in content["meta"]:
        raise UserError(
            f"{source} has weights of {foreign.layout} and does not say what the rows of their "
            "class layer mean: save it with a list of names beside the weights, class_names"
        )
    meta = {**content["meta"], "CLASSES": list(foreign.classes or content["meta"]["CLASSES"])}
    return {**content, "state_dict": foreign.state, "meta": meta}


def _halved(key: str, value: Tensor) -> Tensor:
    if not value.is_floating_point() or value.ndim < 2:
        return value
    small = value.half()
    if not small.isfinite().all():
        raise UserError(f"--half: {key} holds numbers beyond those of float16; publish without it")
    return small


def entry(published: Published) -> str:
    """The entry for ``metafile.yml``, with weights and MD5 filled in."""
    lines = []
    for line in model_cards.skeleton(published.name).splitlines():
        key = line.strip().partition(":")[0]
        if key == "Weights":
            line = f"    Weights: https://…/{published.path.name}"
        elif key == "MD5":
            line = f"    MD5: {published.md5}"
        lines.append(line)
    return "\n".join(lines)
