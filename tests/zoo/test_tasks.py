"""Facts of the tasks: complete, and the same as what configs and folders say."""

import ast
import subprocess
import sys

import pytest

from bdd100k_models.errors import UserError
from bdd100k_models.files import REPOSITORY
from bdd100k_models.zoo import catalogue, tasks


def test_the_tasks_are_those_of_the_catalogue_and_have_a_folder() -> None:
    assert set(tasks.TASKS) == {model.task for model in catalogue.catalogue().values()}
    for name, facts in tasks.TASKS.items():
        assert facts.name == name
        assert (REPOSITORY / name / "metafile.yml").is_file()
        assert (REPOSITORY / name / "test.py").is_file()


@pytest.mark.parametrize("name", tasks.TASKS)
def test_a_task_that_runs_has_everything(name: str) -> None:
    facts = tasks.facts(name)
    assert facts.dataset_types and "json" in facts.ground_truth
    assert bool(facts.classes) != bool(facts.tags)
    assert ("masks" in facts.ground_truth) == bool(facts.png_channels)
    assert facts.output.endswith(".json")
    for paths in facts.ground_truth.values():
        assert all(path.startswith("labels/") and "{split}" in path for path in paths)


def test_the_types_of_dataset_are_those_that_the_configs_name() -> None:
    named = set()
    for folder in tasks.TASKS:
        for path in (REPOSITORY / folder / "configs").rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if (
                    isinstance(node, ast.Constant)
                    and isinstance(node.value, str)
                    and "BDD100K" in node.value
                    and node.value.endswith("Dataset")
                ):
                    named.add((folder, node.value))
    assert named == {(n, t) for n in tasks.TASKS for t in tasks.facts(n).dataset_types}


def test_a_dataset_type_tells_its_task() -> None:
    found = tasks.of_dataset_type("BDD100KSceneTaggingDataset")
    assert found is not None and found.name == "tagging"
    assert list(found.tags) == ["weather", "scene"]
    assert tasks.of_dataset_type("CocoDataset") is None


def test_paths_and_pictures() -> None:
    facts = tasks.facts("ins_seg")
    assert facts.pictures.format(split="val") == "images/10k/val"
    assert facts.ground_truth["masks"] == ("labels/ins_seg/bitmasks/{split}",)
    assert tasks.IMAGE_SET_SIZES[facts.image_set]["test"] == 2000


def test_an_unknown_task_is_told_with_the_nearest() -> None:
    with pytest.raises(UserError, match="no task 'semseg'; did you mean 'sem_seg'"):
        tasks.facts("semseg")
    with pytest.raises(UserError, match="no task 'xyz'; one of tagging, det, "):
        tasks.facts("xyz")


def test_no_torch_is_imported() -> None:
    code = "import sys, bdd100k_models.zoo.tasks; print('torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stdout.strip() == "False", answer.stderr
