"""The page of a set of runs: what it says, and how a browser shows it."""

from __future__ import annotations

import base64
import html
import math
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bdd100k_models.errors import UserError
from bdd100k_models.visualization import (
    ReportRun,
    ReportTable,
    read_picture,
    save_picture,
    write_report,
)
from bdd100k_models.visualization.videos import save_animation

VOID = {"meta", "img", "br", "link", "input"}
LONG_NAME = "mask_rcnn_convnext-t_fpn_fp16_3x_ins_seg_bdd100k_" + "with_a_very_long_name_" * 3


def make_run(*pictures: Path, **more: Any) -> ReportRun:
    fields: dict[str, Any] = {
        "title": "Object detection",
        "model": LONG_NAME,
        "command": f"python det/test.py {LONG_NAME} --format-dir work_dirs/{LONG_NAME} --eval",
        "scores": {"AP": 31.26, "AP50": 48.0, "APs": math.nan},
        "per_class": {
            metric: {"car": 51.0, "train": math.nan, "rider": 20.5}
            for metric in ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1")
        },
        "marks": {"AP50": 40.0},
        "pictures": [(picture, f"prediction {index}") for index, picture in enumerate(pictures)],
        "images": 40,
        "seconds": 12.34,
    }
    return ReportRun(**{**fields, **more})


