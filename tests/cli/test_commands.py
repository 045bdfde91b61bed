"""The commands of an installed package, from a wheel in an environment without the source tree."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from bdd100k_models.cli import commands
from bdd100k_models.cli.commands import COMMANDS
from bdd100k_models.files import REPOSITORY
from bdd100k_models.version import __version__

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [
            *(sys.executable, "setup.py", "-q", "egg_info", "-e", folder, "build", "-b", folder),
            *("bdist_wheel", "-d", folder / "dist"),
        ],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
    )
    (found,) = (folder / "dist").glob("*.whl")
    return found


@pytest.fixture(scope="module")
def run(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs ``bdd100k-models`` of an environment that has the wheel and this one's packages."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment)
    python = environment / "bin" / "python"
    paths = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    # Files of this kind in the folder that it names (an editable install) are not looked at.
    Path(paths.stdout.strip(), "reused.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--quiet"]
    subprocess.run([*install, wheel], check=True)

    def run_command(*words: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [environment / "bin" / "bdd100k-models", *words],
            cwd=cwd,
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1", "HOME": str(cwd)},
        )

    return run_command


def test_a_wheel_carries_what_the_source_tree_has(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("configs", "det/configs", "demo/models"):
        for path in (REPOSITORY / folder).rglob("*.py"):
            assert f"bdd100k_models/repository/{path.relative_to(REPOSITORY)}" in inside
    for name in ("model-index.yml", "mot/metafile.yml", "demo/models/pose_mini.pth"):
        assert f"bdd100k_models/repository/{name}" in inside
    assert "bdd100k_models/visualization/report.html.jinja" in inside
    assert "bdd100k_models/compat/mmcv_build/setuptools/build_meta.py" in inside
    assert not [name for name in inside if name.endswith(".pyc") or name.startswith("tests/")]


def test_a_model_runs_from_a_wheel(run: Run, tmp_path: Path, mini_root: Path) -> None:
    done = run(
        *("test", "det", "demo/models/det_mini.py", "--checkpoint", "demo/models/det_mini.pth"),
        *("--images", str(mini_root / "images" / "100k" / "val"), "--limit", "1"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    written = json.loads((tmp_path / "work_dirs" / "det_mini" / "det.json").read_text())
    (frame,) = written["frames"]
    assert frame["labels"]


def test_the_catalogue_is_there(run: Run, tmp_path: Path) -> None:
    done = run("list", "--task", "pan_seg", cwd=tmp_path)
    assert done.returncode == 0
    assert "panoptic_fpn_r50_fpn_1x_pan_seg_bdd100k" in done.stdout


def test_mistakes_name_commands_and_not_scripts(run: Run, tmp_path: Path) -> None:
    done = run("test", "det", "nothing_like_it", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: no published model is named 'nothing_like_it'")
    assert "bdd100k-models list" in done.stderr and "tools/" not in done.stderr
    done = run("demo", "--hlep", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    done = run("test", "tagging", "--help", cwd=tmp_path)
    assert done.stdout.startswith("usage: bdd100k-models test tagging [-h]")


def test_data_is_looked_for_where_the_user_is(run: Run, tmp_path: Path) -> None:
    done = run("test", "tagging", "resnet18_4x_weather_tag_bdd100k", cwd=tmp_path)
    assert done.returncode == 2
    assert f"{tmp_path}/data/bdd100k" in done.stderr


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        ([], 0, "usage: bdd100k-models COMMAND"),
        (["--version"], 0, __version__),
        (["tran"], 2, "error: no command 'tran': did you mean 'train' or 'track'?"),
        (["test"], 2, "error: which task? bdd100k-models test TASK NAME"),
        (["test", "zzz"], 2, "error: no task 'zzz': one of tagging, det"),
    ],
)
def test_what_is_no_command_is_told(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    status: int,
    told: str,
) -> None:
    monkeypatch.setattr(commands, "called", None)
    assert commands.main(words) == status
    out, err = capsys.readouterr()
    assert (out if status == 0 else err).startswith(told)


def test_every_script_has_a_command() -> None:
    known = {command.script for command in COMMANDS}
    # What works on the source tree alone.
    own = {"benchmark", "fingerprints", "lock_environment", "model_card", "setup_environment"}
    own.add("test_everywhere")
    for script in (REPOSITORY / "tools").glob("*.py"):
        assert f"tools/{script.name}" in known or script.stem in own
    for command in COMMANDS:
        script = command.script.replace("TASK", "det")
        assert not script or (REPOSITORY / script).is_file()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("python tools/train.py NAME", "bdd100k-models train NAME"),
        ("tools/list_models.py lists them", "bdd100k-models list lists them"),
        ("see det/test.py and pose/test.py --boxes", None),
        ("run TASK/test.py", "run bdd100k-models test TASK"),
        ("no file /home/me/tools/train.py", "no file /home/me/tools/train.py"),
        ("my_det/test.py", "my_det/test.py"),
    ],
)
def test_scripts_in_messages_become_commands(
    monkeypatch: pytest.MonkeyPatch, text: str, expected: str | None
) -> None:
    assert commands.as_called(text) == text  # nobody typed a command
    monkeypatch.setattr(commands, "called", "bdd100k-models list")
    if expected is None:
        expected = "see bdd100k-models test det and bdd100k-models test pose --boxes"
    assert commands.as_called(text) == expected
