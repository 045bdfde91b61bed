"""Where the official layout of the dataset keeps the ground truth of each task."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from bdd100k_models.errors import UserError

#: ``json``: Scalabel JSON (masks as RLE); ``masks``: a folder of PNGs (masks or bitmasks).
Form = Literal["json", "masks"]
FORMS: tuple[Form, ...] = ("json", "masks")

#: Below ``labels/``, first found wins. ``{split}`` is ``train`` or ``val``.
_GROUND_TRUTH: dict[str, dict[Form, tuple[str, ...]]] = {
    "tagging": {
        # The second name is the release of 2018, which has the same attributes.
        "json": ("det_20/det_{split}.json", "bdd100k_labels_images_{split}.json"),
    },
    "det": {"json": ("det_20/det_{split}.json",)},
    "ins_seg": {
        "json": ("ins_seg/rles/ins_seg_{split}.json",),
        "masks": ("ins_seg/bitmasks/{split}",),
    },
    "sem_seg": {
        "json": ("sem_seg/rles/sem_seg_{split}.json",),
        "masks": ("sem_seg/masks/{split}",),
    },
    "drivable": {
        "json": ("drivable/rles/drivable_{split}.json",),
        "masks": ("drivable/masks/{split}",),
    },
    "pan_seg": {
        "json": ("pan_seg/rles/pan_seg_{split}.json",),
        "masks": ("pan_seg/bitmasks/{split}",),
    },
    "pose": {"json": ("pose_21/pose_{split}.json",)},
}

#: The tasks that an official evaluator scores.
TASKS: tuple[str, ...] = tuple(_GROUND_TRUTH)


def check_task_and_form(task: str, form: str) -> None:
    """Raise a UserError unless the evaluators know ``task`` and take ``form`` for it."""
    if task not in _GROUND_TRUTH:
        raise UserError(f"no evaluator for task {task!r}; one of {', '.join(TASKS)}")
    if form not in FORMS:
        raise UserError(f"no form {form!r} of predictions; one of {', '.join(FORMS)}")
    if form not in _GROUND_TRUTH[task]:
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
    labels = Path(data_root).expanduser() / "labels"
    candidates = [labels / name.format(split=split) for name in _GROUND_TRUTH[task][form]]
    for candidate in candidates:
        if candidate.exists():
            return candidate
    looked = " and ".join(str(candidate) for candidate in candidates)
    raise UserError(
        f"no {split} ground truth of {task}: looked for {looked}; unpack the BDD100K labels there, "
        "run tools/prepare_data.py to see what else is missing, or pass --data-root"
    )
