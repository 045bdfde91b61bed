"""Videos of the mini dataset: who moves, who is hidden, and what is written of it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import mask as mask_codec

from bdd100k_models.data.mini.dataset import MiniOptions, build, video_of
from bdd100k_models.data.mini.labels import label_tracks
from bdd100k_models.data.mini.rendering import render
from bdd100k_models.data.mini.scene import Actor
from bdd100k_models.data.mini.video import Mover
from bdd100k_models.errors import UserError


def test_a_mover_is_between_its_knots_and_looks_where_it_walks() -> None:
    walker = Mover(Actor("person", 0, 8), ((0, 0, 8), (4, 2, 8), (6, 2, 8), (8, 1, 8)))
    assert (walker.at(2).x, walker.at(2).z) == (1.0, 8.0)
    assert walker.at(5).x == 2.0
    assert walker.at(2).yaw == pytest.approx(np.pi / 2)
    assert walker.at(7).yaw == pytest.approx(-np.pi / 2)
    assert walker.at(1).gait.stride != walker.at(2).gait.stride
    assert walker.at(4).gait == walker.at(6).gait, "who stands keeps still"


def test_identities_stay_with_their_actors() -> None:
    video = video_of("val", 0, 0, 20)
    seen: dict[int, tuple[str, float]] = {}
    for frame in range(20):
        scene, identities = video.at(frame)
        assert len(identities) == len(scene.actors) == len(set(identities))
        for identity, actor in zip(identities, scene.actors, strict=True):
            look = (actor.category, actor.height)
            assert seen.setdefault(identity, look) == look


def test_somebody_is_hidden_or_gone_and_comes_back_with_the_same_identity() -> None:
    shown: dict[str, list[int]] = {}
    video = video_of("val", 1, 0, 20)
    for frame in range(20):
        scene, identities = video.at(frame)
        made = label_tracks(render(scene, frame), identities, "v", frame, "n.jpg")
        for label in made.boxes["labels"]:
            shown.setdefault(label["id"], []).append(frame)
    gaps = [frames for frames in shown.values() if frames[-1] - frames[0] + 1 > len(frames)]
    assert gaps, "nobody comes back"
    assert any(frames[0] > 0 for frames in shown.values()), "nobody enters"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    build(folder, MiniOptions(0, 0, 0, 3, train_videos=1, val_videos=1, test_videos=1, frames=2))
    return folder


def test_the_layout_is_that_of_bdd100k(root: Path) -> None:
    for kind in ("track", "seg_track_20"):
        for split in ("train", "val", "test"):
            folder = root / "images" / kind / split / f"{split}0000"
            names = sorted(path.name for path in folder.iterdir())
            assert names == [f"{split}0000-0000001.jpg", f"{split}0000-0000002.jpg"]
    for split in ("train", "val"):
        for labels in ("box_track_20", "seg_track_20/rles"):
            frames = json.loads(
                (root / "labels" / labels / split / f"{split}0000.json").read_text()
            )
            assert [frame["frameIndex"] for frame in frames] == [0, 1]
            assert {frame["videoName"] for frame in frames} == {f"{split}0000"}
    assert not (root / "labels/box_track_20/test").exists()


def test_boxes_masks_and_bitmasks_agree(root: Path) -> None:
    boxes = json.loads((root / "labels/box_track_20/val/val0000.json").read_text())
    masks = json.loads((root / "labels/seg_track_20/rles/val/val0000.json").read_text())
    folder = root / "labels/seg_track_20/bitmasks/val/val0000"
    for box_frame, mask_frame in zip(boxes, masks, strict=True):
        path = folder / Path(box_frame["name"]).with_suffix(".png")
        bitmask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        # B, G, R, A: high byte of the identity, flags, category, low byte.
        identity = bitmask[..., 0].astype(int) * 256 + bitmask[..., 3]
        assert len(box_frame["labels"]) == len(mask_frame["labels"]) > 3
        for box, mask in zip(box_frame["labels"], mask_frame["labels"], strict=True):
            assert box["id"] == mask["id"]
            shown = mask_codec.decode(mask["rle"]).astype(bool)
            np.testing.assert_array_equal(shown, identity == int(box["id"]))
            x, y, width, height = mask_codec.toBbox(mask["rle"])
            found = box["box2d"]
            assert (found["x1"], found["y1"]) == (x, y)
            assert (found["x2"], found["y2"]) == (x + width - 1, y + height - 1)


def test_the_same_bytes_with_two_processes_and_pictures_stay_as_they_are(
    root: Path, tmp_path: Path
) -> None:
    options = MiniOptions(1, 0, 0, 3, train_videos=1, val_videos=1, test_videos=1, frames=2)
    build(tmp_path / "both", options, workers=2)
    build(tmp_path / "pictures", MiniOptions(1, 0, 0, 3))

    def digest(path: Path) -> str:
        return hashlib.sha256(path.read_bytes()).hexdigest()

    for folder in ("images/track", "labels/box_track_20", "labels/seg_track_20"):
        for path in (root / folder).rglob("*.*"):
            assert digest(path) == digest(tmp_path / "both" / path.relative_to(root))
    name = "images/100k/train/train00000.jpg"
    assert digest(tmp_path / "both" / name) == digest(tmp_path / "pictures" / name)


def test_a_video_needs_frames(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="videos have frames"):
        build(tmp_path / "x", MiniOptions(0, 0, 0, val_videos=1, frames=0))
