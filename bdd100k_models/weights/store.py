"""Find, download, verify and safely load weights.

A checkpoint is looked for in this order: the one given, a ``load_from`` that the user set, the
local store, the mirrors that the user configured, the published URL. Downloads go into the store.

Store: ``$BDD100K_MODELS_HOME``, else ``~/.cache/bdd100k_models``. Mirrors: folders or base URLs
that stand for ``https://dl.cv.ethz.ch/bdd100k``, separated by white space in
``$BDD100K_MODELS_MIRRORS``.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from bdd100k_models.errors import UserError
from bdd100k_models.zoo.catalogue import SERVER as PUBLISHED_BASE

if TYPE_CHECKING:
    from mmcv import Config
    from torch import Tensor, nn

    from bdd100k_models.zoo.catalogue import PublishedModel

STORE_VARIABLE = "BDD100K_MODELS_HOME"
MIRRORS_VARIABLE = "BDD100K_MODELS_MIRRORS"

#: Seconds to connect, and between two pieces of a download.
_TIMEOUT = (10, 60)
_ATTEMPTS = 3
_CHUNK = 1 << 16

#: State-dict keys that a newer version of a package computes anew or no longer stores. They hold
#: nothing learned, so a checkpoint with or without them is the same model.
CHANGED_KEYS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"num_batches_tracked$"),
        "a counter of batch norm that torch < 0.4.1 did not save",
    ),
    (re.compile(r"relative_position_index$"), "an index table of Swin, computed at build time"),
    (re.compile(r"attn_mask$"), "an attention mask of Swin, computed at run time"),
    (re.compile(r"(anchor|point)_generator\..*$"), "anchors, computed at run time"),
    (re.compile(r"loss_\w+\.(class_weight|pos_weight|empty_weight)$"), "weights of a loss"),
    (re.compile(r"^data_preprocessor\."), "image mean and deviation, which the config holds"),
    (re.compile(r"^ema_"), "the moving average that training keeps beside the weights"),
)


@dataclass
class Fit:
    """How a state dict fits a network.

    Attributes:
        errors: lines for what does not fit: missing, unexpected and differently shaped parameters.
        warnings: lines for buffers and names that a newer version is known to have changed.
    """

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


# -- finding ------------------------------------------------------------------------------------


def store() -> Path:
    """The folder that downloads go into."""
    given = os.environ.get(STORE_VARIABLE)
    return Path(given).expanduser() if given else Path.home() / ".cache" / "bdd100k_models"


def mirrors() -> list[str]:
    """Folders or base URLs that the user configured, in order."""
    return os.environ.get(MIRRORS_VARIABLE, "").split()


def find_checkpoint(
    cfg: Config, task: str, given: str | Path | None = None, report: Callable[[str], None] = print
) -> Path:
    """The checkpoint file of a config, downloaded if need be.

    Raises:
        UserError: found nowhere; the message says where it was looked for and what works.
    """
    wanted = given or cfg.get("load_from")
    if wanted:
        text = os.fspath(wanted)
        if is_url(text):
            return fetch(text, store() / "urls" / _url_name(text), report=report)
        path = Path(text).expanduser()
        if not path.is_file():
            raise UserError(f"no checkpoint at {text}")
        return path
    model = _published(cfg)
    if model is None:
        raise UserError(
            f"{cfg.filename} is not a published config, so there are no weights to look up; "
            "pass --checkpoint FILE, or set load_from in the config"
        )
    return find_published(model, report=report)


def stored_path(model: PublishedModel) -> Path:
    """Where the store keeps the weights of a published model, there or not.

    Raises:
        UserError: none were published.
    """
    if model.weights is None:
        raise UserError(f"{model.name}: no weights were published for it")
    if not model.weights.startswith(PUBLISHED_BASE + "/"):
        return store() / "urls" / _url_name(model.weights)
    return store() / model.weights.removeprefix(PUBLISHED_BASE + "/")


def find_published(model: PublishedModel, report: Callable[[str], None] = print) -> Path:
    """Weights of a published model: from the store, the mirrors, or the published URL.

    Raises:
        UserError: found nowhere, or what was found is damaged.
    """
    stored = stored_path(model)
    if stored.is_file():
        verify(stored)
        return stored
    looked = [str(stored)]
    failures = []
    for source in _sources(model):
        looked.append(source)
        try:
            if is_url(source):
                return fetch(source, stored, report=report, digest=model.md5)
            local = Path(source).expanduser()
            if local.is_file():
                verify(local)
                return local
        except NotFoundError as error:
            failures.append(str(error))
    raise UserError(
        f"no weights for {model.name}: looked in {', '.join(looked)}"
        + (f" ({'; '.join(failures)})" if failures else "")
        + ". The published server has been unreachable since March 2026. Ways that work: "
        f"--checkpoint FILE; put the file at {stored}; set {MIRRORS_VARIABLE} to a mirror; or "
        f"train the model: python tools/train.py {model.name}"
    )


def _sources(model: PublishedModel) -> list[str]:
    """The mirrors' copies of published weights, then the published URL."""
    assert model.weights is not None
    if not model.weights.startswith(PUBLISHED_BASE + "/"):
        return [model.weights]
    return [model.weights.replace(PUBLISHED_BASE, base.rstrip("/"), 1) for base in mirrors()] + [
        model.weights
    ]


