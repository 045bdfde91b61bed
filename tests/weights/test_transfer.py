"""Files fetched from a real server on the loopback interface, and what may go wrong."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bdd100k_models.errors import UserError
from bdd100k_models.files import hold
from bdd100k_models.weights import NotFoundError, transfer
from bdd100k_models.weights.transfer import fetch

if TYPE_CHECKING:
    from tests.loopback import Server

NAME = "det/models/x.pth"
PIECE = 1 << 16


@pytest.fixture
def target(own_store: Path) -> Path:
    return own_store / "x.pth"


@pytest.fixture(autouse=True)
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause between two attempts."""
    monkeypatch.setattr(transfer.time, "sleep", lambda seconds: None)


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_download_is_verified_and_its_md5_kept(server: Server, target: Path) -> None:
    server.put(NAME, b"weights" * 1000)
    said: list[str] = []
    assert fetch(f"{server.url}/{NAME}", target, said.append) == target
    assert target.read_bytes() == b"weights" * 1000
    assert left(target.parent) == ["x.md5", "x.pth"]
    assert said == [f"downloading {server.url}/{NAME}"]
    (request,) = server.asked()
    assert request["Accept-Encoding"] == "identity"
    assert "Range" not in request
    fetch(f"{server.url}/{NAME}", target, said.append)
    assert len(server.asked()) == 1


def test_it_goes_on_where_it_stopped(server: Server, target: Path) -> None:
    content = os.urandom(300_000)
    server.put(NAME, content)
    server.cut = 200_000
    fetch(f"{server.url}/{NAME}", target, lambda text: None)
    assert target.read_bytes() == content
    first, second = server.asked()
    assert "Range" not in first
    assert second["Range"] == f"bytes={3 * PIECE}-"  # whole pieces are kept
    assert second["If-Range"] == f'"{hashlib.sha1(content).hexdigest()}"'
    assert second["Accept-Encoding"] == "identity"
    assert left(target.parent) == ["x.md5", "x.pth"]


@pytest.mark.parametrize("etag", [None, 'W/"alike"'])
def test_without_a_strong_etag_the_date_tells_the_version(
    server: Server, target: Path, etag: str | None
) -> None:
    server.put(NAME, os.urandom(300_000))
    server.cut, server.headers = 200_000, {"ETag": etag}
    fetch(f"{server.url}/{NAME}", target, lambda text: None)
    _, second = server.asked()
    assert second["If-Range"].endswith(" GMT")
    assert target.read_bytes() == (server.root / NAME).read_bytes()


def test_without_a_version_nothing_is_joined(server: Server, target: Path) -> None:
    content = os.urandom(300_000)
    server.put(NAME, content)
    server.cut, server.headers = 200_000, {"ETag": None, "Last-Modified": None}
    fetch(f"{server.url}/{NAME}", target, lambda text: None)
    assert target.read_bytes() == content
    assert all("Range" not in request for request in server.asked())


def test_a_file_that_changes_in_between_is_fetched_anew(server: Server, target: Path) -> None:
    server.put(NAME, os.urandom(300_000), md5=None)
    server.cut, server.changed = 200_000, os.urandom(250_000)
    newer = server.changed
    fetch(f"{server.url}/{NAME}", target, lambda text: None)
    assert target.read_bytes() == newer
    assert len(server.asked()) == 2


def test_a_kept_part_of_an_older_file_is_not_joined(server: Server, target: Path) -> None:
    server.put(NAME, os.urandom(300_000), md5=None)
    server.cut, server.status = 200_000, []
    first = transfer._ATTEMPTS
    transfer._ATTEMPTS = 1
    try:
        with pytest.raises(NotFoundError, match=f"{3 * PIECE} bytes are kept"):
            fetch(f"{server.url}/{NAME}", target, lambda text: None)
    finally:
        transfer._ATTEMPTS = first
    assert left(target.parent) == ["x.pth.part", "x.pth.part.json"]
    newer = os.urandom(100_000)
    server.put(NAME, newer, md5=None)
    fetch(f"{server.url}/{NAME}", target, lambda text: None)
    assert target.read_bytes() == newer


def test_a_part_without_its_version_is_not_joined(server: Server, target: Path) -> None:
    target.parent.mkdir()
    target.with_name("x.pth.part").write_bytes(b"something else")
    server.put(NAME, b"weights")
    fetch(f"{server.url}/{NAME}", target, lambda text: None)
    assert target.read_bytes() == b"weights"


def test_a_part_that_is_whole_needs_no_more(server: Server, target: Path) -> None:
    server.put(NAME, b"w" * PIECE)
    server.headers = {"Content-Length": str(PIECE + 1)}  # so that the first try seems cut
    said: list[str] = []
    fetch(f"{server.url}/{NAME}", target, said.append)
    assert [("Range" in request) for request in server.asked()] == [False, True]
    assert target.read_bytes() == b"w" * PIECE


