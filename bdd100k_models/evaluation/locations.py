"""Where the official layout of the dataset keeps the ground truth of each task."""

from __future__ import annotations

from pathlib import Path

from bdd100k_models.errors import UserError, nearest
from bdd100k_models.zoo import tasks
from bdd100k_models.zoo.tasks import FORMS, Form

#: The tasks that an official evaluator scores.
TASKS: tuple[str, ...] = tuple(name for name, facts in tasks.TASKS.items() if facts.ground_truth)


def check_task_and_form(task: str, form: str) -> None:
    """Raise a UserError unless the evaluators know ``task`` and take ``form`` for it."""
    if task not in TASKS:
        raise UserError(f"no evaluator for task {task!r}; {nearest(task, TASKS)}")
    if form not in FORMS:
        raise UserError(f"no form {form!r} of predictions; {nearest(form, FORMS)}")
    if form not in tasks.facts(task).ground_truth:
        raise UserError(f"{task} has no masks; its predictions are a JSON file (form 'json')")


def ground_truth_path(
    task: str, data_root: str | Path, split: str = "val", form: Form = "json"
) -> Path:
    """The official ground truth of a task: a JSON file, or a folder of PNGs for ``masks``.

    Raises:
        UserError: unknown task, form or split; or nothing there (the message says where it looked).
    """
    check_task_and_form(task, form)
    if split == "test":
        raise UserError(
            f"the test split has no public labels, so {task} cannot be scored here; "
            "pack the predictions with tools/pack_submission.py and upload them"
        )
    if split not in ("train", "val"):
        raise UserError(f"no split {split!r}; one of train, val, test")
    root = Path(data_root).expanduser()
    names = tasks.facts(task).ground_truth[form]
    candidates = [root / name.format(split=split) for name in names]
    for candidate in candidates:
        if candidate.exists():
            return candidate
    looked = " and ".join(str(candidate) for candidate in candidates)
    raise UserError(
        f"no {split} ground truth of {task}: looked for {looked}; unpack the BDD100K labels there, "
        "run tools/prepare_data.py to see what else is missing, or pass --data-root"
    )


def form_of(predictions: Path) -> Form:
    """``masks`` for a folder with PNGs and no JSON in it, else ``json``."""
    if predictions.is_dir() and not any(predictions.glob("*.json")):
        return "masks"
    return "json"


def score_file_beside(predictions: Path) -> Path | None:
    """The ``score.json`` that test.py writes beside the folder ``bitmasks``, if it is there."""
    beside = predictions.parent / "score.json"
    return beside if predictions.is_dir() and beside.is_file() else None
