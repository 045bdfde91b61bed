"""``tools/benchmark.py waits``: what a picture makes the host wait for, and where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bdd100k_models.benchmarks.waits import Place, Waits
from bdd100k_models.cli.benchmark import main
from bdd100k_models.errors import UserError


def test_table_and_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "report.json"
    assert main(["waits", "demo/models/tagging_weather_mini.py", "--json", str(report)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "tagging_weather_mini: 1 waits a picture, 0 uploads"
    assert lines[1].split()[:5] == ["1", "copy", "to", "the", "host"]
    assert "ClsHead.post_process" in lines[1]
    assert len(lines) == 2, "the picture itself is in pinned memory: nobody waits for it"
    (figures,) = json.loads(report.read_text())["waits"]
    assert (figures["model"], figures["seeded"]) == ("tagging_weather_mini", False)
    assert (figures["waits"], figures["uploads"]) == (1, 0)
    assert [place["kind"] for place in figures["places"]] == ["copy to the host"]
    assert "numpy()" in figures["places"][0]["source"]


def test_checkpoint_is_for_one_config() -> None:
    with pytest.raises(UserError, match="weights of one CONFIG: name that one"):
        main(["waits", "--checkpoint", "x.pth"])
    with pytest.raises(UserError, match="no published model is named 'nothing'"):
        main(["waits", "nothing"])


def test_sums_and_order() -> None:
    first, second = Place("a", 1, "f"), Place("a", 2, "g")
    waits = Waits()
    waits.counts.update({("upload", first): 4, ("item", first): 2, ("nonzero", second): 3})
    assert (waits.total, waits.uploads) == (5, 4)
    assert waits.by_kind() == {"item": 2, "nonzero": 3, "upload": 4}
    assert [times for _, times in waits.ordered()] == [4, 3, 2]
