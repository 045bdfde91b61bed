"""Checkpoint files read without running anything that stands in them."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bdd100k_models.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

#: The first torch whose restricted loader has no known hole. CVE-2025-32434 (up to 2.5.1) and
#: CVE-2026-24747 (before 2.10) let a file run code in spite of ``weights_only=True``.
SAFE_TORCH = (2, 10)
#: Set to ``1``, files that torch unpickles are read under an older torch too.
OLD_TORCH_VARIABLE = "BDD100K_MODELS_TRUST_FILES"

#: How files begin that are taken for checkpoints now and then, what they are, and the way out.
_OTHER_FILES: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs.", "a pointer of Git LFS; fetch the file itself: git lfs pull"),
    (b"\x1f\x8b", "a gzip archive; unpack it first"),
    (b"\x89HDF", "an HDF5 file, as Keras writes it; weights of torch are needed"),
    (b"\x93NUMPY", "a numpy array; weights of torch are needed"),
    (b"\x89PNG", "a picture; weights of torch are needed"),
    (b"\xff\xd8\xff", "a picture; weights of torch are needed"),
)
_WEB_PAGE = re.compile(rb"\s*<(!doctype|html|head|body|\?xml)", re.IGNORECASE)
#: What torch writes: an archive, before 1.6 bare pickles.
_ZIP = b"PK\x03\x04"
_PICKLE = b"\x80"
#: Keys that weights lie under, the first that is there: a moving average before what it averages,
#: as those who keep one score and publish it.
_NESTS = ("state_dict_ema", "model_ema", "ema", "state_dict", "model", "model_state_dict", "module")
#: What a file says of its weights beside them, where it has no ``meta``.
_SAID = ("class_names", "imgsz", "mean", "std")
#: Prefixes of all names in a file, and the counter of ``torch.optim.swa_utils``.
_WRAPPERS = ("module.", "model.", "_orig_mod.")
_AVERAGED = "n_averaged"
#: The header of a safetensors file is JSON of at most this many bytes.
_LARGEST_HEADER = 100_000_000


def read_checkpoint(path: Path, named: str | None = None) -> dict[str, Any]:
    """Content of a checkpoint: ``state_dict`` (tensors on the CPU), ``meta`` and ``nest``.

    ``nest`` says under which keys of the file the weights were, such as ``ema.module``; what a
    wrapper put before all of their names is gone.

    Raises:
        UserError: see :func:`read_file`; or the file holds no weights, or tensors that a network
            cannot take: quantised, sparse, or without numbers.
    """
    return _as_checkpoint(read_file(path, named), named or os.fspath(path))


def read_file(path: Path, named: str | None = None) -> Any:
    """Whatever ``torch.save`` wrote to ``path``, tensors on the CPU; or a safetensors file.

    Nothing in the file is executed: torch's restricted unpickler takes tensors, plain containers,
    numbers and strings, and numpy scalars and arrays, which older training runs left in ``meta``.
    Safetensors come as ``{"state_dict": …, "meta": …}``.

    Args:
        path: the file.
        named: what to call it in errors, where that is not its path.

    Raises:
        UserError: not there, truncated, no checkpoint at all, or one that wants to run code; or
            this torch cannot read it safely.
    """
    named = named or os.fspath(path)
    if not path.is_file():
        raise UserError(f"no checkpoint at {named}")
    try:
        size = path.stat().st_size
        head = _head(path)
        if _is_safetensors(head, size):
            return _read_safetensors(path, named)
        refuse_other_files(path, named)
    except OSError as error:
        raise UserError(f"cannot read {named}: {error.strerror or error}") from error
    with safe_numpy(named):
        return _unpickle(path, named, size, head.startswith(_ZIP))


def _head(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(512)


def _unpickle(path: Path, named: str, size: int, is_zip: bool) -> Any:
    import pickle

    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about foreign pickles, which are refused below
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a file holds anything, and torch raises anything over it
        wanted = re.search(r"GLOBAL ([\w.]+)", str(error))
        if wanted:
            raise UserError(
                f"{named} is refused: loading it would call {wanted.group(1)}, which no weights "
                "need; if you trust its origin, save its state_dict alone and load that"
            ) from error
        if isinstance(error, pickle.UnpicklingError) and not is_zip:
            raise UserError(
                f"{named} is refused: it is no file that torch saves weights in ({size} bytes), "
                "and other pickles can run code; save its state_dict with torch.save and load that"
            ) from error
        raise UserError(
            f"{named} is truncated or damaged ({_reason(error)}; {size} bytes); download it again"
        ) from error


def _reason(error: BaseException) -> str:
    """The first line of an error, without torch's advice to switch its protection off."""
    text = str(error).strip()
    line = text.splitlines()[0].rstrip(".") if text else ""
    readable = line.isprintable() and "weights_only" not in line
    return line[:200] if line and readable else type(error).__name__


