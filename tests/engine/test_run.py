"""A run: what it makes sure of before it computes, what a later one goes on with, bad pictures."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from bdd100k_models import load_config
from bdd100k_models.engine import complaints, devices
from bdd100k_models.engine.predictor import Predictor
from bdd100k_models.engine.ranks import Ranks
from bdd100k_models.engine.run import Balance, Places, RunOptions, plan_cores, run, run_identity
from bdd100k_models.errors import UserError
from bdd100k_models.files import hold
from bdd100k_models.tasks import get_task
from bdd100k_models.tasks.base import ImageRecord, records_of_images

CONFIGS = {"det": "demo/models/det_mini.py", "sem_seg": "demo/models/sem_seg_mini.py"}
CPU = torch.device("cpu")


class Finder(nn.Module):
    """In the place of a detector: one box a picture, as wide as the picture's first pixel says."""

    def __init__(self) -> None:
        super().__init__()
        self.bbox_head = SimpleNamespace(num_classes=10)
        self.seen: list[int] = []
        self.fails_on: dict[int, Any] = {}

    def forward(self, img: list[torch.Tensor], **_: Any) -> list[list[np.ndarray]]:
        values = [round(float(image[0, 0, 0] * 58.395 + 123.675)) for image in img[0]]
        for value in values:
            self.seen.append(value)
            failure = self.fails_on.get(value)
            if isinstance(failure, Exception):
                raise failure
        none = np.zeros((0, 5), np.float32)
        return [
            [np.array([[0, 0, self.fails_on.get(value, value), 9, 0.5]], np.float32)] + [none] * 9
            for value in values
        ]


@pytest.fixture
def finder() -> Finder:
    return Finder()


@pytest.fixture
def predictor(finder: Finder) -> Predictor:
    task = get_task("det")
    task.register()
    return Predictor.of_network(task, load_config(CONFIGS["det"]), finder, CPU)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Twelve grey pictures, 0.png to 11.png, of brightness 20, 30, ... 130."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(12):
        picture = np.full((32, 64, 3), 20 + 10 * number, np.uint8)
        cv2.imwrite(str(folder / f"{number:02d}.png"), picture)
    return folder


def places(tmp_path: Path, show: bool = False) -> Places:
    out = tmp_path / "out"
    return Places(out, out / ".shards", out / "show" if show else None)


@pytest.fixture
def start(predictor: Predictor, pictures: Path, tmp_path: Path) -> Any:
    """``start(show=False, limit=None, **options)`` -> outcome of a run over the pictures."""

    def call(show: bool = False, limit: int | None = None, **options: Any) -> Any:
        records = list(records_of_images(str(pictures)))[:limit]
        where = places(tmp_path, show)
        return run(predictor, records, Ranks(), where, RunOptions(workers=0, **options))

    return call


def frames(tmp_path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((tmp_path / "out" / "det.json").read_text())["frames"]
    return found


def widths(tmp_path: Path) -> list[list[float]]:
    return [[label["box2d"]["x2"] for label in frame["labels"]] for frame in frames(tmp_path)]


# -- a whole run ----------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 5])
def test_frames_in_order(start: Any, tmp_path: Path, batch_size: int) -> None:
    outcome = start(batch_size=batch_size)
    assert widths(tmp_path) == [[20 + 10 * number - 1] for number in range(12)]
    assert outcome.files == [tmp_path / "out" / "det.json"]
    assert outcome.failed == {}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["det.json"]


# -- bad pictures ---------------------------------------------------------------------------------


def test_a_bad_picture_leaves_the_others_alone(start: Any, pictures: Path, tmp_path: Path) -> None:
    bad = pictures / "04.png"
    whole = bad.read_bytes()
    bad.write_bytes(b"no picture")
    outcome = start()
    told = {"04.png": f"{bad} cannot be read as a picture"}
    assert outcome.failed == told
    assert json.loads((tmp_path / "out" / "errors.json").read_text()) == told
    assert widths(tmp_path)[3:6] == [[49], [], [69]]
    # What failed can be tried again, alone.
    bad.write_bytes(whole)
    assert start(resume=True).failed == {}
    assert widths(tmp_path)[3:6] == [[49], [59], [69]]
    assert not (tmp_path / "out" / "errors.json").exists()
    assert not (tmp_path / "out" / ".shards").exists()


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (float("nan"), "04.png: a box has a coordinate that is not finite"),
        (RuntimeError("shapes differ\n at 3"), "04.png: the network failed:  at 3"),
        (MemoryError(), "04.png: 64 x 32 pixels are too many for the memory"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9"),
            "04.png: 64 x 32 pixels are too many for the memory",
        ),
    ],
    ids=["nan", "error", "memory", "allocator"],
)
@pytest.mark.parametrize("batch_size", [1, 3])
def test_what_a_network_trips_over_is_one_picture(
    start: Any, finder: Finder, tmp_path: Path, failure: Any, reason: str, batch_size: int
) -> None:
    finder.fails_on = {60: failure}
    outcome = start(batch_size=batch_size)
    assert list(outcome.failed) == ["04.png"]
    assert outcome.failed["04.png"].endswith(reason)
    expected = [[20 + 10 * number - 1] if number != 4 else [] for number in range(12)]
    assert widths(tmp_path) == expected


