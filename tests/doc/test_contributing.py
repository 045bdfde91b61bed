"""doc/CONTRIBUTING.md followed to the letter on a copy of the tree; .github names what is there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

from bdd100k_models.files.places import REPOSITORY
from bdd100k_models.zoo.tasks import TASKS

NAME = "retinanet_r18_fpn_1x_det_bdd100k"
PAGE = (REPOSITORY / "doc" / "CONTRIBUTING.md").read_text(encoding="utf-8")
GITHUB = REPOSITORY / ".github"


def blocks(kind: str) -> list[str]:
    """The fenced blocks of the page that hold ``kind``, without the indentation of their list."""
    found = re.findall(rf"^( *)```{kind}\n(.*?)^ *```$", PAGE, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"(?m)^{indent}", "", text) for indent, text in found]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a contributor checks out, as far as the commands of the page look at it."""
    root = tmp_path_factory.mktemp("contribution")
    for folder in ("bdd100k_models", "configs", "tools", *TASKS):
        shutil.copytree(
            REPOSITORY / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(REPOSITORY / "model-index.yml", root)
    return root


def run(tree: Path, command: str) -> subprocess.CompletedProcess[str]:
    words = command.split()
    assert words[0] == "python"
    return subprocess.run(
        [sys.executable, *words[1:]],
        cwd=tree,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def commands(number: int) -> list[str]:
    return blocks("sh")[number].splitlines()


def content(tree: Path) -> dict[str, bytes]:
    return {
        os.fspath(path.relative_to(tree)): path.read_bytes()
        for path in sorted(tree.rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    }


def test_a_model_is_added_checked_rendered_and_taken_out(tree: Path) -> None:
    before = content(tree)
    config = tree / "det" / "configs" / "det" / f"{NAME}.py"
    metafile = tree / "det" / "metafile.yml"

    # 1. Config.  4. Entry: printed, then added after its neighbours as the page has it.
    config.write_text(blocks("python")[0], encoding="utf-8")
    (new,) = commands(0)
    printed = run(tree, new)
    assert printed.returncode == 1
    assert f"  - Name: {NAME}\n    In Collection: RetinaNet" in printed.stdout
    entry = textwrap.indent(textwrap.dedent(blocks("yaml")[0]), "  ")
    text = metafile.read_text(encoding="utf-8")
    following = "  - Name: cascade_rcnn_r50_fpn_1x_det_bdd100k\n"
    metafile.write_text(text.replace(following, entry + following), encoding="utf-8")

    # 6. before 5.: the check says what is still to do.
    (check,) = commands(2)
    early = run(tree, check)
    assert early.returncode == 1
    assert early.stdout.splitlines() == [
        f"{NAME}: Cost: missing; python tools/model_card.py --costs {NAME} writes it",
        f"{NAME}: Fingerprint: missing; python tools/fingerprints.py --missing writes it",
        "det/README.md differs from its metafile.yml: run python tools/model_card.py and commit "
        "what it writes",
    ]

    # 5. What follows from it, and 6. again.
    for command in commands(1):
        done = run(tree, command)
        assert (done.returncode, done.stderr) == (0, ""), command
    checked = run(tree, check)
    assert (checked.returncode, checked.stdout) == (0, "")
    readme = (tree / "det" / "README.md").read_text(encoding="utf-8")
    assert f"| R-18-FPN | 1x |  | 25.31 | 24.02 |  | [`{NAME}`](configs/det/{NAME}.py)" in readme
    card = run(tree, f"python tools/list_models.py {NAME}").stdout
    assert "Box AP-val 25.31, Box AP-test 24.02" in card
    assert "M parameters" in card
    changed = {path for path, data in content(tree).items() if before.get(path) != data}
    assert changed == {
        "bdd100k_models/weights/fingerprints.json",
        f"det/configs/det/{NAME}.py",
        "det/metafile.yml",
        "det/README.md",
        "det/overview.svg",
    }
    picture = tree / "det" / "overview.svg"
    with_it = picture.read_bytes()

    # Taken out.
    config.unlink()
    metafile.write_text(text, encoding="utf-8")
    for command in commands(3):
        assert run(tree, command).returncode == 0
    assert picture.read_bytes() != with_it
    picture.write_bytes(before["det/overview.svg"])  # other versions of matplotlib draw otherwise
    assert content(tree) == before


@pytest.mark.parametrize("name", ["lint", "tests", "cards"])
def test_workflows_run_targets_that_there_are(name: str) -> None:
    workflow = yaml.load((GITHUB / "workflows" / f"{name}.yml").read_text(), yaml.BaseLoader)
    assert "pull_request" in workflow["on"]
    (job,) = workflow["jobs"].values()
    runs = [step["run"] for step in job["steps"] if "run" in step]
    targets = re.findall(r"(?m)^([\w-]+):", (REPOSITORY / "Makefile").read_text())
    assert [run.removeprefix("make ") for run in runs] == [{"tests": "test"}.get(name, name)]
    assert all(run.removeprefix("make ") in targets for run in runs)


@pytest.mark.parametrize("name", ["bug", "model"])
def test_issue_templates_know_all_tasks(name: str) -> None:
    form: dict[str, Any] = yaml.safe_load((GITHUB / "ISSUE_TEMPLATE" / f"{name}.yml").read_text())
    assert form["name"] and form["description"]
    fields = {item["id"]: item["attributes"] for item in form["body"] if "id" in item}
    assert [task for task in fields["task"]["options"] if task != "none"] == list(TASKS)


def test_templates_name_scripts_that_there_are() -> None:
    texts = [PAGE, *(path.read_text() for path in GITHUB.rglob("*.*") if path.is_file())]
    scripts = {script for text in texts for script in re.findall(r"\btools/\w+\.py", text)}
    assert len(scripts) > 5
    assert [script for script in sorted(scripts) if not (REPOSITORY / script).is_file()] == []
    template = (GITHUB / "PULL_REQUEST_TEMPLATE.md").read_text()
    assert all(task in template for task in TASKS)