def _published(cfg: Config) -> PublishedModel | None:
    from bdd100k_models.files.places import REPOSITORY
    from bdd100k_models.zoo import catalogue

    if not cfg.filename:
        return None
    path = Path(cfg.filename).resolve()
    try:
        model = catalogue.find(path.stem)
    except UserError:
        return None
    return model if model.config and (REPOSITORY / model.config).resolve() == path else None


def is_url(text: str) -> bool:
    """``http://`` or ``https://``."""
    return urlparse(text).scheme in ("http", "https")


def _url_name(url: str) -> str:
    digest = hashlib.sha256(url.encode()).hexdigest()[:12]
    return f"{digest}-{Path(urlparse(url).path).name or 'checkpoint.pth'}"


# -- downloading ----------------------------------------------------------------------------------


class NotFoundError(UserError):
    """A place that has no such file, or does not answer: the next one may."""


def fetch(
    url: str,
    target: Path,
    report: Callable[[str], None] = print,
    digest: str | None = None,
) -> Path:
    """Download ``url`` to ``target``, with progress, going on where an earlier try stopped.

    The MD5 is ``digest``, else read from ``.md5`` beside the file (``NAME.pth`` -> ``NAME.md5``)
    where the server has one, kept beside ``target``, and compared. The file appears under its name
    only when whole. Of several processes that want it one downloads, the others wait.

    Raises:
        NotFoundError: the server does not answer, or has no such file.
        UserError: what came is damaged, or the store cannot be written.
    """
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(part):
            if target.is_file():
                verify(target)
            else:
                _fetch(url, target, part, report, digest)
    except OSError as error:
        raise UserError(
            f"cannot write {target}: {error.strerror}; set {STORE_VARIABLE} to a folder with room"
        ) from error
    return target


