"""Every config of the tree resolves to the hyperparameters that its model was published with.

The reference was taken from the published zoo. Where that was wrong or out of date, the rules in
``CORRECTIONS`` say what holds instead; nothing else may differ.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mmcv import Config

ROOT = Path(__file__).resolve().parents[2]
RUNTIME = ROOT / "configs" / "_base_" / "default_runtime.py"
SPLITS = {"train": "train", "val": "val", "test": "val"}

#: Names that a config builds its values from; nothing reads them, the reference leaves them out.
VARIABLES = {
    "cascade",
    "channel_cfg",
    "convnext_t",
    "crop_size",
    "data_root",
    "dataset_type",
    "hrnet",
    "min_values",
    "norm_cfg",
    "pipeline_steps",
    "swin_t",
    "test_pipeline",
    "train_pipeline",
    "val_pipeline",
}


def correct_tagging(cfg: dict[str, Any]) -> None:
    """The labels of 2018 were replaced by those of 2020."""
    for key, split in SPLITS.items():
        cfg["data"][key]["ann_file"] = f"data/bdd100k/labels/det_20/det_{split}.json"


def correct_ins_seg(cfg: dict[str, Any]) -> None:
    """Training read the validation images."""
    cfg["data"]["train"]["img_prefix"] = "data/bdd100k/images/10k/train"


def correct_pan_seg(cfg: dict[str, Any]) -> None:
    """No image folder was named."""
    for key, split in SPLITS.items():
        cfg["data"][key]["img_prefix"] = f"data/bdd100k/images/10k/{split}"


def correct_pose(cfg: dict[str, Any]) -> None:
    """Annotations are prepared into jsons/; mmpose >= 0.27 finds box centres in the pipeline."""
    for key, split in SPLITS.items():
        dataset = cfg["data"][key]
        dataset["ann_file"] = f"data/bdd100k/jsons/pose_{split}_cocofmt.json"
        steps = [{"type": "TopDownGetBboxCenterScale", "padding": 1.25}]
        if key == "train":
            shift = {"type": "TopDownRandomShiftBboxCenter", "shift_factor": 0.16, "prob": 0.3}
            steps.append(shift)
        dataset["pipeline"][1:1] = steps


CORRECTIONS: dict[str, Callable[[dict[str, Any]], None]] = {
    "tagging": correct_tagging,
    "ins_seg": correct_ins_seg,
    "pan_seg": correct_pan_seg,
    "pose": correct_pose,
}


def as_32_images(cfg: dict[str, Any]) -> None:
    """Published without a config: 4 instead of 2 images on each of 8 GPUs, the rate scaled."""
    cfg["data"]["samples_per_gpu"] = 4
    cfg["optimizer"]["lr"] = 0.04


def expected(reference: dict[str, Any], task: str, key: str) -> dict[str, Any]:
    """What the config ``key`` of a task has to resolve to."""
    own = reference["configs"][key.replace("_32bs", "")]
    cfg = copy.deepcopy({**reference["common"], **own})
    cfg["data"] = copy.deepcopy(reference["data_blocks"][cfg["data"]["$ref"]])
    if task in CORRECTIONS:
        CORRECTIONS[task](cfg)
    if "_32bs" in key:
        as_32_images(cfg)
    return cfg


def differences(here: Any, there: Any, place: str = "") -> list[str]:
    """Where two nested values differ, one readable line each; tuples equal lists."""
    if isinstance(here, dict) and isinstance(there, dict):
        here = {str(key): value for key, value in here.items()}  # JSON has no keys but text
        lines = []
        for key in sorted({*here, *there}, key=str):
            inner = f"{place}.{key}" if place else str(key)
            if key not in here:
                lines.append(f"{inner}: missing, reference {there[key]!r}")
            elif key not in there:
                lines.append(f"{inner}: {here[key]!r}, not in the reference")
            else:
                lines += differences(here[key], there[key], inner)
        return lines
    if isinstance(here, (list, tuple)) and isinstance(there, (list, tuple)):
        if len(here) != len(there):
            return [f"{place}: {list(here)!r}, reference {list(there)!r}"]
        pairs = enumerate(zip(here, there, strict=True))
        return [line for i, (a, b) in pairs for line in differences(a, b, f"{place}[{i}]")]
    if type(here) is not type(there) and not {type(here), type(there)} <= {int, float}:
        return [f"{place}: {here!r}, reference {there!r}"]
    return [] if here == there else [f"{place}: {here!r}, reference {there!r}"]


def resolve(path: Path) -> dict[str, Any]:
    cfg: dict[str, Any] = Config.fromfile(str(path), import_custom_modules=False)._cfg_dict
    return cfg.to_dict()  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def runtime_keys() -> set[str]:
    return set(resolve(RUNTIME))


def test_resolves_to_the_reference(
    published: Any, hyperparameters: dict[str, Any], runtime_keys: set[str]
) -> None:
    assert published.path.is_file()
    wanted = expected(hyperparameters[published.task], published.task, published.key)
    found = resolve(published.path)
    for key in (runtime_keys | VARIABLES) - set(wanted):
        found.pop(key, None)
    lines = differences(found, wanted)
    if lines:
        head = f"{published.path.relative_to(ROOT)} differs from the reference:"
        pytest.fail("\n  ".join([head, *lines]), pytrace=False)


def test_the_tree_holds_the_published_configs_and_no_other(all_published: list[Any]) -> None:
    assert len(all_published) == 258
    wanted = {str(model.path.relative_to(ROOT)) for model in all_published}
    found = {
        str(path.relative_to(ROOT))
        for task in {model.task for model in all_published}
        for path in (ROOT / task / "configs").rglob("*.py")
        if "_base_" not in path.parts
    }
    assert sorted(found - wanted) == []
    assert sorted(wanted - found) == []


def test_every_config_starts_from_the_shared_runtime(
    published: Any, runtime_keys: set[str]
) -> None:
    assert runtime_keys <= set(resolve(published.path))


@pytest.mark.parametrize(
    ("here", "there", "lines"),
    [
        ({"a": (1, 2)}, {"a": [1, 2]}, []),
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": True}, {"a": 1}, ["a: True, reference 1"]),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, ["a.b: 1, reference 2"]),
        ({"a": 1}, {}, ["a: 1, not in the reference"]),
        ({}, {"a": None}, ["a: missing, reference None"]),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, ["a[0].b: 1, reference 2"]),
        ({"a": [1]}, {"a": [1, 2]}, ["a: [1], reference [1, 2]"]),
        ({"a": {}}, {"a": None}, ["a: {}, reference None"]),
    ],
)
def test_differences(here: Any, there: Any, lines: list[str]) -> None:
    assert differences(here, there) == lines