def refuse_other_files(path: Path, named: str) -> None:
    """Name what is no checkpoint by how it begins; the rest of it is not read.

    Raises:
        UserError: what it is instead.
        OSError: it cannot be read.
    """
    head = _head(path)
    if not head:
        raise UserError(f"{named} is empty (0 bytes); download it again")
    if not head.strip(b"\0") and _is_zero(path):
        raise UserError(
            f"{named} is nothing but zeros ({path.stat().st_size} bytes), as a copy is that broke "
            "off; copy or download it again"
        )
    if _WEB_PAGE.match(head):
        raise UserError(
            f"{named} is a web page, no weights ({path.stat().st_size} bytes); open its address in "
            "a browser to see what the server says"
        )
    for start, what in _OTHER_FILES:
        if head.startswith(start):
            raise UserError(f"{named} is {what}")
    if head.startswith(_ZIP):
        _refuse_other_archives(path, named)
    elif not head.startswith(_PICKLE):
        raise UserError(
            f"{named} is no file that torch saves weights in ({path.stat().st_size} bytes); give a "
            "checkpoint of torch or safetensors"
        )


def _refuse_other_archives(path: Path, named: str) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception as error:  # the directory of a damaged archive may say anything
        raise UserError(
            f"{named} is truncated or damaged ({path.stat().st_size} bytes); download it again"
        ) from error
    if any(name.endswith("/constants.pkl") for name in names):
        raise UserError(
            f"{named} is a TorchScript program, which holds code; load it where you trust it and "
            "save its weights: torch.save(torch.jit.load(FILE).state_dict(), OUT)"
        )
    if not any(name.endswith("data.pkl") for name in names):
        raise UserError(f"{named} is a zip archive and no checkpoint; unpack it first")


def _is_zero(path: Path) -> bool:
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            if piece.strip(b"\0"):
                return False
    return True


def _is_safetensors(head: bytes, size: int) -> bool:
    length = int.from_bytes(head[:8], "little")
    return head[8:9] == b"{" and length <= min(size - 8, _LARGEST_HEADER)