def test_strict_stops_at_once(start: Any, finder: Finder, tmp_path: Path) -> None:
    finder.fails_on = {60: ValueError("no")}
    with pytest.raises(UserError, match=r"04\.png: the network failed: no; what is done is kept"):
        start(strict=True)
    assert not (tmp_path / "out" / "det.json").exists()
    finder.fails_on = {}
    start(resume=True)
    assert len(widths(tmp_path)) == 12
    assert finder.seen.count(20) == 1


def test_failure_after_failure_is_not_the_pictures_fault(start: Any, finder: Finder) -> None:
    finder.fails_on = {20 + 10 * number: TypeError("wrong") for number in range(1, 12)}
    with pytest.raises(UserError, match=r"^10 images in a row failed, .*look at the config"):
        start()


def test_unreadable_pictures_in_a_row_are(start: Any, pictures: Path) -> None:
    for number in range(11):
        (pictures / f"{number:02d}.png").write_bytes(b"")
    assert len(start().failed) == 11


# -- drawing --------------------------------------------------------------------------------------


def test_resumed_run_draws_what_the_first_did_not(
    start: Any, finder: Finder, tmp_path: Path
) -> None:
    finder.fails_on = {60: ValueError("no")}
    with pytest.raises(UserError):
        start(strict=True)
    finder.fails_on = {}
    outcome = start(show=True, resume=True)
    assert outcome.drawn == 12
    assert len(list((tmp_path / "out" / "show").iterdir())) == 12


# -- an interrupted run ---------------------------------------------------------------------------


@pytest.fixture
def interrupted(start: Any, finder: Finder) -> Iterator[None]:
    finder.fails_on = {60: ValueError("no")}
    with pytest.raises(UserError):
        start(strict=True)
    finder.fails_on = {}
    yield


@pytest.mark.usefixtures("interrupted")
class TestInterrupted:
    def test_neither_dropped_nor_gone_on_with_unasked(self, start: Any) -> None:
        with pytest.raises(UserError, match=r"interrupted run; add --resume .* or --overwrite"):
            start()

    def test_overwritten(self, start: Any, finder: Finder) -> None:
        start(overwrite=True)
        assert finder.seen.count(20) == 2

    def test_of_another_run(self, start: Any) -> None:
        with pytest.raises(UserError, match="another images, number of images;"):
            start(resume=True, limit=3)

    @pytest.mark.parametrize("content", ["[]", '"x"', "{}"])
    def test_of_a_run_that_says_nothing(self, start: Any, tmp_path: Path, content: str) -> None:
        (tmp_path / "out" / ".shards" / "run.json").write_text(content)
        with pytest.raises(UserError, match="belongs to a run with another task, config"):
            start(resume=True)


def test_resume_without_anything_there_is_a_new_run(start: Any, tmp_path: Path) -> None:
    start(resume=True)
    assert len(widths(tmp_path)) == 12


def test_one_run_at_a_time(start: Any, tmp_path: Path) -> None:
    with (
        hold(tmp_path / "out" / ".shards.lock", "mine"),
        pytest.raises(UserError, match=r"another run is writing to .*out now; wait"),
    ):
        start()
    start()


