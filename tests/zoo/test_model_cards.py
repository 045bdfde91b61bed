"""READMEs are rendered from the catalogue, and a new entry is reviewed."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from bdd100k_models.errors import UserError
from bdd100k_models.files.places import REPOSITORY
from bdd100k_models.zoo import catalogue, model_cards, tasks

CARD = """\
### M

[T](https://a.org) (V), [code](https://b.org)

[A](https://c.org), B

| Backbone | FP16 | Box AP-val | Scores | Config | Weights | Predictions |
| :---: | :---: | :---: | :---: | :---: | :---: | :---: |
| R-50 | ✓ | 31.50 |  | [`x`](configs/det/x.py) | [model](https://a.org/x.pth) |  |

`x` was also published as `y`.
"""


@pytest.mark.parametrize("task", tasks.TASKS)
def test_readmes_are_up_to_date(task: str) -> None:
    assert model_cards.stale([task]) == [], "run python tools/model_card.py"


@pytest.mark.parametrize("task", tasks.TASKS)
def test_readmes_name_every_model_of_the_task(task: str) -> None:
    text = (REPOSITORY / task / "README.md").read_text(encoding="utf-8")
    for name in catalogue.list_models(task):
        assert f"[`{name}`](configs/" in text
        assert f"]({catalogue.find(name).weights})" in text


def entry(**changes: Any) -> dict[str, Any]:
    """A complete model; keys of ``changes`` replace its keys, ``None`` takes one out."""
    base: dict[str, Any] = {
        "Name": "x",
        "In Collection": "M",
        "Config": "det/configs/det/x.py",
        "Metadata": {"Backbone": "R-50", "FP16": True},
        "Results": [{"Task": "T", "Dataset": "D", "Metrics": {"Box AP-val": "31.50"}}],
        "Weights": "https://a.org/x.pth",
        "MD5": "0" * 32,
    }
    return {key: value for key, value in (base | changes).items() if value is not None}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with one task, a README and a config."""
    config = tmp_path / "det" / "configs" / "det" / "x.py"
    config.parent.mkdir(parents=True)
    config.touch()
    (tmp_path / "model-index.yml").write_text("Import: [det/metafile.yml]\n")
    readme = f"# Detection\n\n{model_cards.BEGIN}\nold\n{model_cards.END}\n\nThe end.\n"
    (tmp_path / "det" / "README.md").write_text(readme)
    return tmp_path


def write(root: Path, *models: dict[str, Any]) -> None:
    authors = [{"Name": "A", "URL": "https://c.org"}, {"Name": "B"}]
    paper = {"Title": "T", "URL": "https://a.org", "Venue": "V", "Authors": authors}
    collection = {"Name": "M", "Paper": paper, "Code": {"URL": "https://b.org"}}
    content = {"Collections": [collection], "Models": list(models)}
    (root / "det" / "metafile.yml").write_text(yaml.safe_dump(content, sort_keys=False))


def test_a_card(root: Path) -> None:
    write(root, entry(Alias=["y"]))
    assert model_cards.stale(["det"], root) == [root / "det" / "README.md"]
    assert model_cards.update(["det"], root) == [root / "det" / "README.md"]
    text = (root / "det" / "README.md").read_text()
    begin, end = model_cards.BEGIN, model_cards.END
    assert text == f"# Detection\n\n{begin}\n\n{CARD}\n{end}\n\nThe end.\n"
    assert model_cards.stale(["det"], root) == []
    assert model_cards.update(["det"], root) == []


def test_a_reconstructed_config_is_marked(root: Path) -> None:
    write(root, entry(Reconstructed=True))
    text = model_cards.rendered_readme("det", root)
    assert r"[`x`](configs/det/x.py)\* |" in text
    assert r"\* No config was published for this model" in text


def test_models_of_other_code_bases() -> None:
    models = catalogue.catalogue().values()
    text = model_cards.render(m for m in models if m.framework)
    assert "### Faster R-CNN (vis4d)" in text
    ours = "faster_rcnn_r50_fpn_1x_det_bdd100k"
    runs_as = f"runs as [`{ours}`](configs/det/{ours}.py)"
    assert f"| `faster_rcnn/faster_rcnn_r50_1x_bdd100k`, {runs_as} |" in text


def test_a_readme_without_marks(root: Path) -> None:
    write(root, entry())
    (root / "det" / "README.md").write_text("# Detection\n")
    with pytest.raises(UserError, match="must stand around the model cards"):
        model_cards.stale(["det"], root)
    (root / "det" / "README.md").unlink()
    with pytest.raises(UserError, match=r"no .*README\.md"):
        model_cards.update(["det"], root)


def test_a_table_has_one_set_of_columns(root: Path) -> None:
    write(root, entry(), entry(Name="z", Metadata={"Backbone": "R-50"}))
    with pytest.raises(UserError, match="z has the columns Backbone, Box AP-val, but its table"):
        model_cards.rendered_readme("det", root)


def test_an_entry_to_begin_with(root: Path) -> None:
    write(root, entry(Name="y"))
    (skeleton,) = yaml.safe_load(model_cards.skeleton("x", root))
    assert skeleton["Config"] == "det/configs/det/x.py"
    assert skeleton["In Collection"] == "M"
    assert skeleton["Metadata"] == {"Backbone": "R-50", "FP16": True}
    assert skeleton["Results"][0]["Metrics"] == {"Box AP-val": 0.0}


@pytest.mark.parametrize("task", tasks.TASKS)
def test_an_entry_to_begin_with_has_the_columns_of_its_task(task: str) -> None:
    for ending in tasks.name_endings(task):
        name = f"new_r50{ending}"
        (skeleton,) = yaml.safe_load(model_cards.skeleton(name))
        folder = ending.split("_")[1] if task == "tagging" else task
        assert skeleton["Config"] == f"{task}/configs/{folder}/{name}.py"
        table = [
            model.columns
            for model in catalogue.catalogue().values()
            if (model.task, model.method) == (task, skeleton["In Collection"])
        ]
        columns = [*skeleton["Metadata"], *skeleton["Results"][0]["Metrics"]]
        assert columns == list(table[0])
        assert skeleton["Results"][0]["Task"] == tasks.facts(task).title


PUBLIC = {
    "Weights": ["https://a.org/x-01234567.pth", "https://b.org/x-01234567.pth"],
    "Config": "mmdet: configs/x.py",
    "Dataset": "COCO",
    "Metric": "box AP 40.3",
    "Fit": "rows",
    "Note": "a note",
}


def test_public_weights_have_a_section_of_their_own(root: Path) -> None:
    write(root, entry(Public=PUBLIC))
    with pytest.raises(UserError, match="must stand around the public weights"):
        model_cards.rendered_readme("det", root)
    readme = root / "det" / "README.md"
    marks = f"{model_cards.PUBLIC_BEGIN}\n{model_cards.PUBLIC_END}\n"
    readme.write_text(readme.read_text() + marks)
    text = model_cards.rendered_readme("det", root)
    cards, public = text.split(model_cards.PUBLIC_BEGIN)
    assert "x-01234567" not in cards
    assert "**not** the published weights" in public
    assert "python det/test.py x --checkpoint public" in public
    assert (
        "| [x-01234567.pth](https://a.org/x-01234567.pth), "
        "[another host](https://b.org/x-01234567.pth) | COCO | box AP 40.3 | all but the classes "
        "| `x` |"
    ) in public
    assert "COCO: no source for rider; near" in public
    assert "`x`: a note." in public