class Checker(HTMLParser):
    """Tags that close in order, and everything that a page could load."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.feed(page)
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.loads += [str(value) for name, value in attrs if name in ("src", "srcset")]
        assert tag not in ("script", "link", "iframe")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page_says_what_the_run_was(tmp_path: Path, picture_file: Path) -> None:
    page = write_report(
        tmp_path / "out" / "index.html",
        [make_run(picture_file, notes=["AP on true boxes."])],
        title="Demo <1>",
        introduction="All of it.",
    ).read_text()
    checker = Checker(page)
    assert len(checker.loads) == 1 and checker.loads[0].startswith("data:image/jpeg;base64,")
    assert "http" not in page.replace("data:image", "")
    assert "<title>Demo &lt;1&gt;</title>" in page
    text = html.unescape(re.sub(r"<[^>]+>", " ", page))
    for expected in ("All of it.", "31.3", "40 images, 12.3 s", "AP on true boxes.", "reached 40"):
        assert expected in re.sub(r"\s+", " ", text).replace(" ,", ",")
    assert f"--format-dir work_dirs/{LONG_NAME} --eval" in re.sub(r"\s+", " ", text)
    assert "nan" not in text.lower().split()


def test_class_table_leaves_out_what_was_not_scored(tmp_path: Path) -> None:
    page = write_report(tmp_path / "index.html", [make_run()]).read_text()
    assert "<td>rider</td><td>20.5</td>" in page
    assert "<td>train</td>" not in page
    assert "<th>APl</th>" in page and "<th>AR1</th>" not in page


@pytest.mark.parametrize(
    ("marks", "passed", "expected"),
    [
        ({"AP50": 40.0}, True, '<td class="good">AP50 48.0</td>'),
        ({"AP50": 60.0}, False, '<td class="bad">AP50 48.0</td>'),
        ({"APs": 1.0}, False, '<td class="bad">APs –</td>'),
        ({"other": 1.0}, False, '<td class="bad">other –</td>'),
        ({}, True, "<td>AP 31.3</td>"),
    ],
)
def test_marks(tmp_path: Path, marks: dict[str, float], passed: bool, expected: str) -> None:
    run = make_run(marks=marks)
    assert run.passed == passed
    assert expected in write_report(tmp_path / "index.html", [run]).read_text()


def test_pictures_by_link(tmp_path: Path, picture_file: Path) -> None:
    page = write_report(tmp_path / "index.html", [make_run(picture_file)], embed=False).read_text()
    assert Checker(page).loads == ["pictures/street%20one.jpg"]
    assert '<a href="pictures/street%20one.jpg">' in page
    assert 'width="1280" height="720"' in page


def test_no_link_to_what_a_moved_page_would_lose(tmp_path: Path, picture_file: Path) -> None:
    page = write_report(tmp_path / "out" / "index.html", [make_run(picture_file)]).read_text()
    assert "href=" not in page.split('class="pictures"')[1]


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a report needs at least one run"):
        write_report(tmp_path / "index.html", [])
    with pytest.raises(UserError, match=r"no picture at .*gone.jpg"):
        write_report(tmp_path / "index.html", [make_run(tmp_path / "gone.jpg")])
    assert not (tmp_path / "index.html").exists()


WIDE = ReportTable("Confusion", [f"class {n}" for n in range(30)], [["100.0"] * 30] * 3, "a note")


def test_further_tables_are_there(tmp_path: Path) -> None:
    tables = [
        ReportTable("Errors", ["error", "number", "means"], [["missed", "3", "a < b"]], "why", {2}),
        ReportTable("Confusion", ["true", "car"], [["car", "100.0"]], folded=True),
    ]
    page = write_report(tmp_path / "index.html", [make_run(tables=tables)]).read_text()
    Checker(page)
    assert '<details open>\n<summary>Errors</summary>\n<p class="muted">why</p>' in page
    assert "<details>\n<summary>Confusion</summary>" in page
    assert '<td>missed</td><td>3</td><td class="words">a &lt; b</td>' in page


def browser() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    return next((path for path in map(shutil.which, names) if path), None)


@pytest.mark.skipif(browser() is None, reason="no Chromium here")
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("embed", [True, False])
def test_in_a_browser(tmp_path: Path, grey: np.ndarray, width: int, embed: bool) -> None:
    """Pictures load, nothing is wider than the window, and the picture that comes out has text."""
    pictures = [save_picture(tmp_path / "p" / f"{i}.jpg", grey) for i in range(3)]
    runs = [make_run(*pictures), make_run(title="Pose estimation", per_class={}, tables=[WIDE])]
    page = write_report(tmp_path / "index.html", runs, embed=embed)
    probe = (
        "<script>window.addEventListener('load', () => { const d = document;"
        "d.querySelectorAll('details').forEach(e => e.open = true);"
        "const loaded = [...d.images].filter(i => i.complete && i.naturalWidth > 0).length;"
        "const root = d.documentElement;"
        "d.title = `width ${root.clientWidth} needs ${root.scrollWidth} pictures ${loaded}`; });"
        "</script></body>"
    )
    # A window cannot be narrower than 500 pixels, a frame in it can.
    inner = tmp_path / "probe.html"
    inner.write_text(page.read_text().replace("</body>", probe))
    outer = tmp_path / "outer.html"
    outer.write_text(
        f"<iframe id=f src=probe.html width={width} height=700></iframe><script>"
        "window.addEventListener('load', () => { document.title = "
        "document.getElementById('f').contentDocument.title; });</script>"
    )
    command = [
        str(browser()),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--allow-file-access-from-files",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--window-size=1400,900",
    ]
    shown = subprocess.run(
        [*command, "--virtual-time-budget=5000", "--dump-dom", outer.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    found = re.search(r"<title>width (\d+) needs (\d+) pictures (\d+)</title>", shown)
    assert found, shown[:500]
    has, needs, loaded = map(int, found.groups())
    assert abs(has - width) <= 20
    assert needs <= has
    assert loaded == 3
    shot = tmp_path / "shot.png"
    subprocess.run(
        [*command, f"--screenshot={shot}", page.as_uri()],
        capture_output=True,
        timeout=120,
        check=True,
    )
    assert read_picture(shot).std() > 5


def test_an_animated_picture_is_put_in_whole(tmp_path: Path) -> None:
    pictures = [np.full((72, 128, 3), 40 * number, np.uint8) for number in range(5)]
    file = save_animation(tmp_path / "video.webp", pictures, 5.0, width=64)
    with Image.open(file) as image:
        assert image.n_frames == 5 and image.size == (64, 36)
    page = write_report(
        tmp_path / "report.html",
        [ReportRun("Tracking", "m", "python x", {"mMOTA": 50.0}, pictures=[(file, "a video")])],
    ).read_text()
    data = base64.b64encode(file.read_bytes()).decode()
    assert f'src="data:image/webp;base64,{data}"' in page
    assert 'width="64" height="36"' in page
