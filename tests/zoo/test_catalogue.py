"""The catalogue holds every published fact, derives the rest, and rejects mistakes."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from bdd100k_models.errors import UserError
from bdd100k_models.files.places import REPOSITORY
from bdd100k_models.zoo import catalogue, tasks
from bdd100k_models.zoo.configs import find_config

DATA = Path(__file__).parents[1] / "data" / "reference" / "catalogue.json"
PUBLISHED: list[dict[str, Any]] = json.loads(DATA.read_text(encoding="utf-8"))


def published_name(entry: dict[str, Any]) -> str:
    weights = entry["links"]["weights"]
    return Path(weights).stem if weights else str(Path(entry["config"]).name)


def as_reference(model: catalogue.PublishedModel) -> dict[str, Any]:
    """A catalogue entry in the form of the reference data."""
    entry: dict[str, Any] = {
        "task": model.task,
        "method": model.method,
        "paper": vars(model.paper),
        "authors": [{k: v for k, v in vars(a).items() if v is not None} for a in model.authors],
        "columns": list(model.columns.items()),
        "config": (
            model.source
            if model.source is not None
            else str(Path(model.config).relative_to(f"{model.task}/configs").with_suffix(""))
        ),
        "links": {kind: model.links.get(kind) for kind in catalogue.SERVER_FILES},
        "code": model.code,
    }
    optional = {"tag": model.tag, "framework": model.framework, "aliases": list(model.aliases)}
    return entry | {key: value for key, value in optional.items() if value}


@pytest.mark.parametrize("entry", PUBLISHED, ids=published_name)
def test_every_published_fact_is_in_the_catalogue(entry: dict[str, Any]) -> None:
    expected = entry | {"columns": list(entry["columns"].items())}
    assert as_reference(catalogue.catalogue()[published_name(entry)]) == expected


def test_the_order_of_a_card_is_kept() -> None:
    names = catalogue.list_models(external=True)
    for task in tasks.TASKS:
        expected = [published_name(entry) for entry in PUBLISHED if entry["task"] == task]
        assert [name for name in names if name in set(expected)] == expected


def test_models_per_task() -> None:
    """Those of the zoo; what was contributed since comes on top."""
    counts = Counter(catalogue.find(name).task for name in catalogue.list_models())
    assert counts >= Counter(
        tagging=28, det=64, ins_seg=26, sem_seg=53, drivable=56, pan_seg=5, pose=26, mot=1, mots=1
    )


def test_weights_on_the_server_follow_from_task_and_name() -> None:
    names = {published_name(entry) for entry in PUBLISHED if entry["links"]["weights"]}
    assert len(names) == 260
    for name in names:
        model = catalogue.find(name)
        assert model.weights == catalogue.server_url(model.task, model.name, tag=model.tag)


def test_published_configs_are_files_of_the_same_name() -> None:
    for name in catalogue.list_models():
        config = catalogue.find(name).config
        assert config is not None
        assert Path(config).stem == name


def test_reconstructed_configs_are_marked() -> None:
    marked = [m.name for m in catalogue.catalogue().values() if m.reconstructed]
    assert len(marked) == 8
    assert all("_32bs_ins_seg_" in name for name in marked)


def test_metrics_are_numbers_of_the_split() -> None:
    model = catalogue.find("faster_rcnn_r50_fpn_3x_det_bdd100k")
    assert dict(model.metrics) == {"Box AP-val": 32.3, "Box AP-test": 31.45}
    assert model.columns["Box AP-val"] == "32.30"
    assert model.columns["MS-train"] == "✓"


@pytest.mark.parametrize(
    ("task", "pattern", "expected"),
    [
        ("det", "faster_rcnn_r50_fpn_?x_*", ["1x", "3x", "5x"]),
        (None, "*_panoptic_*", []),
        ("mot", "pcan*", []),
    ],
)
def test_list_models_takes_wildcards(task: str | None, pattern: str, expected: list[str]) -> None:
    names = catalogue.list_models(task, pattern)
    assert names == [f"faster_rcnn_r50_fpn_{x}_det_bdd100k" for x in expected]


def test_list_models_names_models_of_other_code_bases_when_asked() -> None:
    name = "faster_rcnn_r50_1x_bdd100k"
    assert name not in catalogue.list_models("det")
    assert name in catalogue.list_models("det", external=True)


def test_unknown_task() -> None:
    with pytest.raises(UserError, match="no task 'detection'; one of tagging, det, ins_seg"):
        catalogue.list_models("detection")


def test_an_alias_finds_the_model_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="older name of hrnet_w32_256x192_1x_pose_bdd100k"):
        model = catalogue.find("hrnet_w32_256x192_pose_bdd100k")
    assert model.name == "hrnet_w32_256x192_1x_pose_bdd100k"


def test_unknown_names_come_with_the_closest_ones() -> None:
    with pytest.raises(UserError, match=r"mean 'faster_rcnn_r50_fpn_1x_det_bdd100k'"):
        catalogue.find("faster_rcnn_r50_fpn_1x_bdd100k")
    with pytest.raises(UserError, match=r"tools/list_models\.py"):
        catalogue.find("0")


def test_reads_without_torch() -> None:
    code = (
        "import sys; from bdd100k_models.zoo import catalogue; catalogue.catalogue(); "
        "print([m for m in ('torch', 'mmcv', 'cv2') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def metafile(folder: Path, *, models: list[dict[str, Any]]) -> Path:
    """A small index with one metafile ``det/metafile.yml``; gives the index."""
    paper = {"Title": "T", "URL": "https://a.org", "Venue": "V", "Authors": [{"Name": "A"}]}
    content = {"Collections": [{"Name": "M", "Paper": paper}], "Models": models}
    (folder / "det").mkdir()
    (folder / "det" / "metafile.yml").write_text(yaml.safe_dump(content), encoding="utf-8")
    index = folder / "model-index.yml"
    index.write_text("Import: [det/metafile.yml]\n", encoding="utf-8")
    return index


def entry(**changes: Any) -> dict[str, Any]:
    """A small, valid model; keys of ``changes`` replace its keys, ``None`` takes one out."""
    base: dict[str, Any] = {
        "Name": "x",
        "In Collection": "M",
        "Config": "det/configs/det/x.py",
        "Metadata": {"Backbone": "R-50", "FP16": True},
        "Results": [{"Task": "T", "Dataset": "D", "Metrics": {"Box AP-val": 1.5}}],
        "Weights": "https://a.org/x.pth",
    }
    return {k: v for k, v in (base | changes).items() if v is not None}


def public(**changes: Any) -> dict[str, Any]:
    """Weights of others for the model; changed as `entry` is."""
    base: dict[str, Any] = {
        "Weights": ["https://a.org/x-01234567.pth"],
        "Config": "mmdet: configs/x.py",
        "Dataset": "COCO",
        "Fit": "rows",
    }
    return {k: v for k, v in (base | changes).items() if v is not None}


def test_a_contributed_entry(tmp_path: Path) -> None:
    links = {"md5": "https://a.org/x.md5"}
    index = metafile(tmp_path, models=[entry(MD5="0" * 32, Links=links)])
    model = catalogue.load(index)["x"]
    assert model.weights == "https://a.org/x.pth"
    assert model.md5 == "0" * 32
    assert dict(model.links) == {"weights": "https://a.org/x.pth", **links}
    assert dict(model.columns) == {"Backbone": "R-50", "FP16": "✓", "Box AP-val": "1.5"}
    assert model.code is None
    assert model.authors == (catalogue.Author("A"),)


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ([entry(), entry()], "the name 'x' is taken by 'x'"),
        ([entry(), entry(Name="y", Alias=["x"])], "the name 'x' is taken by 'x'"),
        ([entry(**{"In Collection": "N"})], "Models: x: 'In Collection' names 'N'"),
        ([entry(Config=None)], "Models: x: needs the key 'Config'"),
        ([entry(Weigths="https://a.org")], "unknown key 'Weigths'"),
        ([entry(MD5="abc")], "'MD5' must be 32 hexadecimal digits"),
        ([entry(Results=[{"Metrics": {"AP": 1}}])], "'AP' must end in -val or -test"),
        ([entry(Results=[{"Metrics": {"AP-val": "good"}}])], "'AP-val' is not a number: 'good'"),
        ([entry(Masks="perhaps")], "'Masks' must be true or false"),
        ([entry(Links={"logs": "https://a.org"})], "unknown key 'logs'"),
        ([entry(Metadata={"Backbone": ["a"]})], "'Backbone' must be a single value"),
        ([entry(Name="null")], "Models: needs the key 'Name' with a text"),
        ([entry(Name="")], "Models: needs the key 'Name' with a text"),
        ([entry(Cost={"Parameters": 1, "GFLOPs": 2})], "Cost: needs the key 'Input'"),
        ([entry(Cost={"Parameters": "x", "GFLOPs": 2, "Input": "1x2"})], "must be numbers"),
        ([entry(Cost={"Parameters": 1, "GFLOPs": 2, "Input": "big"})], "such as 720x1280"),
        (["x"], "expected a mapping"),
        ([entry(Weights=f"{catalogue.SERVER}/x.pth")], "must look like"),
        ([entry(Public=public(Fit="some"))], "x: Public: 'Fit' must be one of identical, rows"),
        ([entry(Public=public(Dataset="KITTI"))], "'Dataset' must be one of ADE20K, BDD100K"),
        ([entry(Public=public(Weights=[]))], "'Weights' must list a URL"),
        ([entry(Public=public(Weights=[["a"]]))], "'Weights' must be a list of texts"),
        ([entry(Public=public(Weights="https://a.org"))], "'Weights' must be a list"),
        ([entry(Public=public(SHA256="xyz"))], "'SHA256' must be 8 to 64 hexadecimal digits"),
        ([entry(Public=public(Rename={"a": ["b"]}))], "'Rename' must map prefixes"),
        ([entry(Public=public(Licence="MIT"))], "unknown key 'Licence'"),
        ([entry(Public=public(Config=None))], "Public: needs the key 'Config'"),
    ],
)
def test_a_wrong_entry_says_what_and_where(
    tmp_path: Path, models: list[dict[str, Any]], message: str
) -> None:
    index = metafile(tmp_path, models=models)
    with pytest.raises(UserError, match=message):
        catalogue.load(index)


def test_files_that_are_missing_or_broken(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no catalogue at .*model-index\.yml"):
        catalogue.load(tmp_path / "model-index.yml")
    (tmp_path / "broken.yml").write_text("a: [", encoding="utf-8")
    with pytest.raises(UserError, match=r"broken\.yml: not readable as YAML"):
        catalogue.load(tmp_path / "broken.yml")
    (tmp_path / "broken.yml").write_text("Models: []\nModels: []", encoding="utf-8")
    with pytest.raises(UserError, match="the key 'Models' stands twice"):
        catalogue.load(tmp_path / "broken.yml")


@pytest.mark.parametrize(("key", "other"), [("Models", "Collections"), ("Collections", "Models")])
def test_a_metafile_without_models(tmp_path: Path, key: str, other: str) -> None:
    path = tmp_path / "metafile.yml"
    path.write_text(f"{other}: []\n", encoding="utf-8")
    with pytest.raises(UserError, match=f"needs the key '{key}' with a list of entries"):
        catalogue.load_metafile(path)


def test_models_of_vis4d_run_as_ours() -> None:
    models = {m.name: m.runs_as for m in catalogue.catalogue().values() if m.framework == "vis4d"}
    assert models == {
        "faster_rcnn_r50_1x_bdd100k": "faster_rcnn_r50_fpn_1x_det_bdd100k",
        "faster_rcnn_r50_3x_bdd100k": "faster_rcnn_r50_fpn_3x_det_bdd100k",
        "semantic_fpn_r50_40k_bdd100k": "fpn_r50_512x1024_40k_sem_seg_bdd100k",
    }
    for name, ours in models.items():
        assert find_config(name) == find_config(str(ours))
