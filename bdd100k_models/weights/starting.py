"""Training that starts from weights: a checkpoint of the zoo, of others, or public ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bdd100k_models.errors import UserError
from bdd100k_models.weights.fitting import (
    Fit,
    check_values,
    fit_weights,
    is_learned,
    nearest_model,
    read_foreign,
)
from bdd100k_models.weights.reading import read_checkpoint
from bdd100k_models.weights.selection import Start, select
from bdd100k_models.zoo import classes as zoo_classes
from bdd100k_models.zoo.public_classes import by_name

if TYPE_CHECKING:
    from torch import Tensor, nn

    from bdd100k_models.zoo.public import PublicSource

Report = Callable[[str], None]


def start_from(model: nn.Module, path: Path, report: Report = print, *, task: str = "") -> Fit:
    """Put into ``model`` what fits of a checkpoint, as ``load_from`` of a training run asks for.

    What does not fit (the head, where the classes are others) is reported and keeps its values;
    of another code base's checkpoint the class layers give the rows of the classes that the model
    has, where it is known which they are; ``task`` says what those may be called there.

    Raises:
        UserError: see :func:`read_checkpoint` and :func:`fit_weights`; or no parameter fits.
    """
    content = read_checkpoint(path)
    state = content["state_dict"]
    foreign = read_foreign(content, path, report, own=model.state_dict())
    if foreign is not None:
        state = foreign.state
        names, own = foreign.classes, tuple(getattr(model, "CLASSES", None) or ())
        rows = rows_by_name(names, own, task) if names is not None else None
        start = _start(model, path, state, rows, report)
        return Fit(fitted=len(start.taken) + len(start.selected))
    fit = fit_weights(model, state, path)
    if not fit.fitted:
        raise _nothing(model, path, state)
    for line in [*fit.warnings, *fit.errors]:
        report(f"note: {path.name}: {line}")
    return fit


def start_from_public(
    model: nn.Module, path: Path, source: PublicSource, task: str, report: Report = print
) -> Start:
    """Put into ``model`` what a public checkpoint has for it, and say what.

    Args:
        model: the network as it was built and initialised.
        path: the file.
        source: what is known of it.
        task: the model's.
        report: takes a line each on what was taken, selected by class, and is fresh.

    Raises:
        UserError: see :func:`read_checkpoint`; or nothing fits, or a tensor is no number.
    """
    content = read_checkpoint(path)
    own = model.state_dict()
    state: Mapping[str, Tensor] = content["state_dict"]
    foreign = read_foreign(content, path, report, own=own)
    state = foreign.state if foreign is not None else renamed(state, source.rename)
    names = foreign.classes if foreign is not None else None
    rows = public_rows(source, task, tuple(getattr(model, "CLASSES", None) or ()), names)
    report(
        f"{path.name}: weights of {source.owner}, trained on {source.dataset}, "
        "start the training; they are not the zoo's"
    )
    return _start(model, path, state, rows, report, source.taken)


def public_rows(
    source: PublicSource,
    task: str,
    own: Sequence[str] = (),
    names: Sequence[str] | None = None,
) -> list[int | None] | None:
    """For each class of a model its row in the class layers of its public source, or None.

    Args:
        source: the weights.
        task: the model's.
        own: the model's classes in their order; by default those of the task.
        names: the source's classes, where the file tells them.

    Returns:
        None where class layers start fresh as a whole: the source's classes say nothing about
        the task's, or its class layers are not taken.
    """
    if source.fit not in ("identical", "rows"):
        return None
    if task == "drivable":
        # A road is more than the lane that one drives in: its row would teach the wrong thing.
        return [None] * (len(own) or len(zoo_classes.DRIVABLE))
    table = source.classes(task)
    if table is None:
        return rows_by_name(names, own, task) if names is not None and own else None
    # Joints and the classes of panoptic segmentation are the task's, whatever a model is called.
    wanted = own if own and task not in ("pose", "pan_seg") else table.target
    positions = {name: row[0] for name, row in zip(table.target, table.rows, strict=True) if row}
    return [positions.get(name) for name in wanted]


def rows_by_name(source: Sequence[str], own: Sequence[str], task: str) -> list[int | None]:
    """For each class of a model its row in a source with these classes, by name."""
    return [row[0] if row else None for row in by_name(tuple(source), tuple(own), task).rows]


def renamed(state: Mapping[str, Tensor], rename: Mapping[str, str]) -> dict[str, Tensor]:
    """Keys with the first prefix that matches replaced."""
    renamed = {}
    for key, value in state.items():
        old = next((old for old in rename if key.startswith(old)), None)
        renamed[key if old is None else rename[old] + key[len(old) :]] = value
    return renamed


def _start(
    model: nn.Module,
    path: Path,
    state: Mapping[str, Tensor],
    rows: list[int | None] | None,
    report: Report,
    taken: Sequence[str] = (),
) -> Start:
    start = select(model.state_dict(), state, rows, taken)
    if not any(is_learned(key) for key in (*start.taken, *start.selected)):
        raise _nothing(model, path, state)
    check_values({key: start.state[key] for key in (*start.taken, *start.selected)}, path)
    model.load_state_dict(start.state)
    for line in told(start, rows, tuple(getattr(model, "CLASSES", None) or ())):
        report(f"{path.name}: {line}")
    return start


def told(start: Start, rows: list[int | None] | None, names: Sequence[str]) -> list[str]:
    """What was taken, selected, fresh and left out, a line each; ``names`` of the classes."""
    lines = [f"taken: {_grouped(start.taken)}"]
    if start.selected and rows is not None:
        layers = dict.fromkeys(key.rpartition(".")[0] for key in start.selected)
        fresh = []
        if len(names) == len(rows):
            fresh = [name for name, row in zip(names, rows, strict=True) if row is None]
        classes = f"{len(rows) - rows.count(None)} of {len(rows)} classes"
        classes += f", fresh: {', '.join(fresh)}" if fresh else ""
        lines.append(f"selected by class: {', '.join(layers)} ({classes})")
    lines.append(f"fresh: {_grouped(start.fresh)}")
    if any(is_learned(key) for key in start.left_out):
        lines.append(f"left out: {_grouped(start.left_out)}")
    return lines


def _grouped(keys: Iterable[str], shown: int = 8) -> str:
    """``12 tensors (neck.lateral_convs 8, rpn_head 4)``: by part; counters and tables aside."""
    parts: dict[str, int] = {}
    for key in filter(is_learned, keys):
        names = key.split(".")
        part = ".".join(names[:2] if names[0] in _HOLDERS else names[:1])
        parts[part] = parts.get(part, 0) + 1
    if not parts:
        return "nothing"
    listed = [f"{part} {count}" for part, count in parts.items()]
    more = f" and {len(listed) - shown} more parts" if len(listed) > shown else ""
    return f"{sum(parts.values())} tensors ({', '.join(listed[:shown])}{more})"


#: Parts of a network that hold parts worth a name.
_HOLDERS = ("roi_head", "bbox_head", "neck", "decode_head", "auxiliary_head")


def _nothing(model: nn.Module, path: Path, state: Mapping[str, Tensor]) -> UserError:
    own = next((name for name, _ in model.named_parameters()), "nothing")
    return UserError(
        f"no weight of {path} fits this model: the file has {next(iter(state))}, the model {own}"
        f"{nearest_model(state)}; name another load_from, or leave it out to begin without"
    )
