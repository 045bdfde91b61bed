"""Runs over videos: frames in order, whole videos for a rank and for ``--resume``."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from bdd100k_models import load_config
from bdd100k_models.engine.predictor import Predictor
from bdd100k_models.engine.ranks import Ranks
from bdd100k_models.engine.run import Outcome, Places, RunOptions, _share, run
from bdd100k_models.errors import UserError
from bdd100k_models.tasks import get_task
from bdd100k_models.tasks.base import ImageRecord, VideoPlace
from bdd100k_models.tasks.videos import records_of_videos
from bdd100k_models.tracking.tracked import TrackedFrame
from bdd100k_models.visualization.videos import VideoWriter

CONFIG = "demo/models/mot_mini.py"


class Counter(nn.Module):
    """In the place of a tracker: its one track is numbered by the frames of the video so far."""

    def __init__(self) -> None:
        super().__init__()
        self.roi_head = SimpleNamespace(bbox_head=SimpleNamespace(num_classes=8))
        self.seen: list[tuple[int, int]] = []
        self.stop_after = 10**6

    def new_video(self) -> Any:
        calls: list[int] = []

        def track(frame: int, img: torch.Tensor, meta: dict[str, Any]) -> TrackedFrame:
            if len(self.seen) == self.stop_after:
                raise KeyboardInterrupt
            brightness = round(float(img[0, 0, 0, 0] * 58.395 + 123.675))
            self.seen.append((frame, brightness))
            calls.append(frame)
            box = np.array([[brightness, 0, brightness + 20, 9, 0.9]], np.float32)
            height, width = meta["ori_shape"][:2]
            none = np.zeros((1, 4), np.float32)
            first = np.zeros(1, np.int64)
            return TrackedFrame(box, first, none, first, first + len(calls), height, width)

        return track


@pytest.fixture
def network() -> Counter:
    return Counter()


@pytest.fixture
def predictor(network: Counter) -> Predictor:
    task = get_task("mot")
    task.register()
    return Predictor.of_network(task, load_config(CONFIG), network, torch.device("cpu"))


def write_frame(path: Path, brightness: int, size: tuple[int, int] = (64, 32)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((size[1], size[0], 3), brightness, np.uint8))


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Three videos of 4 frames, 2 and 3."""
    folder = tmp_path / "in"
    for video, count, brightness in (("b", 4, 20), ("a10", 2, 100), ("a9", 3, 180)):
        for frame in range(count):
            # In the order of numbers, 10 comes after 9.
            write_frame(folder / video / f"f{frame + 8}.png", brightness + 10 * frame)
    return folder


def go(
    predictor: Predictor, images: Path, out: Path, show: bool = False, **options: Any
) -> Outcome:
    records = records_of_videos(str(images))
    places = Places(out, out / ".shards", out / "drawn" if show else None)
    return run(predictor, records, Ranks(), places, RunOptions(workers=0, **options))


def tracks(out: Path) -> dict[str, list[list[str]]]:
    """Ids of each frame by video."""
    found: dict[str, list[list[str]]] = {}
    for frame in json.loads((out / "mot.json").read_text())["frames"]:
        ids = [label["id"] for label in frame["labels"]]
        found.setdefault(frame["videoName"], []).append(ids)
    return found


def test_frames_go_in_natural_order_and_each_video_begins_anew(
    predictor: Predictor, network: Counter, videos: Path, tmp_path: Path
) -> None:
    go(predictor, videos, tmp_path / "out")
    assert network.seen == [
        *((0, 180), (1, 190), (2, 200)),
        *((0, 100), (1, 110)),
        *((0, 20), (1, 30), (2, 40), (3, 50)),
    ]
    assert tracks(tmp_path / "out") == {
        "a9": [["1"], ["2"], ["3"]],
        "a10": [["1"], ["2"]],
        "b": [["1"], ["2"], ["3"], ["4"]],
    }
    frame = json.loads((tmp_path / "out/mot.json").read_text())["frames"][1]
    assert (frame["name"], frame["videoName"], frame["frameIndex"]) == ("f9.png", "a9", 1)
    det = json.loads((tmp_path / "out/det.json").read_text())["frames"]
    assert [label["id"] for frame in det for label in frame["labels"]] == list("123456789")


def test_an_interrupted_video_begins_anew_and_a_whole_one_does_not(
    predictor: Predictor, network: Counter, videos: Path, tmp_path: Path
) -> None:
    go(predictor, videos, tmp_path / "whole")
    network.seen.clear()
    network.stop_after = 7  # two frames into the last video
    with pytest.raises(KeyboardInterrupt):
        go(predictor, videos, tmp_path / "out")
    network.stop_after = 10**6
    network.seen.clear()
    go(predictor, videos, tmp_path / "out", resume=True)
    assert [place for place, _ in network.seen][-4:] == [0, 1, 2, 3]
    assert len(network.seen) <= 6, "a video that was done is done again"
    for name in ("mot.json", "det.json"):
        whole = (tmp_path / "whole" / name).read_bytes()
        assert (tmp_path / "out" / name).read_bytes() == whole


