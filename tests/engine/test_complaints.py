"""A picture that is damaged in the middle is told, wherever it is decoded."""

from __future__ import annotations

import ctypes
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from bdd100k_models.cli.test import main
from bdd100k_models.engine import complaints
from bdd100k_models.engine.loading import RecordDataset, load, load_batches
from bdd100k_models.engine.sampling import Draw, SeededDataset
from bdd100k_models.files import REPOSITORY
from bdd100k_models.tasks.base import ImageRecord, StepsPipeline


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(complaints, "_told", set())


@pytest.fixture
def damaged(mini_root: Path, tmp_path: Path) -> Path:
    """A folder of two pictures, of which 4096 bytes of the second are zeros."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    first, second = sorted((mini_root / "images" / "100k" / "val").glob("*.jpg"))[:2]
    shutil.copy(first, folder / "a.jpg")
    data = second.read_bytes()
    middle = len(data) // 2
    (folder / "b.jpg").write_bytes(data[:middle] + bytes(4096) + data[middle + 4096 :])
    return folder


class Decode:
    """A pipeline that decodes and does no more."""

    def __call__(self, record: ImageRecord) -> np.ndarray:
        return np.asarray(cv2.imread(record.path))

    def key(self, data: np.ndarray) -> int:
        return 0

    def collate(self, items: list[np.ndarray]) -> list[np.ndarray]:
        return items


@pytest.mark.parametrize("workers", [0, 1])
def test_wherever_it_is_decoded(
    workers: int, damaged: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    records = [ImageRecord(i, n, str(damaged / n)) for i, n in enumerate(["a.jpg", "b.jpg"])]
    loaded = list(
        load_batches(records, Decode(), batch_size=1, workers=workers, pin_memory=False)  # type: ignore[arg-type]
    )
    assert [len(batches.problems) for batches in loaded] == [0, 0]
    error = capfd.readouterr().err
    assert error == (
        f"note: {damaged / 'b.jpg'} is damaged (Corrupt JPEG data: premature end of data segment); "
        "what can be read of it is used\n"
    )


def test_a_run_tells_and_predicts(
    damaged: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = REPOSITORY / "demo" / "models" / "tagging_weather_mini.py"
    argv = [str(config), "--checkpoint", str(config.with_suffix(".pth")), "--device", "cpu"]
    assert main("tagging", [*argv, "--images", str(damaged), "--out", str(tmp_path / "out")]) == 0
    assert f"note: {damaged / 'b.jpg'} is damaged (Corrupt JPEG data" in capfd.readouterr().err
    frames = json.loads((tmp_path / "out" / "tagging.json").read_text())["frames"]
    assert [frame["name"] for frame in frames] == ["a.jpg", "b.jpg"]


def test_a_pipeline_without_collect(damaged: Path) -> None:
    pipeline = StepsPipeline([], lambda steps: lambda sample: sample)
    problem = load(ImageRecord(0, "a.jpg", str(damaged / "a.jpg")), pipeline).problem
    assert problem is not None
    assert "does not get through data.test.pipeline (it does not end with Collect" in problem.reason
    assert not problem.own


def test_in_training_once(damaged: Path, capfd: pytest.CaptureFixture[str]) -> None:
    class Pictures:
        data_infos = [{"filename": "a.jpg"}, {"filename": "b.jpg"}]

        def __getitem__(self, index: int) -> np.ndarray:
            return np.asarray(cv2.imread(str(damaged / self.data_infos[index]["filename"])))

    dataset = SeededDataset(Pictures())
    for _ in range(3):
        assert dataset[Draw(0, 1)].shape == dataset[Draw(1, 1)].shape
    assert capfd.readouterr().err.count("note: b.jpg is damaged") == 1


def test_no_more_than_some_are_named(capfd: pytest.CaptureFixture[str]) -> None:
    for number in range(30):
        complaints.tell(f"{number}.jpg", "Corrupt JPEG data")
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 11
    assert lines[-1] == "note: more pictures are damaged, and not named"


def test_what_is_no_damage_is_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    complaints.listen()
    library = ctypes.CDLL(None)
    stream = ctypes.c_void_p.in_dll(library, "stderr")
    library.fputs(b"libpng warning: iCCP: known incorrect sRGB profile\n", stream)
    assert complaints.heard() is None
    assert capfd.readouterr().err == "libpng warning: iCCP: known incorrect sRGB profile\n"
    assert complaints.heard() is None


def test_a_whole_picture_is_no_complaint(damaged: Path) -> None:
    dataset = RecordDataset([ImageRecord(0, "a.jpg", str(damaged / "a.jpg"))], Decode())  # type: ignore[arg-type]
    assert dataset[0].problem is None
    assert complaints.heard() is None
