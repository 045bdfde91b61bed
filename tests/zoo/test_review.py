"""Every mistake that an entry can have is told in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from bdd100k_models.errors import UserError
from bdd100k_models.zoo import catalogue, review

NAME = "x_1x_det_bdd100k"
PUBLIC = {
    "Weights": ["https://a.org/x-01234567.pth", "https://b.org/x-01234567.pth"],
    "Config": "mmdet: configs/x.py",
    "Dataset": "COCO",
    "Fit": "rows",
}


def entry(**changes: Any) -> dict[str, Any]:
    """A complete model; keys of ``changes`` replace its keys, ``None`` takes one out."""
    base: dict[str, Any] = {
        "Name": NAME,
        "In Collection": "M",
        "Config": f"det/configs/det/{NAME}.py",
        "Metadata": {"Backbone": "R-50", "Lr schd": "1x"},
        "Results": metrics(val="31.50"),
        "Cost": {"Parameters": "1000", "GFLOPs": "1.5", "Input": "720x1280"},
        "Weights": "https://a.org/x.pth",
        "MD5": "0" * 32,
    }
    return {key: value for key, value in (base | changes).items() if value is not None}


def metrics(name: str = "Box AP", **values: str) -> list[dict[str, Any]]:
    return [{"Metrics": {f"{name}-{split}": value for split, value in values.items()}}]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with one task and a config."""
    config = tmp_path / "det" / "configs" / "det" / f"{NAME}.py"
    config.parent.mkdir(parents=True)
    config.touch()
    (tmp_path / "model-index.yml").write_text("Import: [det/metafile.yml]\n")
    return tmp_path


def write(root: Path, *models: dict[str, Any], **collection: Any) -> None:
    paper = {"Title": "T", "URL": "https://a.org", "Venue": "V", "Authors": [{"Name": "A"}]}
    content = {
        "Collections": [{"Name": "M", "Paper": paper | collection}],
        "Models": list(models),
    }
    (root / "det" / "metafile.yml").write_text(yaml.safe_dump(content, sort_keys=False))


def problems(root: Path, name: str = NAME) -> list[str]:
    return review.problems(review.find(name, root), root)


def test_a_complete_entry_has_no_problems(root: Path) -> None:
    write(root, entry())
    assert problems(root) == []


def test_the_published_entries_have_none() -> None:
    assert [p for m in catalogue.catalogue().values() for p in review.problems(m)] == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"Config": "det/configs/det/z.py"}, "Config: there is no det/configs/det/z.py"),
        ({"Config": "z"}, "Config: z is not a file below det/configs/"),
        ({"Results": metrics(test="31.50")}, "on the validation split"),
        ({"Results": metrics(val="0.315")}, "is that a fraction"),
        ({"Results": metrics(val="0.00")}, "Box AP-val is 0; fill in"),
        ({"Results": metrics(val="315")}, "metrics are percentages"),
        ({"Results": metrics(val="-1")}, "metrics are percentages"),
        ({"Results": metrics(val="nan")}, "metrics are percentages"),
        ({"Results": metrics("ID Sw.", val="10.5")}, "it counts something"),
        ({"Metadata": {"Backbone": "R-50", "Lr schd": "3x"}}, "Lr schd is 3x, the name says 1x"),
        ({"Weights": None}, "Weights: the URL of the checkpoint is missing"),
        ({"Weights": "ftp://a.org/x.pth"}, "is no https:// URL"),
        ({"Weights": "https://a.org/x.zip"}, "must end in .pth"),
        ({"Links": {"preds": "ftp://a.org/x.json"}}, "Links: preds: ftp://a.org/x.json is no URL"),
        ({"Links": {"preds": "https://a"}}, "Links: preds: https://a is no URL"),
        ({"Links": {"preds": "https://a.org/x y"}}, "Links: preds: https://a.org/x y is no URL"),
        ({"Code": {"URL": "a.org"}}, "Code: a.org is no URL"),
        ({"MD5": None}, "MD5: missing"),
        ({"Cost": None}, f"Cost: missing; python tools/model_card.py --costs {NAME} writes it"),
    ],
)
def test_an_entry_with_a_problem(root: Path, changes: dict[str, Any], problem: str) -> None:
    write(root, entry(**changes))
    (found,) = problems(root)
    assert problem in found


@pytest.mark.parametrize("name", ["x_1x_bdd100k", "X_1x_det_bdd100k", "x 1x_det_bdd100k"])
def test_a_name_against_the_convention(root: Path, name: str) -> None:
    (root / "det" / "configs" / "det" / f"{name}.py").touch()
    write(root, entry(Name=name, Config=f"det/configs/det/{name}.py"))
    (found,) = problems(root, name)
    assert found.startswith(f"Name: {name} must be of small letters, digits and + . _ -, and end")


def test_a_config_of_another_name(root: Path) -> None:
    write(root, entry(Name="y_1x_det_bdd100k"))
    (found,) = problems(root, "y_1x_det_bdd100k")
    assert "must be named like the model, y_1x_det_bdd100k.py" in found


def test_a_paper_without_an_address(root: Path) -> None:
    write(root, entry(), URL="ftp://a.org/paper")
    assert problems(root) == ["Paper: ftp://a.org/paper is no URL"]


def test_an_entry_with_columns_of_its_own(root: Path) -> None:
    write(root, entry(), entry(Name="z", Metadata={"Backbone": "R-50"}))
    assert any(
        "the table of M has Backbone, Lr schd, Box AP-val" in found for found in problems(root, "z")
    )


def test_no_such_entry(root: Path) -> None:
    write(root)
    with pytest.raises(UserError, match=r"no metafile\.yml has an entry named 'x'; .* --new x"):
        review.find("x", root)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Weights": ["ftp://a.org/x-01234567.pth"]}, "is no URL"),
        ({"Weights": ["https://a.org/x-01234567.pth", "https://a.org/y-11111111.pth"]}, "differen"),
        ({"Fit": "identical"}, "not identical: rider"),
        ({"Dataset": "ADE20K"}, "no table tells what the classes of ADE20K are in those of det"),
    ],
)
def test_public_weights_are_reviewed(root: Path, changes: dict[str, Any], message: str) -> None:
    write(root, entry(Public=PUBLIC | changes))
    assert any(message in problem for problem in problems(root))
