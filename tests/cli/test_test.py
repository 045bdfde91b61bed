"""``test.py`` from the command line: ranks, resume, mistakes. Real processes, a small detector."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from bdd100k_models import build_model, load_config
from bdd100k_models.files.places import REPOSITORY

CONFIG = "demo/models/det_mini.py"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights from a seed, scaled so that every picture gives boxes."""
    torch.manual_seed(0)
    model = build_model(load_config(CONFIG))
    state = model.state_dict()
    state["roi_head.bbox_head.fc_cls.weight"] *= 40
    path = tmp_path_factory.mktemp("weights") / "det.pth"
    torch.save({"state_dict": state, "meta": {}}, path)
    return path


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven pictures of three sizes in two folders; base names repeat."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for number, (width, height) in enumerate(
        [(320, 180), (200, 160), (120, 240)] * 2 + [(320, 180)]
    ):
        coarse = rng.integers(0, 255, (height // 20, width // 20, 3)).astype(np.uint8)
        path = folder / "ab"[number % 2] / f"{number // 2}.jpg"
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(os.fspath(path), cv2.resize(coarse, (width, height)))
    return folder


def run(
    arguments: list[str], ranks: int = 1, launch: str = "torchrun", cwd: Path = REPOSITORY
) -> subprocess.CompletedProcess[str]:
    script = os.fspath(REPOSITORY / "det" / "test.py")
    command = [sys.executable, script]
    if ranks > 1:
        module = "torch.distributed.run" if launch == "torchrun" else "torch.distributed.launch"
        port = 20000 + os.getpid() % 20000
        command = [sys.executable, "-m", module, f"--nproc_per_node={ranks}"]
        command += [f"--master_port={port}", script]
        arguments = [*arguments, "--launcher", "pytorch"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(
        [*command, *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment,
        timeout=600,
    )


def arguments(weights: Path, pictures: Path, out: Path, *more: str) -> list[str]:
    return [
        *(CONFIG, "--checkpoint", os.fspath(weights), "--images", os.fspath(pictures)),
        *("--format-only", "--format-dir", os.fspath(out), "--workers", "1", *more),
    ]


@pytest.fixture(scope="module")
def single(weights: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The output of one process."""
    out = tmp_path_factory.mktemp("single")
    done = run(arguments(weights, pictures, out, "--show-dir", os.fspath(out / "show")))
    assert done.returncode == 0, done.stderr
    assert f"wrote {out / 'det.json'}" in done.stdout
    drawn = cv2.imread(os.fspath(out / "show" / "b" / "1.jpg"))
    assert drawn.shape[:2] == cv2.imread(os.fspath(pictures / "b" / "1.jpg")).shape[:2]
    assert not (out / ".shards").exists()
    return (out / "det.json").read_bytes()


def test_frames(single: bytes) -> None:
    frames = json.loads(single)["frames"]
    names = ["a/0.jpg", "a/1.jpg", "a/2.jpg", "a/3.jpg", "b/0.jpg", "b/1.jpg", "b/2.jpg"]
    assert [frame["name"] for frame in frames] == names
    assert all(frame["labels"] for frame in frames)
    ids = [label["id"] for frame in frames for label in frame["labels"]]
    assert ids == [str(number) for number in range(1, len(ids) + 1)]


@pytest.mark.parametrize(("ranks", "launch"), [(2, "torchrun"), (3, "launch")])
def test_ranks_give_the_same_bytes(
    weights: Path, pictures: Path, single: bytes, tmp_path: Path, ranks: int, launch: str
) -> None:
    done = run(arguments(weights, pictures, tmp_path), ranks, launch, cwd=REPOSITORY / "det")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "det.json").read_bytes() == single
    assert done.stdout.count("wrote") == 1


def test_more_ranks_than_images(
    weights: Path, pictures: Path, single: bytes, tmp_path: Path
) -> None:
    done = run(arguments(weights, pictures, tmp_path, "--limit", "2"), ranks=3)
    assert done.returncode == 0, done.stderr
    frames = json.loads((tmp_path / "det.json").read_bytes())["frames"]
    assert frames == json.loads(single)["frames"][:2]


def test_batches_give_the_same_frames(
    weights: Path, pictures: Path, single: bytes, tmp_path: Path
) -> None:
    done = run(arguments(weights, pictures, tmp_path, "--batch-size", "3"))
    assert done.returncode == 0, done.stderr
    batched = json.loads((tmp_path / "det.json").read_bytes())["frames"]
    for frame, expected in zip(batched, json.loads(single)["frames"], strict=True):
        assert frame["name"] == expected["name"]
        scores = sorted(label["score"] for label in frame["labels"])
        assert scores == pytest.approx(
            sorted(label["score"] for label in expected["labels"]), abs=1e-4
        )


def test_killed_and_resumed(weights: Path, pictures: Path, single: bytes, tmp_path: Path) -> None:
    script = [sys.executable, os.fspath(REPOSITORY / "det" / "test.py")]
    shard = tmp_path / ".shards" / "000-rank0.jsonl"
    process = subprocess.Popen(
        [*script, *arguments(weights, pictures, tmp_path)],
        cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not (shard.exists() and shard.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    if (tmp_path / "det.json").exists():
        pytest.skip("the run was over before it could be killed")
    kept = shard.read_bytes()
    shard.write_bytes(kept[: len(kept) - 20])

    refused = run(arguments(weights, pictures, tmp_path))
    assert refused.returncode == 2
    assert "add --resume to go on with it, or --overwrite" in refused.stderr
    another = run(arguments(weights, pictures, tmp_path, "--limit", "3", "--resume"))
    assert another.returncode == 2
    assert "belongs to a run with another images, number of images" in another.stderr
    done = run(arguments(weights, pictures, tmp_path, "--resume"), ranks=2)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "det.json").read_bytes() == single


@pytest.mark.parametrize("ranks", [1, 2])
def test_unreadable_picture_keeps_the_rest(
    weights: Path, pictures: Path, tmp_path: Path, ranks: int
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "good.jpg").write_bytes((pictures / "a" / "0.jpg").read_bytes())
    (folder / "bad.jpg").write_bytes(b"not a picture")
    out = tmp_path / "out"
    broken = run(arguments(weights, folder, out), ranks)
    told = f"error: {folder / 'bad.jpg'} cannot be read as a picture"
    assert broken.stderr.count(told) == 1
    if ranks == 1:
        assert broken.returncode == 3
        assert "Traceback" not in broken.stderr
    assert broken.returncode != 0
    frames = json.loads((out / "det.json").read_bytes())["frames"]
    assert [(frame["name"], bool(frame["labels"])) for frame in frames] == [
        ("bad.jpg", False),
        ("good.jpg", True),
    ]
    assert list(json.loads((out / "errors.json").read_text())) == ["bad.jpg"]
    (folder / "bad.jpg").write_bytes((pictures / "a" / "1.jpg").read_bytes())
    done = run(arguments(weights, folder, out, "--resume"))
    assert done.returncode == 0, done.stderr
    frames = json.loads((out / "det.json").read_bytes())["frames"]
    assert all(frame["labels"] for frame in frames)
    assert sorted(path.name for path in out.iterdir()) == ["det.json"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--checkpoint", "/no/w.pth"], "error: no checkpoint at /no/w.pth"),
        (
            ["--images", "/no/folder"],
            "error: --images /no/folder: no such folder, file, or pattern",
        ),
        (["--device", "cuda"], "no GPU that this torch can use; try --device cpu"),
        (["--device", "tpu"], "use cpu, cuda, cuda:N or auto"),
        (["--eval"], "--eval needs ground truth, which --images has none of"),
        (["--cfg-options", "model.type"], "--cfg-options model.type: write KEY=VALUE"),
        (["--cfg-options", "model.type=NoSuch"], "model cannot be built"),
        (["--launcher", "pytorch"], "RANK and WORLD_SIZE is not set"),
        (["--resume", "--overwrite"], "exclude each other"),
        (["--cfg-options", "=1"], "--cfg-options =1: write KEY=VALUE"),
        (["--cfg-options", "data=1"], "has no data.test"),
        (["--cfg-options", "data.test.pipeline.0.type=NoSuch"], "pipeline cannot be built"),
        (["--format-dir", "/proc/x"], "cannot write to /proc/x"),
    ],
)
def test_mistakes_are_one_line(
    weights: Path, pictures: Path, tmp_path: Path, more: list[str], message: str
) -> None:
    done = run([*arguments(weights, pictures, tmp_path), *more])
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("error")]) == 1


def test_weights_of_another_model(pictures: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pth"
    torch.save({"state_dict": {"backbone.x": torch.zeros(1)}}, other)
    done = run(arguments(other, pictures, tmp_path))
    assert done.returncode == 2
    assert f"error: {other} does not fit this model: " in done.stderr
    assert "Traceback" not in done.stderr


def test_tmpdir_keeps_what_is_not_ours(weights: Path, pictures: Path, tmp_path: Path) -> None:
    """A folder there with the name of the output folder is somebody else's."""
    kept = tmp_path / "tmp" / "out" / "kept"
    kept.parent.mkdir(parents=True)
    kept.touch()
    more = ("--limit", "1", "--tmpdir", os.fspath(tmp_path / "tmp"))
    done = run(arguments(weights, pictures, tmp_path / "out", *more))
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "tmp").iterdir()] == ["out"]
    assert kept.exists()


def test_pictures_are_never_drawn_over(weights: Path, pictures: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in pictures.rglob("*.jpg")}
    done = run(arguments(weights, pictures, tmp_path, "--show-dir", os.fspath(pictures)))
    assert done.returncode == 2
    assert "is one of the images to read and would be overwritten" in done.stderr
    assert {path: path.read_bytes() for path in pictures.rglob("*.jpg")} == before
