"""Tracks drawn: a colour for each identity, tails, and video files."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from bdd100k_models.cli.visualize import main
from bdd100k_models.errors import UserError
from bdd100k_models.visualization.tracks import TrackPainter, colour_of_identity


def frame(index: int, x: int, identity: str = "3") -> dict:
    box = {"x1": x, "y1": 40, "x2": x + 30, "y2": 100}
    label = {"id": identity, "category": "car", "score": 0.9, "box2d": box}
    return {"name": f"v-{index}.png", "videoName": "v", "frameIndex": index, "labels": [label]}


def test_identities_have_colours_of_their_own() -> None:
    found = [colour_of_identity(str(number)) for number in range(12)]
    assert len(set(found)) == 12
    assert colour_of_identity("5") == found[5]
    apart = [np.abs(np.subtract(a, b)).sum() for a, b in itertools.pairwise(found)]
    assert min(apart) > 60
    assert colour_of_identity("a7") == colour_of_identity("a7")


def test_a_tail_shows_where_an_object_came_from_and_ends() -> None:
    painter = TrackPainter(tail=4)
    blank = np.zeros((200, 400, 3), np.uint8)

    def tail_at(picture: np.ndarray, x: int) -> bool:
        return bool(picture[96:106, x - 4 : x + 4].any())

    first = painter.draw(blank, frame(0, 20))
    assert not tail_at(first, 60)
    for index, x in ((1, 80), (2, 140), (3, 200), (4, 260)):
        picture = painter.draw(blank, frame(index, x))
    assert tail_at(picture, 230) and tail_at(picture, 170)
    assert not tail_at(picture, 50), "a tail has four frames"
    painter.reset()
    assert not tail_at(painter.draw(blank, frame(0, 300)), 230)
    assert not blank.any(), "the picture stays as it is"


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    frames = [frame(index, 20 + 30 * index) for index in range(3)]
    (tmp_path / "mot.json").write_text(json.dumps({"frames": frames}))
    (tmp_path / "in" / "v").mkdir(parents=True)
    for made in frames:
        cv2.imwrite(str(tmp_path / "in" / "v" / made["name"]), np.zeros((120, 200, 3), np.uint8))
    return tmp_path


def run(folder: Path, *more: str) -> int:
    images = ["--images", str(folder / "in"), "--out", str(folder / "out")]
    return main(["--frames", str(folder / "mot.json"), *images, *more])


def test_the_script_draws_videos(videos: Path) -> None:
    assert run(videos, "--ground-truth", str(videos / "mot.json"), "--frame-rate", "8") == 0
    drawn = cv2.imread(str(videos / "out/v/v-2.png"))
    assert drawn.shape[1] > 400 and drawn.any()
    film = cv2.VideoCapture(str(videos / "out/v.mp4"))
    assert (film.get(cv2.CAP_PROP_FPS), film.get(cv2.CAP_PROP_FRAME_COUNT)) == (8, 3)


def test_pictures_are_not_written_over_frames(videos: Path) -> None:
    with pytest.raises(UserError, match="would be overwritten"):
        run(videos, "--out", str(videos / "in"))