def test_a_frame_that_cannot_be_read_is_told_and_identities_go_on(
    predictor: Predictor, network: Counter, videos: Path, tmp_path: Path
) -> None:
    bad = videos / "b" / "f9.png"
    bad.write_bytes(b"no picture")
    outcome = go(predictor, videos, tmp_path / "out")
    assert outcome.failed == {"b/f9.png": f"{bad} cannot be read as a picture"}
    assert tracks(tmp_path / "out")["b"] == [["1"], [], ["2"], ["3"]]
    assert [frame for frame, _ in network.seen[-3:]] == [0, 2, 3]
    network.seen.clear()
    write_frame(bad, 30)
    assert not go(predictor, videos, tmp_path / "out", resume=True).failed
    assert network.seen == [(0, 20), (1, 30), (2, 40), (3, 50)]
    assert tracks(tmp_path / "out")["b"] == [["1"], ["2"], ["3"], ["4"]]


def test_frames_of_one_video_have_one_size(
    predictor: Predictor, videos: Path, tmp_path: Path
) -> None:
    write_frame(videos / "b" / "f9.png", 30, (32, 32))
    outcome = go(predictor, videos, tmp_path / "out")
    assert outcome.failed == {
        "b/f9.png": f"{videos}/b/f9.png: 32x32 pixels, but its video began with 64x32; frames of "
        "a video have one size"
    }
    assert tracks(tmp_path / "out")["b"] == [["1"], [], ["2"], ["3"]]


def test_frames_go_one_by_one(predictor: Predictor, videos: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--batch-size 2: frames of a video go"):
        go(predictor, videos, tmp_path / "out", batch_size=2)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_ranks_share_whole_videos(predictor: Predictor, size: int) -> None:
    lengths = [4, 9, 1, 7, 3]
    records = [
        ImageRecord(
            10 * video + frame, f"v{video}/{frame}.jpg", "", place=VideoPlace(f"v{video}", frame)
        )
        for video, length in enumerate(lengths)
        for frame in range(length)
    ]
    shares = [_share(predictor, records, Ranks(rank, size)) for rank in range(size)]
    assert sorted(record.name for share in shares for record in share) == sorted(
        record.name for record in records
    )
    own = [{record.place.video for record in share if record.place} for share in shares]
    assert sum(map(len, own)) == len(lengths), "a video is in two shares"
    assert max(map(len, shares)) - min(map(len, shares)) <= max(lengths)
    for share in shares:
        places = [(record.place.video, record.place.frame) for record in share if record.place]
        assert places == sorted(places)


def test_a_video_file_goes_in_and_comes_out_drawn(
    predictor: Predictor, network: Counter, tmp_path: Path
) -> None:
    with VideoWriter(tmp_path / "drive.mp4", 10.0) as file:
        for frame in range(6):
            file.write(np.full((64, 128, 3), 40 + 20 * frame, np.uint8))
    outcome = go(predictor, tmp_path / "drive.mp4", tmp_path / "out", show=True)
    assert outcome.drawn == 6
    assert [frame for frame, _ in network.seen] == list(range(6))
    assert np.abs([shown - 40 - 20 * frame for frame, shown in network.seen]).max() <= 4
    frames = json.loads((tmp_path / "out/mot.json").read_text())["frames"]
    assert [frame["name"] for frame in frames] == [f"drive-{n:07d}.jpg" for n in range(1, 7)]
    assert (tmp_path / "out/drawn/drive/drive-0000006.jpg").is_file()
    made = cv2.VideoCapture(str(tmp_path / "out/drawn/drive.mp4"))
    assert made.get(cv2.CAP_PROP_FPS) == 10 and made.get(cv2.CAP_PROP_FRAME_COUNT) == 6


def test_python_users_get_tracks_of_pictures_in_memory(predictor: Predictor) -> None:
    pictures = [np.full((32, 64, 3), 50 + 10 * frame, np.uint8) for frame in range(3)]
    results = list(predictor(iter(pictures)))
    assert [result.frame["frameIndex"] for result in results] == [0, 1, 2]
    assert [result.frame["labels"][0]["id"] for result in results] == ["1", "2", "3"]
    assert results[2].arrays["ids"].tolist() == [3]
    again = next(predictor(pictures[0]))
    assert again.frame["labels"][0]["id"] == "1", "a new call is a new video"