def test_416_without_a_range_is_the_servers_mistake(server: Server, target: Path) -> None:
    server.put(NAME, b"weights")
    server.status = [416] * 5
    with pytest.raises(NotFoundError, match=r"x\.pth: the server answered 416$"):
        fetch(f"{server.url}/{NAME}", target, lambda text: None)
    assert left(target.parent) == []


def test_a_length_that_is_no_number(server: Server, target: Path) -> None:
    server.put(NAME, b"weights" * 100)
    server.headers = {"Content-Length": "abc", "Connection": "close"}
    fetch(f"{server.url}/{NAME}", target, lambda text: None)
    assert target.read_bytes() == b"weights" * 100


def test_damaged_downloads_are_refused(server: Server, target: Path) -> None:
    server.put(NAME, b"other", md5="0" * 32)
    with pytest.raises(UserError, match="is damaged: its MD5 is"):
        fetch(f"{server.url}/{NAME}", target, lambda text: None)
    assert left(target.parent) == []


def test_the_catalogues_md5_counts_more_than_the_servers(server: Server, target: Path) -> None:
    server.put(NAME, b"other")
    with pytest.raises(NotFoundError, match=f"published is {'1' * 32}"):
        fetch(f"{server.url}/{NAME}", target, lambda text: None, digest="1" * 32)
    assert not target.exists()
    assert server.asked(".md5") == []


def test_what_fails_its_check_is_not_stored(server: Server, target: Path) -> None:
    server.put(NAME, b"<html>", md5=None)

    def check(path: Path, named: str) -> None:
        raise UserError(f"{named} is a web page, {path.stat().st_size} bytes")

    with pytest.raises(NotFoundError, match=r"http.*x\.pth is a web page, 6 bytes"):
        fetch(f"{server.url}/{NAME}", target, lambda text: None, check=check)
    assert left(target.parent) == []


def test_without_an_md5_it_is_said(server: Server, target: Path) -> None:
    server.put(NAME, b"weights", md5=None)
    said: list[str] = []
    fetch(f"{server.url}/{NAME}", target, said.append)
    assert said[-1].startswith("note: ") and "could not be verified" in said[-1]
    assert target.with_suffix(".md5").read_text().strip() == hashlib.md5(b"weights").hexdigest()


def test_a_server_that_hangs_is_told_while_one_waits(
    server: Server, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.put(NAME, b"weights", md5=None)
    monkeypatch.setattr(transfer, "_QUIET", 0.1)
    monkeypatch.setattr(transfer, "_TIMEOUT", (1, 0.6))
    server.hang = 30
    said: list[str] = []
    started = time.monotonic()
    with pytest.raises(NotFoundError, match="the server stopped sending"):
        fetch(f"{server.url}/{NAME}", target, said.append)
    assert time.monotonic() - started < 20
    host = server.url.removeprefix("http://")
    waits = [text for text in said if text.startswith(f"{host} has sent nothing for ")]
    assert len(waits) == 3  # once for each attempt


def test_several_processes_download_once(server: Server, target: Path) -> None:
    content = os.urandom(3_000_000)
    server.put(NAME, content)
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=fetch, args=(f"{server.url}/{NAME}", target)) for _ in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert target.read_bytes() == content
    assert len(server.asked()) == 1
    assert left(target.parent) == ["x.md5", "x.pth"]


def test_waiting_for_another_process_is_said(server: Server, target: Path) -> None:
    server.put(NAME, b"weights")
    held = hold(target.with_name("x.pth.lock"), "")
    held.__enter__()
    said: list[str] = []

    def report(text: str) -> None:
        said.append(text)
        if "waiting" in text:
            held.__exit__(None, None, None)

    fetch(f"{server.url}/{NAME}", target, report)
    assert said[0] == "another process downloads x.pth; waiting for it"
    assert target.read_bytes() == b"weights"


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write .*x\.pth: .*BDD100K_MODELS_HOME"):
        fetch("http://localhost:9/x.pth", tmp_path / "file" / "x.pth")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("{url}/none.pth", "answered 404"),
        ("http://127.0.0.1:9/x.pth", "no answer from the server"),
        ("http:///x.pth", "Invalid URL"),
    ],
)
def test_places_that_have_none(server: Server, target: Path, url: str, message: str) -> None:
    with pytest.raises(NotFoundError, match=message) as caught:
        fetch(url.format(url=server.url), target, lambda text: None)
    assert "\n" not in str(caught.value)


def test_errors_of_the_server_are_tried_again(server: Server, target: Path) -> None:
    server.put(NAME, b"weights")
    server.status = [503, 502]
    fetch(f"{server.url}/{NAME}", target, lambda text: None)
    assert target.read_bytes() == b"weights"
