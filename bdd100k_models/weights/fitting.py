"""How a state dict fits a network, and putting it in."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bdd100k_models.errors import UserError
from bdd100k_models.weights import layouts
from bdd100k_models.weights.layouts import Foreign
from bdd100k_models.weights.reading import read_checkpoint

if TYPE_CHECKING:
    from torch import Tensor, nn

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

#: Names of tensors that hold learned numbers in every network.
_LEARNED = re.compile(r"(^|\.)(weight|bias|running_mean|running_var)$")


@dataclass
class Fit:
    """How a state dict fits a network.

    Attributes:
        errors: lines for what does not fit: missing, unexpected and differently shaped parameters.
        warnings: lines for buffers and names that a newer version is known to have changed.
        fitted: number of the network's parameters that were found with their shape.
    """

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    fitted: int = 0


def load_weights(
    model: nn.Module,
    path: Path,
    report: Callable[[str], None] = print,
    *,
    left_out: tuple[str, ...] = (),
    content: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Load a checkpoint into ``model`` in place; gives its ``meta``.

    Every parameter must be there with its shape; those of the file that begin with one of
    ``left_out`` are passed over. Buffers and names that a newer version is known
    to have changed are reported, and no more. ``meta["CLASSES"]`` becomes ``model.CLASSES``.
    ``content`` is what :func:`read_checkpoint` gave, where it was read before.
    ``model.WITHOUT``, where it has that, says what a file without any weight of a prefix is.

    Raises:
        UserError: see :func:`read_checkpoint` and :func:`fit_weights`; or the weights are those
            of another model.
    """
    content = read_checkpoint(path) if content is None else content
    state, meta = content["state_dict"], dict(content["meta"])
    foreign = read_foreign(content, path, report, own=model.state_dict())
    if foreign is not None:
        if foreign.classes is None:
            raise UserError(
                f"{path} has weights of {foreign.layout} and does not say what the rows of their "
                "class layer mean: save it with a list of names beside the weights, class_names"
            )
        state, meta["CLASSES"] = foreign.state, foreign.classes
    state = {k: v for k, v in state.items() if not k.startswith(left_out)}
    fit = fit_weights(model, state, path)
    for line in fit.warnings:
        report(f"note: {path.name}: {line}")
    if fit.errors:
        whose = f" (weights of {foreign.layout})" if foreign is not None else ""
        hints = [
            hint
            for prefix, hint in getattr(model, "WITHOUT", {}).items()
            if not any(key.startswith(prefix) for key in state)
        ]
        near = "" if hints else nearest_model(state)
        raise UserError(
            f"{path}{whose} does not fit this model: {'; '.join(hints + fit.errors)}{near}"
        )
    if foreign is not None and foreign.prepare is not None:
        foreign.prepare(model)
    names = meta.get("CLASSES")
    if isinstance(names, (list, tuple)) and all(isinstance(name, str) for name in names):
        model.CLASSES = tuple(names)  # type: ignore[assignment]
    return meta


def nearest_model(state: Mapping[str, Tensor]) -> str:
    """The end of a message about weights that do not fit: which model they are nearest to."""
    from bdd100k_models.weights import fingerprints

    found = fingerprints.nearest({key: tuple(value.shape) for key, value in state.items()})
    return f"; nearest of the zoo is {found}" if found is not None else ""


def read_foreign(
    content: Mapping[str, Any],
    path: Path,
    report: Callable[[str], None] = print,
    own: Collection[str] = (),
) -> Foreign | None:
    """What a checkpoint is under our names, where it is of another code base; says so.

    Args:
        content: as :func:`read_checkpoint` gives it.
        path: the file.
        report: takes the note.
        own: names of the network's tensors.
    """
    if content["nest"] not in ("", "state_dict"):
        report(f"note: {path.name}: the weights under {content['nest']!r} are taken")
    foreign = layouts.translate(content["state_dict"], content["meta"], own)
    if foreign is not None:
        without = f", without {foreign.dropped} that only that needs" if foreign.dropped else ""
        report(
            f"note: {path.name}: weights of {foreign.layout}, {len(foreign.state)} tensors "
            f"renamed{without}"
        )
    return foreign


