"""The numbers are the official ones, and mistakes are told in one line."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from bdd100k_models.errors import UserError
from bdd100k_models.evaluation import Scores, check_ground_truth, evaluate, metric_names
from bdd100k_models.frames.panoptic import BLANK
from bdd100k_models.zoo import classes

TAGGING_CONFIG = "\n".join(
    ["[[categories]]", 'name = "weather"']
    + [f'[[categories.subcategories]]\nname = "{name}"' for name in classes.WEATHER]
)


def official(world: Any, task: str, truth: Path, predicted: Path, *more: str) -> dict[str, Any]:
    """What the official program writes for ``--out-file``."""
    out_file = world.out / "official" / "scores.json"
    out_file.parent.mkdir(exist_ok=True)
    if task == "tagging":
        config = world.out / "tagging.toml"
        config.write_text(TAGGING_CONFIG)
        command = ["-m", "scalabel.eval.tagging", "-c", str(config)]
    else:
        command = ["-m", "bdd100k.eval.run", "-t", task, "--quiet"]
    command += ["-g", str(truth), "-r", str(predicted), "--out-file", str(out_file)]
    command += ["--nproc", "1", *more]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    content = json.loads(out_file.read_text())
    return json.loads(content) if isinstance(content, str) else content


def rle(mask: np.ndarray) -> dict[str, Any]:
    """(H, W) bool -> the RLE of a Scalabel label."""
    encoded = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"counts": encoded["counts"].decode(), "size": [*mask.shape]}


def assert_equal_scores(scores: Scores, expected: dict[str, Any]) -> None:
    def compare(found: Any, wanted: Any, where: str) -> None:
        if isinstance(wanted, dict):
            assert found.keys() == wanted.keys(), where
            for key in wanted:
                compare(found[key], wanted[key], f"{where}/{key}")
        elif isinstance(wanted, list):
            assert len(found) == len(wanted), where
            for index, item in enumerate(wanted):
                compare(found[index], item, f"{where}/{index}")
        elif wanted is None or math.isnan(wanted):
            assert found is None, where
        else:
            assert found == pytest.approx(wanted, rel=1e-12), where

    compare(scores.as_dict(), expected, scores.task)


@pytest.mark.parametrize("task", ["det", "pose", "tagging"])
def test_equals_official_program(world: Any, task: str) -> None:
    truth, predicted = getattr(world, task)()
    scores = evaluate(task, truth, predicted)
    assert_equal_scores(scores, official(world, task, truth, predicted))
    assert scores.images == 4
    headline = scores.summary["accuracy" if task == "tagging" else "AP"]
    assert 10 < headline < 99
    assert set(metric_names(task, classes.DET if task == "det" else ())) <= set(scores.summary)


@pytest.mark.parametrize("form", ["json", "masks"])
@pytest.mark.parametrize("task", ["sem_seg", "drivable", "pan_seg", "ins_seg"])
def test_equals_official_program_on_masks(world: Any, task: str, form: Any) -> None:
    files = world.semantic(task) if task in ("sem_seg", "drivable") else getattr(world, task)()
    truth, predicted = files[0:2] if form == "json" else files[2:4]
    score_file = files[4] if task == "ins_seg" else None
    more = ["--score-file", str(score_file)] if score_file and form == "masks" else []
    scores = evaluate(task, truth, predicted, form=form, score_file=score_file)
    assert_equal_scores(scores, official(world, task, truth, predicted, *more))
    name = {"pan_seg": "PQ", "ins_seg": "AP"}.get(task, "mIoU")
    assert 10 < scores.summary[name] < 95
    assert set(metric_names(task)) <= set(scores.summary)


@pytest.mark.parametrize("task", ["ins_seg", "pan_seg"])
def test_run_lengths_score_the_same_with_two_processes(world: Any, task: str) -> None:
    truth, predicted = getattr(world, task)()[:2]
    one = evaluate(task, truth, predicted)
    two = evaluate(task, truth, predicted, nproc=2)
    assert one.as_dict() == two.as_dict()


def test_perfect_predictions_score_100(world: Any, edited: Any) -> None:
    truth, predicted = world.det()

    def score_all(frames: list[dict[str, Any]]) -> None:
        for frame in frames:
            frame["labels"] = [
                {**label, "score": 0.5}
                for label in frame["labels"]
                if label["category"] != "other vehicle"
            ]

    predicted.write_text(truth.read_text())
    scores = evaluate("det", truth, edited(predicted, score_all))
    assert scores.summary["AP"] == pytest.approx(100.0)
    assert scores.per_class["AP50"]["car"] == pytest.approx(100.0)


def test_terminal_stays_quiet(world: Any, capfd: pytest.CaptureFixture[str]) -> None:
    truth, predicted = world.det()
    evaluate("det", truth, predicted)
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_progress_shows_the_official_messages(
    world: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    truth, predicted = world.det()
    evaluate("det", truth, predicted, progress=True)
    assert "4/4" in capfd.readouterr().err


def test_names_restrict_the_ground_truth(world: Any, edited: Any) -> None:
    truth, predicted = world.det()
    whole = evaluate("det", truth, predicted)
    edited(predicted, lambda content: content.update(frames=content["frames"][:2]))
    with_missing = evaluate("det", truth, predicted)
    part = evaluate("det", truth, predicted, predicted_only=True)
    assert (whole.images, with_missing.images, part.images) == (4, 4, 2)
    assert (whole.predicted, with_missing.predicted, part.predicted) == (4, 2, 2)
    one = evaluate("det", truth, predicted, predicted_only=True, names=["scene-1.jpg"])
    assert one.images == 1
    assert part.summary["AP"] > with_missing.summary["AP"]


def test_names_restrict_masks_by_stem(world: Any) -> None:
    _, _, truth, predicted = world.semantic("sem_seg")
    for name in ("scene-2.png", "scene-3.png"):
        (predicted / name).unlink()
    part = evaluate("sem_seg", truth, predicted, form="masks", names=["scene-0.jpg", "scene-1.jpg"])
    assert part.images == 2
    again = evaluate("sem_seg", truth, predicted, form="masks", predicted_only=True)
    assert again.as_dict() == part.as_dict()


def test_images_of_another_size(tmp_path: Path) -> None:
    def label(count: int, size: tuple[int, int]) -> dict[str, Any]:
        mask = np.zeros(size, dtype=bool)
        mask[:, :count] = True
        return {"id": "1", "category": "direct", "rle": rle(mask)}

    truth, predicted = tmp_path / "truth.json", tmp_path / "predicted.json"
    truth.write_text(
        json.dumps(
            [
                {"name": "wide.jpg", "labels": [label(10, (20, 40))]},
                {"name": "tall.jpg", "labels": [label(10, (40, 20))]},
                {"name": "nothing.jpg"},
            ]
        )
    )
    predicted.write_text(
        json.dumps(
            [
                {"name": "wide.jpg", "labels": [label(10, (20, 40))]},
                {"name": "tall.jpg", "labels": []},
                {"name": "nothing.jpg", "labels": [label(5, (30, 30))]},
            ]
        )
    )
    scores = evaluate("drivable", truth, predicted)
    # 200 of 600 true pixels were found, nothing else was claimed where truth is known.
    assert scores.per_class["IoU"]["direct"] == pytest.approx(100 * 200 / 600)
    assert scores.images == 3


def test_panoptic_images_without_truth_count_nowhere(world: Any, edited: Any) -> None:
    truth, predicted = world.pan_seg()[:2]
    before = evaluate("pan_seg", truth, predicted, names=["scene-0.jpg", "scene-1.jpg"])
    edited(
        truth, lambda content: [frame.update(labels=[]) for frame in content["frames"][2:]] and None
    )
    after = evaluate("pan_seg", truth, predicted)
    assert after.as_dict() == before.as_dict()
    assert after.images == 4


@pytest.mark.parametrize(
    ("task", "blank"),
    [("ins_seg", (0, 0, 0, 0)), ("pan_seg", (0, 0, 0, 0)), ("pan_seg", tuple(BLANK.tolist()))],
)
def test_blank_bitmasks_are_images_without_predictions(
    world: Any, task: str, blank: tuple[int, ...], edited: Any
) -> None:
    files = getattr(world, task)()
    truth, predicted = files[2:4]
    score_file = files[4] if task == "ins_seg" else None
    Image.new("RGBA", (1280, 720), blank).save(predicted / "scene-0.png")
    edited(files[1], lambda content: content["frames"][0].update(labels=[]))
    name = "PQ" if task == "pan_seg" else "AR100"
    as_masks = evaluate(task, truth, predicted, form="masks", score_file=score_file)
    as_json = evaluate(task, *files[:2])
    assert as_masks.summary[name] == pytest.approx(as_json.summary[name], rel=1e-6)
    assert as_masks.images == 4


def test_one_tag_of_two_is_enough(world: Any) -> None:
    truth, predicted = world.tagging()
    scores = evaluate("tagging", truth, predicted)
    assert scores.summary["accuracy"] == pytest.approx(75.0)
    assert scores.summary["precision/WEATHER"] == pytest.approx(100 * (2 / 3 + 0 + 1) / 3)
    assert set(scores.per_class["recall"]) == {f"weather.{name}" for name in classes.WEATHER}


def test_tagging_leaves_out_images_without_true_tags(world: Any, edited: Any) -> None:
    truth, predicted = world.tagging()
    edited(truth, lambda frames: frames[1].pop("attributes") and None)
    scores = evaluate("tagging", truth, predicted)
    assert scores.images == 3
    assert scores.summary["accuracy"] == pytest.approx(100.0)


# -- mistakes ---------------------------------------------------------------------------------


def remove_scores(content: Any) -> None:
    del content["frames"][0]["labels"][0]["score"]


def add_stranger(content: Any) -> None:
    content["frames"].append({"name": "stranger.jpg", "labels": []})


def repeat_frame(content: Any) -> None:
    content["frames"].append(content["frames"][0])


def rename_category(content: Any) -> None:
    content["frames"][0]["labels"][0]["category"] = "dog"


def drop_id(content: Any) -> None:
    del content["frames"][0]["labels"][0]["id"]


def drop_name(content: Any) -> None:
    del content["frames"][1]["name"]


def set_box(**values: Any) -> Any:
    return lambda content: content["frames"][0]["labels"][0]["box2d"].update(values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (remove_scores, r"a label of 'scene-0.jpg' has a box2d but no score"),
        (add_stranger, r"1 of 5 predicted images are not in the ground truth.*'stranger.jpg'"),
        (repeat_frame, r"names 'scene-0.jpg' more than once"),
        (rename_category, r"label of category 'dog', which det does not know; one of bicycle"),
        (drop_id, r"frame 'scene-0.jpg' is not in Scalabel form: .*id"),
        (drop_name, r"frame 1 has no 'name'"),
        (lambda content: {"images": []}, r"is not in Scalabel form: expected a list of frames"),
        (lambda content: [], r"has no frames"),
        (lambda content: [{"name": "scene-0.jpg", "labels": {"a": 1}}], r"is not a list of labels"),
        (set_box(x1=50, x2=40), r"a box of 'scene-0.jpg' ends before it begins: x1 50, x2 40"),
        (set_box(x1=float("nan")), r"label 0 of frame 'scene-0.jpg': x1 of 'box2d' is nan, not"),
        (set_box(y2=float("inf")), r"y2 of 'box2d' is inf, not a number"),
        (set_box(y2="9"), r"y2 of 'box2d' is text, not a number"),
        (lambda content: content["frames"][0]["labels"][0].pop("box2d") and None, r"has no box2d"),
    ],
)
def test_wrong_predictions_are_named(world: Any, edited: Any, change: Any, message: str) -> None:
    truth, predicted = world.det()
    with pytest.raises(UserError, match=message):
        evaluate("det", truth, edited(predicted, change))


def test_missing_and_broken_files_are_named(world: Any) -> None:
    truth, predicted = world.det()
    with pytest.raises(UserError, match=r"no predictions at .*nowhere.json"):
        evaluate("det", truth, world.out / "nowhere.json")
    predicted.write_text('{"frames": [')
    with pytest.raises(UserError, match=r"predictions .*det.json is not JSON"):
        evaluate("det", truth, predicted)
    with pytest.raises(UserError, match=r"no JSON file in .*--form masks"):
        evaluate("det", truth, world.labels)


@pytest.mark.parametrize(
    ("task", "form", "nproc", "message"),
    [
        ("lanes", "json", 1, "no evaluator for task 'lanes'; one of tagging, det"),
        ("det", "masks", 1, "det has no masks"),
        ("sem_seg", "xml", 1, "no form 'xml'"),
        ("det", "json", 0, "nproc is 0"),
    ],
)
def test_wrong_arguments_are_named(task: str, form: Any, nproc: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        evaluate(task, "truth.json", "predicted.json", form=form, nproc=nproc)


def test_no_image_left(world: Any) -> None:
    truth, predicted = world.det()
    with pytest.raises(UserError, match=r"none of the 1 images asked for, such as 'other.jpg'"):
        evaluate("det", truth, predicted, names=["other.jpg"])


def test_masks_must_have_the_size_of_the_truth(world: Any, edited: Any) -> None:
    truth, predicted, png_truth, png_predicted = world.semantic("sem_seg")
    small = {"counts": "04", "size": [2, 2]}
    edited(predicted, lambda content: content["frames"][0]["labels"][0].update(rle=small))
    with pytest.raises(
        UserError, match=r"a mask of 'scene-0.jpg' has size \[720, 1280\], another \[2, 2\]"
    ):
        evaluate("sem_seg", truth, predicted)
    edited(
        predicted,
        lambda content: content["frames"][0].update(labels=content["frames"][0]["labels"][:1]),
    )
    with pytest.raises(UserError, match=r"masks of 'scene-0.jpg' are 2x2 and 1280x720"):
        evaluate("sem_seg", truth, predicted)
    Image.fromarray(np.zeros((2, 3), dtype=np.uint8)).save(png_predicted / "scene-0.png")
    with pytest.raises(UserError, match=r"scene-0.png has 3x2 pixels, its ground truth 1280x720"):
        evaluate("sem_seg", png_truth, png_predicted, form="masks")


def test_masks_without_run_lengths_are_named(world: Any, edited: Any) -> None:
    truth, predicted = world.ins_seg()[:2]
    edited(predicted, lambda content: content["frames"][0]["labels"][0]["rle"].update(counts=""))
    with pytest.raises(UserError, match=r"frame 'scene-0.jpg': 'rle': the mask has no run lengths"):
        evaluate("ins_seg", truth, predicted)


def test_run_lengths_that_do_not_fit_are_named(world: Any, edited: Any) -> None:
    truth, predicted = world.semantic("drivable")[:2]
    too_long = {"counts": rle(np.ones((800, 1400), dtype=bool))["counts"], "size": [720, 1280]}
    edited(predicted, lambda content: content["frames"][0]["labels"][0].update(rle=too_long))
    with pytest.raises(UserError, match=r"the run lengths do not fill an image of 720x1280"):
        evaluate("drivable", truth, predicted)


@pytest.mark.parametrize("task", ["ins_seg", "pan_seg", "sem_seg"])
@pytest.mark.parametrize("which", [0, 1])
def test_damaged_run_lengths_do_not_hang(world: Any, edited: Any, task: str, which: int) -> None:
    files = world.semantic(task)[:2] if task == "sem_seg" else getattr(world, task)()[:2]

    def damage(content: Any) -> None:
        mask = content["frames"][1]["labels"][0]["rle"]
        mask["counts"] = mask["counts"][:-3] + mask["counts"][-2:]

    edited(files[which], damage)
    what = ("ground truth", "predictions")[which]
    with pytest.raises(UserError, match=rf"^{what}: label 0 of frame 'scene-1.jpg': 'rle': "):
        evaluate(task, *files)


@pytest.mark.parametrize(
    ("task", "other", "message"),
    [
        ("sem_seg", "pan_seg", r"which sem_seg does not know"),
        ("ins_seg", "pan_seg", r"which ins_seg does not know"),
        ("drivable", "sem_seg", r"which drivable does not know"),
        ("ins_seg", "det", r"which ins_seg does not know|has no rle"),
        ("tagging", "det", r"no frame has an attribute"),
        ("pose", "tagging", r""),
    ],
)
def test_predictions_of_another_task(
    world: Any, edited: Any, task: str, other: str, message: str
) -> None:
    def files(name: str) -> tuple[Path, ...]:
        semantic = name in ("sem_seg", "drivable")
        return world.semantic(name) if semantic else getattr(world, name)()

    truth, predicted = files(task)[0], files(other)[1]
    if other == "pan_seg":
        edited(
            predicted,
            lambda content: content["frames"][0]["labels"][0].update(category="guard rail"),
        )
    if not message:
        scores = evaluate(task, truth, predicted)
        assert "note: the predictions have no labels at all" in scores.table()
        return
    with pytest.raises(UserError, match=message):
        evaluate(task, truth, predicted)


def test_coverage_stands_under_the_table(world: Any, edited: Any) -> None:
    truth, predicted = world.det()
    assert evaluate("det", truth, predicted).table().endswith("\ndet: 4 images scored")
    edited(predicted, lambda content: content.update(frames=content["frames"][:1]))
    scores = evaluate("det", truth, predicted)
    line = "det: 4 images scored, 1 of them predicted; 3 count as empty"
    assert scores.table().endswith(f"\n{line}")
    edited(predicted, lambda content: content["frames"][0].update(labels=[]))
    assert (
        evaluate("det", truth, predicted)
        .table()
        .endswith(f"\n{line}\nnote: the predictions have no labels at all")
    )


def test_true_labels_that_do_not_count_are_told(world: Any, edited: Any) -> None:
    truth, predicted = world.ins_seg()[:2]
    edited(truth, lambda content: content["frames"][0]["labels"][0].pop("rle") and None)
    assert evaluate("ins_seg", truth, predicted).notes == (
        "1 labels of the ground truth have no rle and do not count",
    )


def test_ground_truth_alone(world: Any, edited: Any) -> None:
    truth = world.det()[0]
    assert check_ground_truth("det", truth) == 4
    assert check_ground_truth("tagging", truth) == 4
    assert check_ground_truth("sem_seg", world.semantic("sem_seg")[2], "masks") == 4
    with pytest.raises(UserError, match=r"no ground truth at .*nowhere"):
        check_ground_truth("det", world.out / "nowhere")
    edited(truth, lambda frames: frames[0]["labels"][0].update(category="dog"))
    with pytest.raises(UserError, match=r"ground truth: 'scene-0.jpg' has a label of category"):
        check_ground_truth("det", truth)


def test_the_ground_truth_is_read_first(world: Any) -> None:
    with pytest.raises(UserError, match="no ground truth at"):
        evaluate("det", world.out / "none.json", world.out / "none.json", predicted_only=True)


def test_one_id_for_two_categories(world: Any) -> None:
    truth, predicted = world.pan_seg()[2:]
    array = np.asarray(Image.open(predicted / "scene-1.png")).copy()
    array[0, 0, 0] += 1
    Image.fromarray(array).save(predicted / "scene-1.png")
    with pytest.raises(UserError, match=r"scene-1.png: a segment id with two categories"):
        evaluate("pan_seg", truth, predicted, form="masks")


@pytest.mark.parametrize(
    ("task", "value", "message"),
    [
        ("sem_seg", 19, r"scene-1.png: value 19; a mask"),
        ("drivable", 3, r"scene-1.png: value 3; a"),
    ],
)
def test_masks_of_another_task(world: Any, task: str, value: int, message: str) -> None:
    truth, predicted = world.semantic(task)[2:]
    array = np.asarray(Image.open(predicted / "scene-1.png")).copy()
    array[0, 0] = value
    Image.fromarray(array).save(predicted / "scene-1.png")
    with pytest.raises(UserError, match=message):
        evaluate(task, truth, predicted, form="masks")


def test_masks_must_have_the_right_channels(world: Any) -> None:
    _, _, truth, predicted = world.semantic("sem_seg")
    Image.new("RGB", (1280, 720)).save(predicted / "scene-0.png")
    with pytest.raises(UserError, match=r"scene-0.png has 3 channels; .* a mask with one channel"):
        evaluate("sem_seg", truth, predicted, form="masks")
    (predicted / "scene-0.png").write_bytes(b"not a picture")
    with pytest.raises(UserError, match=r"scene-0.png cannot be read as a PNG"):
        evaluate("sem_seg", truth, predicted, form="masks")


def test_polygons_are_no_masks(world: Any, edited: Any) -> None:
    truth, predicted = world.ins_seg()[:2]

    def to_polygon(content: Any) -> None:
        label = content["frames"][0]["labels"][0]
        del label["rle"]
        label["poly2d"] = [{"vertices": [[0, 0], [9, 0], [9, 9]], "types": "LLL", "closed": True}]

    with pytest.raises(UserError, match=r"has no rle; masks must be RLE"):
        evaluate("ins_seg", truth, edited(predicted, to_polygon))


def test_panoptic_ids_must_be_numbers(world: Any, edited: Any) -> None:
    truth, predicted = world.pan_seg()[:2]
    edited(predicted, lambda content: content["frames"][0]["labels"][0].update(id="car-1"))
    with pytest.raises(UserError, match=r"has id 'car-1'; the panoptic evaluator needs whole"):
        evaluate("pan_seg", truth, predicted)


def test_poses_must_be_whole(world: Any, edited: Any) -> None:
    truth, predicted = world.pose()
    edited(predicted, lambda content: content["frames"][0]["labels"][1].pop("box2d") and None)
    with pytest.raises(UserError, match=r"some poses have a box2d and others, as in 'scene-0.jpg'"):
        evaluate("pose", truth, predicted)
    edited(
        predicted,
        lambda content: content["frames"][0]["labels"][0]["graph"]["nodes"].pop() and None,
    )
    with pytest.raises(UserError, match=r"a pose of 'scene-0.jpg' has 17 nodes, not 18"):
        evaluate("pose", truth, predicted)
    edited(truth, lambda content: content["frames"][2]["labels"][0].pop("box2d") and None)
    with pytest.raises(UserError, match=r"ground truth: a pose of 'scene-2.jpg' has no box2d"):
        evaluate("pose", truth, predicted)


def test_instance_bitmasks_need_their_scores(world: Any, edited: Any) -> None:
    _, _, truth, predicted, score_file = world.ins_seg()
    with pytest.raises(UserError, match=r"pass --score-file"):
        evaluate("ins_seg", truth, predicted, form="masks")
    with pytest.raises(UserError, match=r"no score file at .*other.json"):
        evaluate("ins_seg", truth, predicted, form="masks", score_file=world.out / "other.json")
    edited(score_file, lambda frames: frames[0]["labels"][0].pop("index") and None)
    with pytest.raises(UserError, match=r"a label of 'scene-0.jpg' lacks index or score"):
        evaluate("ins_seg", truth, predicted, form="masks", score_file=score_file)
    edited(score_file, lambda frames: frames[1:])
    with pytest.raises(UserError, match=r"does not list scene-0.jpg; list every PNG"):
        evaluate("ins_seg", truth, predicted, form="masks", score_file=score_file)
    edited(score_file, lambda frames: {"frames": frames})
    with pytest.raises(UserError, match=r"must be a bare list of frames"):
        evaluate("ins_seg", truth, predicted, form="masks", score_file=score_file)
    (predicted / "scene-3.png").unlink()
    with pytest.raises(UserError, match=r"1 of 4 images have no predicted bitmask.*'scene-3'"):
        evaluate("ins_seg", truth, predicted, form="masks", score_file=score_file)


def test_tags_must_be_whole_and_known(world: Any, edited: Any) -> None:
    truth, predicted = world.tagging()
    with pytest.raises(UserError, match=r"'scene-0.jpg' has weather 'hail'; one of rainy"):
        evaluate(
            "tagging",
            truth,
            edited(predicted, lambda c: c["frames"][0]["attributes"].update(weather="hail")),
        )
    edited(predicted, lambda content: content["frames"].pop() and None)
    with pytest.raises(UserError, match=r"1 of 4 images have no predicted tags"):
        evaluate("tagging", truth, predicted)
    edited(
        predicted, lambda content: [frame.pop("attributes") for frame in content["frames"]] and None
    )
    with pytest.raises(UserError, match=r"no frame has an attribute weather or scene"):
        evaluate("tagging", truth, predicted, names=["scene-0.jpg"])
