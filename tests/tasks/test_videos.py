"""What ``--images`` takes as videos."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from bdd100k_models.errors import UserError
from bdd100k_models.tasks.videos import (
    VideoFile,
    frame_rate_of,
    records_of_annotations,
    records_of_videos,
)
from bdd100k_models.visualization.videos import VideoWriter


def film(path: Path, frames: int = 4, rate: float = 10.0) -> Path:
    with VideoWriter(path, rate) as file:
        for frame in range(frames):
            file.write(np.full((32, 64, 3), 30 + 40 * frame, np.uint8))
    return path


def names(images: Path | str) -> list[tuple[str, int]]:
    return [(r.name, r.place.frame) for r in records_of_videos(str(images)) if r.place]


def test_a_folder_of_frames_is_one_video(tmp_path: Path) -> None:
    folder = tmp_path / "drive"
    folder.mkdir()
    for name in ("f10.jpg", "f9.jpg", "f1.png", "notes.txt"):
        (folder / name).touch()
    expected = [("drive/f1.png", 0), ("drive/f9.jpg", 1), ("drive/f10.jpg", 2)]
    assert names(folder) == expected
    assert names(folder / "*.*") == expected
    assert names(tmp_path) == expected


def test_frames_beside_folders_of_frames_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "a" / "1.jpg", tmp_path / "1.jpg"):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    with pytest.raises(UserError, match=r"has frames of its own and .*/a beside them"):
        records_of_videos(str(tmp_path))


def test_a_video_file_is_read_forward_and_back(tmp_path: Path) -> None:
    file = film(tmp_path / "drive.mp4")
    records = records_of_videos(str(file))
    assert names(file) == [(f"drive/drive-000000{n}.jpg", n - 1) for n in (1, 2, 3, 4)]
    assert {frame_rate_of(record) for record in records} == {10.0}
    for index in (0, 2, 1, 3):
        source = records[index].source
        assert source is not None
        pixels = source.read()
        assert pixels.shape == (32, 64, 3) and abs(int(pixels.mean()) - 30 - 40 * index) < 5
    copy = pickle.loads(pickle.dumps(records[1]))
    assert abs(int(copy.source.read().mean()) - 70) < 5
    with pytest.raises(UserError, match="ends before frame 4"):
        VideoFile(file).read(4)


def test_a_folder_of_video_files_has_one_in_each(tmp_path: Path) -> None:
    film(tmp_path / "b.mp4", 1)
    film(tmp_path / "a.mp4", 1)
    assert names(tmp_path) == [("a/a-0000001.jpg", 0), ("b/b-0000001.jpg", 0)]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("broken.mp4", "cannot be opened as a video|no frame that can be read"),
        ("notes.txt", "is neither a video .* nor a picture"),
        ("missing", "no such folder, file, or pattern"),
        ("empty", "no frames there"),
    ],
)
def test_what_is_no_video_is_told(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    (tmp_path / "notes.txt").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=message):
        records_of_videos(str(tmp_path / name))


def test_annotations_name_frames_and_their_places(mini_root: Path) -> None:
    folder = mini_root / "images/track/val"
    records = records_of_annotations(mini_root / "jsons/box_track_val_cocofmt.json", folder)
    assert [r.index for r in records] == list(range(10))
    assert records[5].name == "val0001/val0001-0000001.jpg" and records[5].place is not None
    assert (records[5].place.video, records[5].place.frame) == ("val0001", 0)
    assert all(Path(record.path).is_file() for record in records)
    with pytest.raises(UserError, match="know no videos"):
        records_of_annotations(mini_root / "jsons/det_val_cocofmt.json", folder)