def test_a_place_that_cannot_be_locked_is_not_called_busy(start: Any, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(UserError, match=r"cannot lock .*File exists|Not a directory"):
        start()


def test_identity_tells_runs_apart(predictor: Predictor) -> None:
    records = [ImageRecord(0, "a.jpg", "a.jpg")]
    own = run_identity(predictor, records)
    assert json.loads(json.dumps(own)) == own
    assert own["classes"][0] == "pedestrian"
    predictor.precision = "bf16"
    other = run_identity(predictor, [replace(records[0], extra=(1, 2))])
    assert [key for key in own if own[key] != other[key]] == ["images", "precision"]


# -- pictures that a run writes -------------------------------------------------------------------


class Flat(nn.Module):
    """In the place of a segmentor: class 0 everywhere."""

    num_classes = 19

    def forward(self, img_metas: Any, **_: Any) -> list[np.ndarray]:
        return [np.zeros(meta["ori_shape"][:2], np.int64) for meta in img_metas[0]]


def check(task: str, names: list[str], tmp_path: Path, show: Path | None = None) -> None:
    """A run over pictures of these names; ends at the first that cannot be opened."""
    chosen = get_task(task)
    chosen.register()
    cfg = load_config(CONFIGS[task])
    network = Finder() if task == "det" else Flat()
    options = None if task == "det" else chosen.options(masks=True)
    predictor = Predictor.of_network(chosen, cfg, network, CPU, options=options)
    records = [ImageRecord(i, name, str(tmp_path / "in" / name)) for i, name in enumerate(names)]
    where = Places(tmp_path, tmp_path / ".shards", show)
    run(predictor, records, Ranks(), where, RunOptions(workers=0, overwrite=True))


def test_equal_base_names_in_two_folders(tmp_path: Path) -> None:
    check("sem_seg", ["a/x.jpg", "b/x.jpg"], tmp_path, tmp_path / "show")
    assert (tmp_path / "masks" / "b" / "x.png").is_file()  # nothing was found in a missing picture


def test_two_images_of_one_mask(tmp_path: Path) -> None:
    check("det", ["x.jpg", "x.png", "x.bmp"], tmp_path, tmp_path / "show")
    with pytest.raises(UserError, match=r"^x\.jpg and x\.png would both .*x\.png; rename"):
        check("sem_seg", ["x.jpg", "x.png"], tmp_path)


@pytest.mark.parametrize("name", ["../x.jpg", "a/../../x.jpg", "/x.jpg"])
def test_names_that_leave_the_folder(tmp_path: Path, name: str) -> None:
    check("det", [name], tmp_path)  # nothing is written under it
    with pytest.raises(UserError, match="would be written outside"):
        check("det", [name], tmp_path, tmp_path / "show")
    with pytest.raises(UserError, match="would be written outside"):
        check("sem_seg", [name], tmp_path)


def test_folder_of_the_images(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="would be overwritten; choose another folder"):
        check("det", ["x.jpg"], tmp_path, tmp_path / "in")


# -- who works ------------------------------------------------------------------------------------


def test_the_network_gets_the_cores_of_a_cpu(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = torch.get_num_threads()
    monkeypatch.setattr(devices, "cores", lambda ranks=None: 4)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    try:
        plan = plan_cores(predictor, Ranks(), None)
        assert (torch.get_num_threads(), plan.workers, plan.writers) == (4, 0, 1)
        assert plan_cores(predictor, Ranks(), 3).workers == 3
        monkeypatch.setenv("OMP_NUM_THREADS", "3")
        torch.set_num_threads(3)
        plan_cores(predictor, Ranks(), None)
        assert torch.get_num_threads() == 3
        predictor.device = torch.device("cuda", 0)
        plan = plan_cores(predictor, Ranks(), None)
        assert (plan.workers, plan.writers) == (3, 4)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("loading", "threads"), [(0.01, 4), (0.2, 3)])
def test_a_small_network_leaves_the_loader_a_core(
    monkeypatch: pytest.MonkeyPatch, loading: float, threads: int
) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(4)
        balance = Balance(4)
        balance.note(9.0, 0.1)  # the first batch does not count
        for _ in range(3):
            assert torch.get_num_threads() == 4
            balance.note(loading, 0.1)
        assert torch.get_num_threads() == threads
        for _ in range(3):
            balance.note(9.0 - loading, 0.1)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_threads_that_the_user_chose_stay(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "cores", lambda ranks=None: torch.get_num_threads() + 2)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert plan_cores(predictor, Ranks(), None).balance is None


def test_nothing_stays_open(start: Any) -> None:
    complaints.listen()  # one file of the process, as long as it lives
    before = len(os.listdir("/proc/self/fd"))
    start()
    assert len(os.listdir("/proc/self/fd")) <= before
