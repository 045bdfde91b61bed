"""The stand-in for xtcocotools gives the numbers that xtcocotools 1.14.3 gave."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bdd100k_models import compat

compat.install()

from xtcocotools.coco import COCO  # noqa: E402
from xtcocotools.cocoeval import COCOeval  # noqa: E402

SIGMAS = np.linspace(0.025, 0.1, 18)
STATS = {
    # What xtcocotools 1.14.3 (numpy 1.26) gave for the scene of `scene()`: AP, AP50, AP75, AP of
    # medium and large people, and the same of recall.
    True: (
        *(0.2873585107251863, 0.4094060504292517, 0.2732034085120757),
        *(0.5502112711118601, 0.12214219896485119),
        *(0.6454545454545454, 0.7575757575757576, 0.6666666666666666),
        *(0.6739130434782609, 0.5799999999999998),
    ),
    False: (
        *(0.2792285110707229, 0.4094060504292517, 0.2732034085120757),
        *(0.49946012347363283, 0.19078068547590074),
        *(0.6303030303030301, 0.7575757575757576, 0.6666666666666666),
        *(0.6363636363636364, 0.6181818181818182),
    ),
}


def scene(folder: Path, first_id: int) -> tuple[str, str]:
    """Files of annotations and results: 40 people on 8 pictures, some of them hard to score.

    Some annotations have no labelled keypoint (with a ``num_keypoints`` that says otherwise), some
    are crowds; some results are moved far away, are twice there, or have scores of 0 only.
    """
    rng = np.random.default_rng(7)
    annotations, results = [], []
    for index in range(40):
        box = np.concatenate([rng.uniform(0, 900, 2), rng.uniform(20, 250, 2)])
        points = box[:2] + rng.uniform(0, 1, (18, 2)) * box[2:]
        flags = rng.integers(0, 3, 18) if index % 9 else np.zeros(18, int)
        annotations.append(
            {
                "id": first_id + index,
                "image_id": index % 8 + 1,
                "category_id": 1,
                "bbox": box.tolist(),
                "area": float(box[2] * box[3] * rng.uniform(0.3, 0.9)),
                "keypoints": np.column_stack([points, flags]).ravel().tolist(),
                "num_keypoints": 18,
                "iscrowd": int(index % 13 == 5),
            }
        )
        for _ in range(1 + index % 3):
            spread = box[2:].mean() * rng.choice([0.01, 0.04, 0.1, 1.0])
            moved = points + rng.normal(0, spread, (18, 2))
            scores = rng.uniform(0, 1, 18) if index % 11 else np.zeros(18)
            results.append(
                {
                    "image_id": index % 8 + 1,
                    "category_id": 1,
                    "keypoints": np.column_stack([moved, scores]).ravel().tolist(),
                    "score": float(rng.uniform(0, 1)),
                }
            )
    truth = {
        "images": [{"id": number, "width": 1280, "height": 720} for number in range(1, 9)],
        "categories": [{"id": 1, "name": "pedestrian"}],
        "annotations": annotations,
    }
    files = folder / "truth.json", folder / "results.json"
    for file, content in zip(files, (truth, results), strict=True):
        file.write_text(json.dumps(content))
    return str(files[0]), str(files[1])


def stats(truth: Any, results: Any, use_area: bool) -> list[float]:
    evaluation = COCOeval(truth, results, "keypoints", SIGMAS, use_area=use_area)
    evaluation.params.useSegm = None  # as MMPose does
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return list(evaluation.stats)


@pytest.mark.parametrize("use_area", [True, False])
@pytest.mark.parametrize("first_id", [0, 1])
def test_scores_are_those_of_xtcocotools(tmp_path: Path, use_area: bool, first_id: int) -> None:
    truth, results = scene(tmp_path, first_id)
    coco = COCO(truth)
    assert stats(coco, coco.loadRes(results), use_area) == pytest.approx(STATS[use_area], abs=1e-12)


def test_no_results_score_zero(tmp_path: Path) -> None:
    coco = COCO(scene(tmp_path, 1)[0])
    (tmp_path / "none.json").write_text("[]")
    assert stats(coco, coco.loadRes(str(tmp_path / "none.json")), True) == [0.0] * 10


def test_some_keypoints_of_annotations_without_crowds(tmp_path: Path) -> None:
    file = tmp_path / "truth.json"
    points = [1, 2, 2, 3, 4, 1, 5, 6, 0]
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "keypoints": points}
    file.write_text(json.dumps({"images": [{"id": 1}], "annotations": [annotation]}))
    (read,) = COCO(str(file), test_index=[2, 0]).dataset["annotations"]
    assert read["keypoints"] == [5, 6, 0, 1, 2, 2]
    assert read["iscrowd"] is False


def test_variants_that_pycocotools_lacks_are_told() -> None:
    with pytest.raises(NotImplementedError, match="'keypoints_crowd' need xtcocotools"):
        COCOeval(None, None, "keypoints_crowd")


def test_a_package_that_is_installed_is_not_looked_at(tmp_path: Path) -> None:
    (tmp_path / "xtcocotools.py").write_text("raise SystemExit('compiled for another numpy')")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import bdd100k_models, xtcocotools.cocoeval, xtcocotools.mask\n"
        "from mmpose.datasets import TopDownCocoDataset, BottomUpCocoDataset\n"
        "import pycocotools.coco\n"
        "coco = sys.modules[TopDownCocoDataset.__mro__[1].__module__].COCO\n"
        "print(issubclass(coco, pycocotools.coco.COCO))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
