"""``tools/analyze.py`` and ``tools/compare.py`` as a user runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bdd100k_models.cli import analyze, compare
from bdd100k_models.errors import UserError
from bdd100k_models.visualization import save_picture
from tests.evaluation.conftest import edited, world  # noqa: F401  fixtures

TOOLS = Path(__file__).resolve().parents[2] / "tools"


def test_analysis_as_table_file_and_page(
    world: Any,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, predicted = world.det()
    out, page = world.out / "new" / "a.json", world.out / "a.html"
    arguments = ["det", predicted, "--data-root", world.labels.parent]
    assert analyze.main([*map(str, arguments), "--json", str(out), "--html", str(page)]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("det: 4 pictures: AP ")
    assert f"tables written to {out}" in shown and f"page written to {page}" in shown
    content = json.loads(out.read_text())
    assert content["pictures"] == 4
    assert [row["time of day"] for row in content["tables"]["scores_by_timeofday"]["rows"]] == [
        "night"
    ]
    html = page.read_text()
    for table in content["tables"].values():
        assert f"<summary>{table['title']}</summary>" in html


def test_tags_come_from_the_labels_of_detection(
    world: Any,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    world.det()
    _, predicted = world.pose()
    arguments = ["pose", str(predicted), "--data-root", str(world.labels.parent)]
    assert analyze.main(arguments) == 0
    assert "Scores by weather" in capsys.readouterr().out
    (world.labels / "det_20" / "det_val.json").unlink()
    assert analyze.main(arguments) == 0
    assert "Scores by weather" not in capsys.readouterr().out


def test_comparison_as_table_file_and_page_with_pictures(
    world: Any,  # noqa: F811
    edited: Any,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, first = world.det()
    second = first.with_name("second.json")
    second.write_bytes(first.read_bytes())
    edited(second, lambda content: content["frames"][1].update(labels=[]))
    images = world.out / "images"
    for index in range(4):
        save_picture(images / f"scene-{index}.jpg", np.zeros((720, 1280, 3), dtype=np.uint8))
    out, page = world.out / "c.json", world.out / "c.html"
    arguments = ["det", first, second, "--data-root", world.labels.parent, "--draws", 20]
    options = ["--json", out, "--html", page, "--images", images]
    assert compare.main([str(argument) for argument in [*arguments, *options]]) == 0
    shown = capsys.readouterr().out
    assert f"page written to {page}, 1 pictures" in shown and "B - A" in shown
    content = json.loads(out.read_text())
    assert (content["A"], content["draws"]) == (str(first), 20)
    assert [row["picture"] for row in content["tables"]["pictures"]["rows"]] == ["scene-1.jpg"]
    assert [file.name for file in (world.out / "c_pictures").iterdir()] == ["scene-1.jpg"]
    assert 'href="c_pictures/scene-1.jpg"' in page.read_text()


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        ("analyze", ["det", "nowhere.json"], "error: no val ground truth of det: looked for"),
        ("compare", ["det", "a.json"], "error: the following arguments are required: B"),
        ("compare", ["det", "a", "b", "--images", "no"], "error: no val ground truth of det"),
    ],
)
def test_mistakes_exit_with_2_and_one_line(
    tmp_path: Path, script: str, arguments: list[str], message: str
) -> None:
    command = [sys.executable, str(TOOLS / f"{script}.py"), *arguments]
    done = subprocess.run(
        [*command, "--data-root", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(message) and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("task", "other", "message"),
    [
        ("det", "ins_seg", "has no box2d"),
        ("ins_seg", "det", "has no rle|which ins_seg does not know"),
        ("pose", "det", "which pose does not know|has no graph"),
        ("sem_seg", "drivable", "which sem_seg does not know"),
        ("tagging", "det", "no frame has an attribute weather or scene"),
    ],
)
def test_predictions_of_another_task(
    world: Any,  # noqa: F811
    task: str,
    other: str,
    message: str,
) -> None:
    def files(name: str) -> Any:
        return world.semantic(name) if name in ("sem_seg", "drivable") else getattr(world, name)()

    truth = files(task)[0]
    predicted = files(other)[1]
    with pytest.raises(UserError, match=message):
        analyze.main([task, str(predicted), "--ground-truth", str(truth)])


def test_frames_of_videos_are_no_pictures(
    world: Any,  # noqa: F811
    edited: Any,  # noqa: F811
) -> None:
    truth, predicted = world.det()
    edited(predicted, lambda content: content["frames"][0].update(videoName="v", frameIndex=0))
    with pytest.raises(UserError, match="are frames of videos, det is a task of pictures"):
        analyze.main(["det", str(predicted), "--ground-truth", str(truth)])


def test_folders_of_pngs_hold_too_little(world: Any) -> None:  # noqa: F811
    _, _, png_truth, png_predicted = world.semantic("sem_seg")
    with pytest.raises(UserError, match="folders of PNGs hold too little"):
        analyze.main(["sem_seg", str(png_predicted), "--ground-truth", str(png_truth)])