def _read_safetensors(path: Path, named: str) -> dict[str, Any]:
    """The format has no code at all: a JSON header, then the numbers."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            meta: dict[str, Any] = dict(file.metadata() or {})
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, RuntimeError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{named} is a damaged safetensors file ({_reason(error)}); download it again"
        ) from error
    # Values are text there; lists come as JSON.
    for key in ("CLASSES", *_SAID):
        with contextlib.suppress(ValueError):
            meta[key] = json.loads(meta.get(key, ""))
    return {**meta, "state_dict": state, "meta": meta}


@contextmanager
def safe_numpy(named: str = "a checkpoint") -> Iterator[None]:
    """While it lasts, ``torch.load(weights_only=True)`` takes numpy scalars and arrays too.

    Raises:
        UserError: this torch's restricted loader has known holes.
    """
    import numpy as np
    import torch

    _require_safe_torch(torch.__version__, named)
    newer = int(np.__version__.split(".")[0]) >= 2
    core = importlib.import_module("numpy._core.multiarray" if newer else "numpy.core.multiarray")
    kinds = ("bool", "int8", "int16", "int32", "int64", "uint8", "float16", "float32", "float64")
    safe: list[Any] = [np.dtype, np.ndarray, *(type(np.dtype(kind)) for kind in kinds)]
    functions = [core.scalar, core._reconstruct]
    for package in ("numpy.core", "numpy._core"):
        safe += [(f, f"{package}.multiarray.{f.__name__}") for f in functions]
    with torch.serialization.safe_globals(safe):
        yield


def _require_safe_torch(version: str, named: str) -> None:
    release = re.match(r"(\d+)\.(\d+)", version)
    if release and (int(release.group(1)), int(release.group(2))) >= SAFE_TORCH:
        return
    if os.environ.get(OLD_TORCH_VARIABLE) == "1":
        return
    raise UserError(
        f"{named} is not read: torch {version} can be made to run code by a checkpoint "
        f"(CVE-2025-32434, CVE-2026-24747); install torch >= {SAFE_TORCH[0]}.{SAFE_TORCH[1]}, give "
        f"the weights as safetensors, or set {OLD_TORCH_VARIABLE}=1 if you trust every file"
    )


def _as_checkpoint(content: Any, named: str) -> dict[str, Any]:
    from torch import Tensor

    if not isinstance(content, Mapping):
        raise UserError(f"{named} holds a {type(content).__name__}, not a state dict")
    nest, state, rest = _unnested(content)
    tensors = {k: v.detach() for k, v in state.items() if isinstance(v, Tensor)}
    if not tensors:
        keys = ", ".join(_shown(key) for key in list(state)[:5]) or "none"
        raise UserError(f"{named} holds no weights: its keys are {keys}")
    for key, value in tensors.items():
        if not isinstance(key, str) or not key.isprintable():
            raise UserError(f"{named} holds no state dict: {_shown(key)} is no name of a weight")
        problem = _unusable(value)
        if problem:
            raise UserError(f"{named} is refused: {key} {problem}")
    return {"state_dict": _without_wrappers(tensors), "meta": rest, "nest": nest}


def _unnested(content: Mapping[Any, Any]) -> tuple[str, Mapping[Any, Any], dict[str, Any]]:
    """Where in a file its weights are (dotted keys), they, and what the file says of them."""
    meta = content.get("meta")
    rest = {key: content[key] for key in _SAID if _is_plain(content.get(key))}
    if "class_names" in rest:
        rest["CLASSES"] = rest.pop("class_names")
    rest |= meta if isinstance(meta, Mapping) else {}
    nest: list[str] = []
    while True:
        inside = [key for key in _NESTS if isinstance(content.get(key), Mapping)]
        key = next((key for key in inside if content[key]), inside[0] if inside else None)
        if key is None:
            return ".".join(nest), content, rest
        nest.append(key)
        content = content[key]


def _is_plain(value: object) -> bool:
    """Text, a number, or a list of them."""
    items = value if isinstance(value, (list, tuple)) else [value]
    return bool(items) and all(isinstance(item, (str, int, float)) for item in items)


def _without_wrappers(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Names without what DDP, Lightning, ``torch.compile`` and averaging put before them all."""
    tensors = {key: value for key, value in tensors.items() if key != _AVERAGED}
    for _ in _WRAPPERS:
        for prefix in _WRAPPERS:
            if tensors and all(key.startswith(prefix) for key in tensors):
                tensors = {key.removeprefix(prefix): value for key, value in tensors.items()}
    return tensors


def _shown(key: object) -> str:
    return key[:80] if isinstance(key, str) and key.isprintable() else repr(key)[:80]


def _unusable(value: Tensor) -> str | None:
    """Why a network cannot take a tensor; None where it can."""
    import torch

    if value.is_quantized:
        return "is quantised; save the weights of the network as it was before, as float32"
    if value.layout != torch.strided:
        return "is a sparse tensor; save it with .to_dense()"
    if value.is_meta:
        return "has a shape and no numbers (a meta tensor); save it after the weights are loaded"
    if value.is_complex():
        return "holds complex numbers, which no network of the zoo has"
    return None