@contextmanager
def _alone(part: Path) -> Iterator[None]:
    """Hold the unfinished download ``part``, as long as another process does not."""
    with open(part, "ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            if part.exists() and part.stat().st_size == 0:
                part.unlink()


def _fetch(
    url: str, target: Path, part: Path, report: Callable[[str], None], digest: str | None
) -> None:
    digest = digest or _published_md5(url)
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            _download(url, part, report)
            break
        except _InterruptedError as error:
            if attempt == _ATTEMPTS:
                raise NotFoundError(
                    f"{url}: {error}; {part.stat().st_size if part.exists() else 0} bytes are kept "
                    "and the next try goes on from there"
                ) from error
            time.sleep(attempt)
    if digest is None:
        report(f"note: {url} has no .md5 beside it, so the file could not be verified")
    elif (actual := md5(part)) != digest:
        part.unlink()
        raise UserError(
            f"{url} is damaged: its MD5 is {actual}, published is {digest}; removed, try again"
        )
    else:
        _md5_file(target).write_text(digest + "\n")
    os.replace(part, target)


class _InterruptedError(Exception):
    """A transfer that may be taken up again."""


def _download(url: str, part: Path, report: Callable[[str], None]) -> None:
    """Append to ``part`` what is missing of ``url``."""
    import requests
    from tqdm import tqdm

    have = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    try:
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as answer:
            if answer.status_code == 416:  # nothing is missing, or the file on the server shrank
                total = answer.headers.get("Content-Range", "").rpartition("/")[2]
                if total.isdigit() and int(total) == have:
                    return
                part.unlink()
                raise _InterruptedError("the file on the server changed")
            if answer.status_code >= 500:
                raise _InterruptedError(f"the server answered {answer.status_code}")
            if answer.status_code not in (200, 206):
                raise NotFoundError(f"{url}: the server answered {answer.status_code}")
            if answer.status_code == 200:
                have = 0
            length = answer.headers.get("Content-Length")
            expected = have + int(length) if length is not None else None
            report(f"downloading {url}")
            with (
                open(part, "ab" if have else "wb") as file,
                tqdm(total=expected, initial=have, unit="B", unit_scale=True, disable=None) as bar,
            ):
                for piece in answer.iter_content(_CHUNK):
                    file.write(piece)
                    bar.update(len(piece))
    except requests.exceptions.ConnectionError as error:
        if part.exists() and part.stat().st_size > have:
            raise _InterruptedError("the connection broke") from error
        raise NotFoundError(f"{url}: no answer from the server") from error
    except requests.exceptions.Timeout as error:
        raise _InterruptedError("the server stopped sending") from error
    except requests.exceptions.RequestException as error:
        raise _InterruptedError(f"the transfer broke: {error}") from error
    if expected is not None and part.stat().st_size < expected:
        raise _InterruptedError(f"only {part.stat().st_size} of {expected} bytes came")


def _published_md5(url: str) -> str | None:
    import requests

    try:
        answer = requests.get(re.sub(r"\.pth$", "", url) + ".md5", timeout=_TIMEOUT)
    except requests.exceptions.RequestException:
        return None
    match = re.match(r"\s*([0-9a-fA-F]{32})\b", answer.text)
    return match.group(1).lower() if answer.ok and match else None


def md5(path: Path) -> str:
    """Hex digest of a file's content."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _md5_file(path: Path) -> Path:
    return path.with_suffix(".md5")


def verify(path: Path) -> bool:
    """Compare a file with the ``.md5`` beside it; False where there is none.

    Raises:
        UserError: they differ.
    """
    beside = _md5_file(path)
    if not beside.is_file():
        return False
    match = re.match(rb"\s*([0-9a-fA-F]{32})\b", beside.read_bytes())
    if match is None:
        raise UserError(f"{beside} holds no MD5; remove it, or download the weights again")
    expected, actual = match.group(1).decode().lower(), md5(path)
    if actual != expected:
        raise UserError(
            f"{path} is damaged: its MD5 is {actual}, {beside.name} says {expected}; "
            "remove the file and run again to download it anew"
        )
    return True


def add_to_store(path: Path, model: PublishedModel) -> Path:
    """Copy a file into the store as the weights of a published model.

    Raises:
        UserError: the file cannot be read, or the model has no published weights.
    """
    target = stored_path(model)
    temporary = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, temporary)
        _md5_file(target).write_text(md5(temporary) + "\n")
        os.replace(temporary, target)
    except OSError as error:
        raise UserError(f"cannot copy {path} to {target}: {error.strerror}") from error
    return target


# -- loading --------------------------------------------------------------------------------------


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Content of a checkpoint: a dict with ``state_dict`` (tensors on the CPU) and ``meta``.

    Raises:
        UserError: see :func:`read_file`; or the file holds no weights.
    """
    return _as_checkpoint(read_file(path), path)


def read_file(path: Path) -> Any:
    """Whatever ``torch.save`` wrote to ``path``, tensors on the CPU.

    Nothing in the file is executed: torch's restricted unpickler takes tensors, plain containers,
    numbers and strings, and numpy scalars and arrays, which older training runs left in ``meta``.

    Raises:
        UserError: not there, truncated, no checkpoint at all, or one that wants to run code.
    """
    import pickle

    import torch

    if not path.is_file():
        raise UserError(f"no checkpoint at {path}")
    size = path.stat().st_size
    try:
        with safe_numpy(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about foreign pickles, which are refused below
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        wanted = re.search(r"GLOBAL ([\w.]+)", str(error))
        if wanted:
            raise UserError(
                f"{path} is refused: loading it would call {wanted.group(1)}, which no weights "
                "need; if you trust its origin, save its state_dict alone and load that"
            ) from error
        raise UserError(
            f"{path} is refused: it is no file that torch saves weights in ({size} bytes), and "
            "other pickles can run code; save its state_dict with torch.save and load that"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise UserError(
            f"{path} is truncated or damaged ({_first_line(error)}; {size} bytes); "
            "download it again"
        ) from error


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0].rstrip(".") if text else type(error).__name__


def safe_numpy() -> AbstractContextManager[None]:
    """While it lasts, ``torch.load(weights_only=True)`` takes numpy scalars and arrays too."""
    import codecs

    import numpy as np
    import torch

    core: Any = np.core.multiarray
    kinds = ("bool", "int8", "int16", "int32", "int64", "uint8", "float16", "float32", "float64")
    safe: list[Any] = [np.dtype, np.ndarray, *(type(np.dtype(kind)) for kind in kinds)]
    functions = [core.scalar, core._reconstruct]
    if tuple(map(int, torch.__version__.split(".")[:2])) < (2, 6):
        # No context manager yet, and no second name, which files written with numpy 2 use. Later
        # versions know by themselves how pickle writes the bytes of a scalar.
        torch.serialization.add_safe_globals([*safe, *functions, codecs.encode])
        return nullcontext()
    for package in ("numpy.core", "numpy._core"):
        safe += [(f, f"{package}.multiarray.{f.__name__}") for f in functions]
    return torch.serialization.safe_globals(safe)


def _as_checkpoint(content: Any, path: Path) -> dict[str, Any]:
    from torch import Tensor

    if not isinstance(content, Mapping):
        raise UserError(f"{path} holds a {type(content).__name__}, not a state dict")
    for key in ("state_dict", "model"):
        if isinstance(content.get(key), Mapping):
            meta = content.get("meta")
            state, rest = content[key], meta if isinstance(meta, Mapping) else {}
            break
    else:
        state, rest = content, {}
    tensors = {k: v for k, v in state.items() if isinstance(v, Tensor)}
    if not tensors:
        raise UserError(f"{path} holds no weights: its keys are {', '.join(list(content)[:5])}")
    if all(key.startswith("module.") for key in tensors):
        tensors = {key.removeprefix("module."): value for key, value in tensors.items()}
    return {"state_dict": tensors, "meta": dict(rest)}


def load_weights(
    model: nn.Module, path: Path, report: Callable[[str], None] = print
) -> dict[str, Any]:
    """Load a checkpoint into ``model`` in place; gives its ``meta``.

    Every parameter must be there with its shape. Buffers and names that a newer version is known
    to have changed are reported, and no more. ``meta["CLASSES"]`` becomes ``model.CLASSES``.

    Raises:
        UserError: see :func:`read_checkpoint`; or the weights are those of another model.
    """
    content = read_checkpoint(path)
    fit = fit_weights(model, content["state_dict"])
    for line in fit.warnings:
        report(f"note: {path.name}: {line}")
    if fit.errors:
        raise UserError(f"{path} does not fit this model: " + "; ".join(fit.errors))
    names = content["meta"].get("CLASSES")
    if isinstance(names, (list, tuple)) and all(isinstance(name, str) for name in names):
        model.CLASSES = tuple(names)  # type: ignore[assignment]
    return dict(content["meta"])


def fit_weights(model: nn.Module, state: Mapping[str, Tensor]) -> Fit:
    """Put into ``model`` what fits of ``state``, and say what does not."""
    own = model.state_dict()
    parameters = {name for name, _ in model.named_parameters()}
    reshaped = [
        f"{key} {tuple(state[key].shape)} instead of {tuple(own[key].shape)}"
        for key in own
        if key in state and state[key].shape != own[key].shape and not _changed(key)
    ]
    usable = {k: v for k, v in state.items() if k not in own or v.shape == own[k].shape}
    outcome = model.load_state_dict(usable, strict=False)
    missing = [k for k in outcome.missing_keys if k not in state]
    lost = [k for k in missing if k in parameters or not _changed(k)]
    strange = [k for k in outcome.unexpected_keys if not _changed(k)]
    fit = Fit()
    fit.errors += _listed("missing", lost, len(own))
    fit.errors += _listed("unexpected", strange, len(state))
    fit.errors += _listed("of another shape", reshaped, len(own))
    known = [k for k in [*missing, *outcome.unexpected_keys] if _changed(k) and k not in lost]
    for reason in dict.fromkeys(_changed(key) for key in known):
        keys = [key for key in known if _changed(key) == reason]
        fit.warnings.append(f"{len(keys)} keys differ, first {keys[0]}: {reason}; harmless")
    return fit


def _changed(key: str) -> str | None:
    return next((reason for pattern, reason in CHANGED_KEYS if pattern.search(key)), None)


def _listed(what: str, keys: Iterable[str], total: int, shown: int = 3) -> list[str]:
    keys = list(keys)
    if not keys:
        return []
    rest = f" and {len(keys) - shown} more" if len(keys) > shown else ""
    return [f"{len(keys)} of {total} weights {what}: {', '.join(keys[:shown])}{rest}"]