def fit_weights(
    model: nn.Module, state: Mapping[str, Tensor], named: str | Path = "the checkpoint"
) -> Fit:
    """Put into ``model`` what fits of ``state``, and say what does not; ``named`` in errors.

    Raises:
        UserError: a tensor that would be put in is not finite, or holds integers where the model
            has real numbers; the model is as it was.
    """
    own = model.state_dict()
    parameters = {name for name, _ in model.named_parameters()}
    reshaped = [
        f"{key} {tuple(state[key].shape)} instead of {tuple(own[key].shape)}"
        for key in own
        if key in state and state[key].shape != own[key].shape and not _changed(key)
    ]
    usable = {k: v for k, v in state.items() if k not in own or v.shape == own[k].shape}
    check_values(
        {key: value for key, value in usable.items() if key in own},
        named,
        real={key for key, value in own.items() if value.is_floating_point()},
    )
    outcome = model.load_state_dict(usable, strict=False)
    missing = [k for k in outcome.missing_keys if k not in state]
    lost = [k for k in missing if k in parameters or not _changed(k)]
    strange = [k for k in outcome.unexpected_keys if not _changed(k)]
    fit = Fit(fitted=len(parameters & usable.keys()))
    fit.errors += _listed("missing", lost, len(own))
    fit.errors += _listed("unexpected", strange, len(state))
    fit.errors += _listed("of another shape", reshaped, len(own))
    known = [k for k in [*missing, *outcome.unexpected_keys] if _changed(k) and k not in lost]
    for reason in dict.fromkeys(_changed(key) for key in known):
        keys = [key for key in known if _changed(key) == reason]
        fit.warnings.append(f"{len(keys)} keys differ, first {keys[0]}: {reason}; harmless")
    return fit


def check_values(
    state: Mapping[str, Tensor], named: str | Path, real: Iterable[str] | None = None
) -> None:
    """Refuse learned numbers that are none.

    Args:
        state: tensors by name; keys of ``CHANGED_KEYS`` are passed over.
        named: what to call the checkpoint in the message.
        real: names of the tensors that must hold real numbers; by default those that do in every
            network (``weight``, ``bias``, ``running_mean``, ``running_var``).

    Raises:
        UserError: the first tensor with NaN, infinity or integers.
    """
    import torch

    wanted = {key for key in state if _LEARNED.search(key)} if real is None else set(real)
    for key, value in state.items():
        if _changed(key):
            continue
        if key in wanted and not value.is_floating_point():
            kind = str(value.dtype).removeprefix("torch.")
            raise UserError(
                f"{named} is refused: {key} holds {kind} where a network has real numbers; save "
                "the weights as float32 or float16"
            )
        if not value.is_floating_point():
            continue
        # One-byte floats have no isfinite.
        finite = torch.isfinite(value if value.element_size() > 1 else value.float())
        if not finite.all():
            raise UserError(
                f"{named} is refused: {key} holds NaN or infinity in {int((~finite).sum())} of "
                f"{value.numel()} values; the training that wrote it went astray, take an earlier "
                "checkpoint"
            )


def is_learned(key: str) -> bool:
    """Whether a tensor of this name holds something learned, by ``CHANGED_KEYS``."""
    return _changed(key) is None


def _changed(key: str) -> str | None:
    return next((reason for pattern, reason in CHANGED_KEYS if pattern.search(key)), None)


def _listed(what: str, keys: Iterable[str], total: int, shown: int = 3) -> list[str]:
    keys = list(keys)
    if not keys:
        return []
    rest = f" and {len(keys) - shown} more" if len(keys) > shown else ""
    return [f"{len(keys)} of {total} weights {what}: {', '.join(keys[:shown])}{rest}"]
