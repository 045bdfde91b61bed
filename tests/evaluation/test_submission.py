import json
import struct
import subprocess
import sys
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bdd100k_models.errors import UserError
from bdd100k_models.evaluation import submission
from bdd100k_models.frames import Frame, Label
from bdd100k_models.frames.detection import detection_labels
from bdd100k_models.frames.instance import CroppedMask, instance_outputs
from bdd100k_models.frames.panoptic import panoptic_bitmask, panoptic_labels
from bdd100k_models.frames.pose import pose_labels
from bdd100k_models.frames.semantic import semantic_labels, semantic_mask
from bdd100k_models.frames.tagging import tagging_frame
from bdd100k_models.zoo import classes, tasks

ROOT = Path(__file__).resolve().parents[2]
HEIGHT, WIDTH = 720, 1280


def halves(left: int, right: int) -> np.ndarray:
    segmentation = np.full((HEIGHT, WIDTH), left)
    segmentation[:, WIDTH // 2 :] = right
    return segmentation


def two_instances() -> Any:
    masks = [CroppedMask(np.ones((40, 30), dtype=bool), x, 10) for x in (5, 20)]
    return instance_outputs(
        np.array([[5, 10, 35, 50], [20, 10, 50, 50]]),
        np.array([0.9, 0.8]),
        np.array([0, 2]),
        masks,
        HEIGHT,
        WIDTH,
        classes.INS_SEG,
    )


def labels_of(task: str) -> list[Label]:
    if task == "det":
        return detection_labels(
            np.array([[1.0, 2, 30, 40]]), np.array([0.5]), np.array([2]), classes.DET
        )
    if task == "ins_seg":
        return two_instances().rle
    if task == "sem_seg":
        return semantic_labels(halves(0, 10), classes.SEM_SEG)
    if task == "drivable":
        return semantic_labels(halves(0, 2), classes.DRIVABLE)
    if task == "pan_seg":
        return panoptic_labels(halves(1003, 39), classes.PAN_SEG_THINGS, classes.PAN_SEG_STUFF)
    return pose_labels(np.ones((1, 18, 3)), np.array([0.5]), np.array([[1.0, 2, 30, 40]]))


def frames_of(task: str) -> list[Frame]:
    """One image with predictions and one without, ids as the merge gives them."""
    if task == "tagging":
        scores = np.eye(len(classes.WEATHER))
        return [
            tagging_frame(f"{name}.jpg", scores[index], classes.WEATHER, "weather")
            for index, name in enumerate("ab")
        ]
    labels = [{"id": str(number), **label} for number, label in enumerate(labels_of(task), 1)]
    return [{"name": "a.jpg", "labels": labels}, {"name": "b.jpg", "labels": []}]


def write(path: Path, frames: Any) -> Path:
    path.write_text(json.dumps({"frames": frames} if isinstance(frames, list) else frames))
    return path


def write_masks(task: str, folder: Path) -> Path:
    """PNGs of images ``a`` and ``b``; ins_seg with a blank one and its score.json beside."""
    if task == "ins_seg":
        pngs = folder / "bitmasks"
        pngs.mkdir()
        result = two_instances()
        Image.fromarray(result.bitmask).save(pngs / "a.png")
        Image.fromarray(np.zeros_like(result.bitmask)).save(pngs / "b.png")
        scores = [{"name": "a.jpg", "labels": result.score}, {"name": "b.jpg", "labels": []}]
        (folder / "score.json").write_text(json.dumps(scores))
        return pngs
    pngs = folder / "masks"
    pngs.mkdir()
    picture = (
        panoptic_bitmask(halves(1003, 39), classes.PAN_SEG_THINGS, classes.PAN_SEG_STUFF)
        if task == "pan_seg"
        else semantic_mask(halves(0, 2))
    )
    for name in "ab":
        Image.fromarray(picture).save(pngs / f"{name}.png")
    return pngs


def make_images(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for name in names:
        (folder / f"{name}.jpg").touch()
    return folder


@pytest.mark.parametrize("task", [t for t in submission.TASKS if not tasks.facts(t).videos])
def test_json_of_every_task_is_packed_under_its_name(tmp_path: Path, task: str) -> None:
    source = write(tmp_path / tasks.facts(task).output, frames_of(task))
    images = make_images(tmp_path / "images", "a", "b")
    for predictions in (source, tmp_path):
        checked = submission.check(task, predictions, "val", images)
        assert (checked.images, checked.labels) == (
            2,
            0 if task == "tagging" else len(labels_of(task)),
        )
    path = submission.pack(checked, tmp_path / "new" / "out.zip")
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [f"{task}.json"]
        assert archive.read(f"{task}.json") == source.read_bytes()
        assert archive.testzip() is None


@pytest.mark.parametrize("task", ["ins_seg", "sem_seg", "drivable", "pan_seg"])
def test_pngs_are_packed_as_the_toolkit_names_them(tmp_path: Path, task: str) -> None:
    checked = submission.check(task, write_masks(task, tmp_path), "test")
    path = submission.pack(checked, tmp_path / "out.zip")
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == (
            ["bitmasks/a.png", "bitmasks/b.png", "score.json"]
            if task == "ins_seg"
            else ["a.png", "b.png"]
        )


def test_packing_is_deterministic_and_whole(tmp_path: Path) -> None:
    checked = submission.check("det", write(tmp_path / "det.json", frames_of("det")))
    first = submission.pack(checked, tmp_path / "one.zip").read_bytes()
    assert submission.pack(checked, tmp_path / "two.zip").read_bytes() == first
    assert sorted(file.name for file in tmp_path.iterdir()) == ["det.json", "one.zip", "two.zip"]
    with pytest.raises(UserError, match=r"cannot write .*det\.json/out\.zip"):
        submission.pack(checked, tmp_path / "det.json" / "out.zip")


@pytest.mark.parametrize(
    ("task", "split", "expected"),
    [
        ("det", "val", "val of 100k has 10000"),
        ("pose", "test", "test of 100k has 20000"),
        ("sem_seg", "val", "val of 10k has 1000"),
        ("pan_seg", "test", "test of 10k has 2000"),
    ],
)
def test_another_number_of_images_is_noted(
    tmp_path: Path, task: str, split: submission.Split, expected: str
) -> None:
    checked = submission.check(task, write(tmp_path / "x.json", frames_of(task)), split)
    assert len(checked.notes) == 1
    assert checked.notes[0].startswith(f"2 images; {expected}")


def test_labels_that_do_not_count_are_noted(tmp_path: Path) -> None:
    frames = frames_of("det")
    frames[0]["labels"] = frames[0]["labels"] * 101
    checked = submission.check("det", write(tmp_path / "det.json", frames))
    assert checked.notes[0] == (
        "1 images have more than 100 labels of one category; the evaluator counts the best 100"
    )


Change = Callable[[list[Frame]], Any]


def set_label(**values: Any) -> Change:
    def change(frames: list[Frame]) -> None:
        frames[0]["labels"][0].update(values)

    return change


def set_frame(**values: Any) -> Change:
    def change(frames: list[Frame]) -> None:
        frames[0].update(values)

    return change


def repeat_label(frames: list[Frame]) -> None:
    frames[0]["labels"].append(frames[0]["labels"][0])


def drop_node(frames: list[Frame]) -> None:
    frames[0]["labels"][0]["graph"]["nodes"].pop()


@pytest.mark.parametrize(
    ("task", "change", "message"),
    [
        ("det", set_label(category="cat"), "has a label of category 'cat', which det does not"),
        ("det", set_label(box2d=None), "a label of 'a.jpg' has no box2d"),
        ("det", set_label(score=None), "a label of 'a.jpg' has a box2d but no score"),
        ("det", set_label(score="x"), "label 0 of frame 'a.jpg': 'score' is text, not a number"),
        ("det", set_label(box2d={"x1": 1}), "label 0 of frame 'a.jpg': y1 of 'box2d' is null"),
        ("det", set_label(box3d=5), r"scalabel cannot load 'a.jpg': labels\.0\.box3d: value is"),
        ("det", set_frame(name="val/a.jpg"), "'val/a.jpg' is not a base name"),
        ("det", set_frame(name="a.png"), "'a.png' is not the name of a BDD100K image"),
        ("det", set_frame(name="b.jpg"), "names 'b.jpg' more than once"),
        ("ins_seg", repeat_label, "masks of 'a.jpg' overlap; the evaluator drops every label"),
        ("pan_seg", repeat_label, "masks of 'a.jpg' overlap"),
        ("pan_seg", set_label(id="x1"), "has id 'x1'; the panoptic evaluator needs whole numbers"),
        (
            "sem_seg",
            set_label(rle={"counts": "6", "size": [2, 3]}),
            r"a mask of 'a.jpg' has size \[2, 3\], BDD100K images have \[720, 1280\]",
        ),
        (
            "drivable",
            set_label(rle={"counts": "6", "size": [720, 1280]}),
            "label 0 of frame 'a.jpg': 'rle': the run lengths do not fill an image of 720x1280",
        ),
        ("drivable", set_label(category="road"), "category 'road', which drivable does not know"),
        ("pose", drop_node, "a pose of 'a.jpg' has 17 nodes, not 18"),
        ("tagging", set_frame(attributes={"weather": "hail"}), "'a.jpg' has weather 'hail'; one"),
        ("tagging", set_frame(attributes=None), "'a.jpg' has weather None; one of rainy"),
    ],
)
def test_mistakes_in_json(tmp_path: Path, task: str, change: Change, message: str) -> None:
    frames = frames_of(task)
    change(frames)
    with pytest.raises(UserError, match=message):
        submission.check(task, write(tmp_path / "x.json", frames))


def test_tags_of_no_known_attribute(tmp_path: Path) -> None:
    frames = [{"name": "a.jpg", "attributes": {"mood": "good"}}]
    with pytest.raises(UserError, match="no frame has an attribute weather or scene"):
        submission.check("tagging", write(tmp_path / "x.json", frames))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        (
            '[{"name": "a.jpg", "labels": [{"id": "1", "score": NaN}]}]',
            "label 0 of frame 'a.jpg': 'score' is nan, not a number",
        ),
        ('{"images": []}', "not in Scalabel form"),
        ("[]", "has no frames"),
        ('[{"labels": []}]', "frame 0 has no 'name'"),
    ],
)
def test_files_that_are_no_predictions(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(UserError, match=message):
        submission.check("det", tmp_path / "x.json")


def test_a_bitmask_of_nothing_can_be_submitted(tmp_path: Path) -> None:
    pngs = write_masks("pan_seg", tmp_path)
    void = np.full((HEIGHT, WIDTH), len(classes.PAN_SEG))
    blank = panoptic_bitmask(void, classes.PAN_SEG_THINGS, classes.PAN_SEG_STUFF)
    Image.fromarray(blank).save(pngs / "b.png")
    assert submission.check("pan_seg", pngs).images == 2


def repaint(value: Any, size: tuple[int, ...] = (HEIGHT, WIDTH, 4)) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        picture = np.zeros(size, dtype=np.uint8)
        picture[: size[0] // 2] = value
        Image.fromarray(picture).save(file)

    return change


def one_id_for_two(file: Path) -> None:
    picture = np.zeros((HEIGHT, WIDTH, 4), dtype=np.uint8)
    picture[0, :2] = (1, 0, 0, 7), (2, 0, 0, 7)
    Image.fromarray(picture).save(file)


@pytest.mark.parametrize(
    ("task", "change", "message"),
    [
        ("sem_seg", repaint(19, (HEIGHT, WIDTH)), "value 19; a mask holds class indices below 19"),
        ("sem_seg", repaint(1, (HEIGHT, WIDTH, 3)), "has 3 channels; the evaluator takes a mask"),
        ("sem_seg", repaint(1, (360, 640)), "has 640x360 pixels, BDD100K images have 1280x720"),
        ("drivable", repaint(3, (HEIGHT, WIDTH)), "value 3; a mask holds class indices below 3"),
        ("pan_seg", repaint(0), "no segment at all, which the evaluator fails on; submit the JSON"),
        ("pan_seg", repaint((41, 0, 0, 1)), "category id 41; one of 1 to 40"),
        ("ins_seg", repaint((0, 0, 0, 1)), "category id 0; one of 1 to 8"),
        ("ins_seg", one_id_for_two, "a segment id with two categories or attributes"),
        ("ins_seg", lambda file: file.write_bytes(b"no picture"), "cannot be read as a PNG"),
    ],
)
def test_mistakes_in_pngs(
    tmp_path: Path, task: str, change: Callable[[Path], None], message: str
) -> None:
    folder = write_masks(task, tmp_path)
    change(folder / "b.png")
    with pytest.raises(UserError, match=message) as caught:
        submission.check(task, folder)
    assert "b.png" in str(caught.value)


def png_of_zeros(width: int, height: int) -> bytes:
    """An 8-bit grey PNG of any size, without its pixels in memory."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    packer = zlib.compressobj(9)
    row = bytes(width + 1)
    pixels = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", pixels), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(
    ("width", "height", "message"),
    [
        (1281, 720, "has 1281x720 pixels, BDD100K images have 1280x720"),
        (1280, 721, "has 1280x721 pixels"),
        (1279, 720, "has 1279x720 pixels"),
        (12_000, 12_000, "has 12000x12000 pixels"),
        (20_000, 20_000, "has more pixels than any picture"),
    ],
)
def test_the_size_is_read_before_the_pixels(
    tmp_path: Path, width: int, height: int, message: str
) -> None:
    folder = write_masks("sem_seg", tmp_path)
    (folder / "b.png").write_bytes(png_of_zeros(width, height))
    tracemalloc.start()
    with pytest.raises(UserError, match=message):
        submission.check("sem_seg", folder)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50_000_000


def test_the_largest_picture_that_fits(tmp_path: Path) -> None:
    folder = write_masks("sem_seg", tmp_path)
    (folder / "b.png").write_bytes(png_of_zeros(1280, 720))
    assert submission.check("sem_seg", folder).images == 2


@pytest.mark.parametrize(
    ("mode", "message"),
    [("1", "has 1 pixels; the evaluator takes a mask of 8 bits"), ("I;16", "has I;16 pixels")],
)
def test_other_depths(tmp_path: Path, mode: str, message: str) -> None:
    folder = write_masks("sem_seg", tmp_path)
    Image.new(mode, (WIDTH, HEIGHT)).save(folder / "b.png")
    with pytest.raises(UserError, match=message):
        submission.check("sem_seg", folder)


def test_bitmasks_need_their_scores(tmp_path: Path) -> None:
    folder = write_masks("ins_seg", tmp_path)
    elsewhere = tmp_path / "elsewhere.json"
    (tmp_path / "score.json").rename(elsewhere)
    with pytest.raises(UserError, match="no score file at"):
        submission.check("ins_seg", folder)
    assert submission.check("ins_seg", folder, score_file=elsewhere).images == 2
    elsewhere.write_text('[{"name": "a.jpg", "labels": []}]')
    with pytest.raises(UserError, match=r"does not list b\.jpg"):
        submission.check("ins_seg", folder, score_file=elsewhere)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a",), r"1 of 2 predicted images are not in .*, the first is b\.jpg"),
        (("a", "b", "c"), r"1 of 3 images in .* have no prediction, the first is c\.jpg"),
        ((), r"no \.jpg images in"),
    ],
)
def test_images_and_frames_must_agree(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    images = make_images(tmp_path / "images", *names)
    source = write(tmp_path / "det.json", frames_of("det"))
    with pytest.raises(UserError, match=message):
        submission.check("det", source, images=images)


def test_places_that_do_not_exist(tmp_path: Path) -> None:
    source = write(tmp_path / "det.json", frames_of("det"))
    with pytest.raises(UserError, match="no folder of images at"):
        submission.check("det", source, images=tmp_path / "none")
    with pytest.raises(UserError, match="no predictions at"):
        submission.check("det", tmp_path / "none.json")
    with pytest.raises(UserError, match=r"no result_keypoints\.json in .*; give the JSON file"):
        submission.check("pose", tmp_path)
    with pytest.raises(UserError, match="no task 'lane'; one of tagging, det"):
        submission.check("lane", source)


def run_script(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "tools" / "pack_submission.py"), *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )


def test_script_packs_and_reports(tmp_path: Path) -> None:
    write(tmp_path / "det.json", frames_of("det"))
    result = run_script(tmp_path, "det", "det.json", "--split", "val")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines()[0] == "det: 2 images, 1 labels: no mistake found"
    assert "note: 2 images; val of 100k has 10000" in result.stdout
    assert (tmp_path / "det_val.zip").is_file()
    assert run_script(tmp_path, "det", "det.json", "--check-only").returncode == 0
    assert not (tmp_path / "det_test.zip").exists()


def test_script_tells_mistakes_in_one_line(tmp_path: Path) -> None:
    frames = frames_of("ins_seg")
    repeat_label(frames)
    write(tmp_path / "ins_seg.json", frames)
    result = run_script(tmp_path, "ins_seg", "ins_seg.json")
    assert result.returncode == 2
    assert result.stderr.startswith("error: predictions: masks of 'a.jpg' overlap")
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.glob("*.zip"))


@pytest.mark.parametrize("task", ["mot", "mots"])
def test_tracks_are_packed_a_file_for_each_video(
    mini_root: Path, tmp_path: Path, task: str
) -> None:
    facts = tasks.facts(task)
    folder = mini_root / facts.ground_truth["json"][0].format(split="val")
    frames = [f for file in sorted(folder.glob("*.json")) for f in json.loads(file.read_text())]
    frames = [
        {**frame, "labels": [label for label in frame["labels"] if label["category"] != "trailer"]}
        for frame in frames
    ]
    whole = write(tmp_path / facts.output, frames)
    images = mini_root / facts.pictures.format(split="val")
    checked = submission.check(task, whole, "val", images)
    assert checked.images == 10
    assert checked.notes == [
        f"2 videos; val of {facts.image_set} has {200 if task == 'mot' else 32}, and one without "
        "a file counts as one without predictions"
    ]
    with zipfile.ZipFile(submission.pack(checked, tmp_path / "out.zip")) as archive:
        assert archive.namelist() == [f"{task}/val0000.json", f"{task}/val0001.json"]
        assert json.loads(archive.read(f"{task}/val0001.json")) == frames[5:]
    write(whole, frames[:-1])
    with pytest.raises(UserError, match=r"1 of 10 images .* the first is val0001/val0001-0000005"):
        submission.check(task, whole, "val", images)
