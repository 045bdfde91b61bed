"""What a run makes sure of before it computes, and what a later one may go on with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bdd100k_models.engine.inference import Places, check_pictures, only_run, prepare_shards
from bdd100k_models.engine.ranks import Ranks
from bdd100k_models.errors import UserError
from bdd100k_models.files.places import REPOSITORY
from bdd100k_models.tasks import get_task
from bdd100k_models.tasks.base import ImageRecord


def check(task: str, names: list[str], out: Path, pictures: Path | None = None) -> None:
    records = [ImageRecord(i, name, str(out / "in" / name)) for i, name in enumerate(names)]
    check_pictures(get_task(task), records, Places(out, out / ".shards", pictures), Ranks())


def test_equal_base_names_in_two_folders(tmp_path: Path) -> None:
    check("ins_seg", ["a/x.jpg", "b/x.jpg"], tmp_path, tmp_path / "show")


def test_two_images_of_one_mask(tmp_path: Path) -> None:
    check("det", ["x.jpg", "x.png", "x.bmp"], tmp_path, tmp_path / "show")
    with pytest.raises(UserError, match=r"^x\.jpg and x\.png would both .*x\.png; rename"):
        check("ins_seg", ["x.jpg", "x.png"], tmp_path)


@pytest.mark.parametrize("name", ["../x.jpg", "a/../../x.jpg", "/x.jpg"])
def test_names_that_leave_the_folder(tmp_path: Path, name: str) -> None:
    check("det", [name], tmp_path)  # nothing is written under it
    with pytest.raises(UserError, match="would be written outside"):
        check("det", [name], tmp_path, tmp_path / "show")
    with pytest.raises(UserError, match="would be written outside"):
        check("ins_seg", [name], tmp_path)


def test_folder_of_the_images(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="would be overwritten; choose another folder"):
        check("det", ["x.jpg"], tmp_path, tmp_path / "in")


HOLD = """
import sys, time
from pathlib import Path
from bdd100k_models.engine.inference import Places, only_run
from bdd100k_models.engine.ranks import Ranks
out = Path(sys.argv[1])
with only_run(Places(out, out / ".shards"), Ranks()):
    print("held", flush=True)
    time.sleep(60)
"""


def test_only_one_run_at_a_time(tmp_path: Path) -> None:
    places = Places(tmp_path, tmp_path / ".shards")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, cwd=REPOSITORY
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == b"held\n"
        with (
            pytest.raises(UserError, match=r"another run is writing to .* now"),
            only_run(places, Ranks()),
        ):
            raise AssertionError("two runs at once")
        other.kill()
    with only_run(places, Ranks()):
        pass
    assert list(tmp_path.iterdir()) == []


class TestPrepareShards:
    IDENTITY = {"task": "det", "images": "abc"}

    def prepare(self, folder: Path, **options: bool) -> None:
        chosen = {"resume": False, "overwrite": False, **options}
        identity = {**self.IDENTITY, "task": "det"}
        prepare_shards(Places(folder, folder / ".shards"), identity, Ranks(), **chosen)

    def test_new_then_interrupted(self, tmp_path: Path) -> None:
        self.prepare(tmp_path)
        done = tmp_path / ".shards" / "000-rank0.jsonl"
        done.write_text("x")
        with pytest.raises(UserError, match=r"interrupted run; add --resume .* or --overwrite"):
            self.prepare(tmp_path)
        self.prepare(tmp_path, resume=True)
        assert done.exists()
        self.prepare(tmp_path, overwrite=True)
        assert not done.exists()

    def test_resume_of_another_run(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.prepare(tmp_path)
        monkeypatch.setitem(self.IDENTITY, "images", "other")
        with pytest.raises(UserError, match="belongs to a run with another images;"):
            self.prepare(tmp_path, resume=True)

    def test_resume_without_anything_there_is_a_new_run(self, tmp_path: Path) -> None:
        self.prepare(tmp_path, resume=True)
        assert (tmp_path / ".shards" / "run.json").is_file()
