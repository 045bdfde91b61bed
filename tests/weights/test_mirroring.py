"""A folder filled from a server, and used as a mirror; and what servers say of their files."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from bdd100k_models import weights
from bdd100k_models.cli import download
from bdd100k_models.errors import UserError
from bdd100k_models.weights import mirroring
from bdd100k_models.weights.availability import ask, wanted_files
from bdd100k_models.zoo import catalogue
from bdd100k_models.zoo.catalogue import PublishedModel
from tests.loopback import Server

NAMES = ("faster_rcnn_r50_fpn_1x_det_bdd100k", "faster_rcnn_r50_fpn_3x_det_bdd100k")


def checkpoint(value: float) -> bytes:
    buffer = io.BytesIO()
    torch.save({"state_dict": {"w": torch.full((1,), value)}}, buffer)
    return buffer.getvalue()


@pytest.fixture
def models(server: Server, monkeypatch: pytest.MonkeyPatch) -> list[PublishedModel]:
    """Two models whose public source, the same file, and published server is the loopback one."""
    content = checkpoint(2.0)
    digits = hashlib.sha256(content).hexdigest()[:8]
    server.put(f"host/source-{digits}.pth", content, md5=None)
    made = []
    for name in NAMES:
        model = catalogue.find(name)
        assert model.public is not None
        assert model.weights is not None
        url = f"{server.url}/host/source-{digits}.pth"
        public = replace(model.public, urls=(url,), sha256=digits)
        path = model.weights.removeprefix(catalogue.SERVER)
        made.append(replace(model, public=public, weights=f"{server.url}/zoo{path}", md5=None))
    by_name = {model.name: model for model in made}
    monkeypatch.setattr("bdd100k_models.weights.store.PUBLISHED_BASE", f"{server.url}/zoo")
    monkeypatch.setattr("bdd100k_models.zoo.catalogue.find", by_name.__getitem__)
    monkeypatch.setattr(
        "bdd100k_models.zoo.catalogue.select", lambda patterns, task: [by_name[n] for n in patterns]
    )
    return made


def published(name: str) -> str:
    return f"det/models/{name}.pth"


def test_a_mirror_is_filled_checked_and_used(
    models: list[PublishedModel],
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server.put("zoo/" + published(NAMES[0]), checkpoint(1.0))
    folder = tmp_path / "mirror"
    assert download.main([*NAMES, "--mirror", os.fspath(folder)]) == 1
    output = capsys.readouterr().out
    assert f"missing: published weights {NAMES[1]}.pth: " in output
    assert "answers 404" in output
    assert "2 files new, 0 there before, 1 nowhere to be had" in output
    source = models[0].public
    assert source is not None
    files = [published(NAMES[0]), f"public/{source.filename}"]
    sums = (folder / mirroring.SUMS).read_text().splitlines()
    for line, name in zip(sums, files, strict=True):
        content = (folder / name).read_bytes()
        assert line == f"{hashlib.sha256(content).hexdigest()}  {name}"
        digest = (folder / name).with_suffix(".md5").read_text().split()[0]
        assert digest == hashlib.md5(content).hexdigest()

    # Another machine, with nothing but the mirror.
    monkeypatch.setenv(weights.STORE_VARIABLE, os.fspath(tmp_path / "other"))
    (server.root / "zoo" / published(NAMES[0])).unlink()
    (server.root / "host" / source.filename).unlink()
    for base in (os.fspath(folder), server.url + "/mirror"):
        monkeypatch.setenv(weights.MIRRORS_VARIABLE, base)
        (server.root / "mirror").symlink_to(folder) if base != os.fspath(folder) else None
        for find, name in ((weights.find_published, files[0]), (weights.find_public, files[1])):
            found = find(models[0], lambda text: None)
            assert found.read_bytes() == (folder / name).read_bytes()

    # What is there and whole stays; what is damaged is put there anew.
    kept, damaged = folder / files[0], folder / files[1]
    before = kept.stat().st_mtime_ns
    damaged.write_bytes(b"x")
    monkeypatch.delenv(weights.MIRRORS_VARIABLE)
    monkeypatch.setenv(weights.STORE_VARIABLE, os.fspath(tmp_path / "store"))
    assert download.main([NAMES[0], "--mirror", os.fspath(folder)]) == 0
    assert "1 files new, 1 there before, 0 nowhere" in capsys.readouterr().out
    assert kept.stat().st_mtime_ns == before
    assert hashlib.sha256(damaged.read_bytes()).hexdigest().startswith(source.sha256 or "?")


def test_the_store_is_no_mirror(models: list[PublishedModel], own_store: Path) -> None:
    with pytest.raises(UserError, match="is the store itself"):
        download.main([NAMES[0], "--mirror", os.fspath(own_store)])


def test_a_mirror_that_cannot_be_written(models: list[PublishedModel], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="--mirror: cannot write"):
        download.main([NAMES[0], "--mirror", os.fspath(tmp_path / "file" / "below")])


def test_each_file_is_wanted_once(models: list[PublishedModel]) -> None:
    files = wanted_files(models)
    assert [(file.kind, len(file.models)) for file in files] == [
        ("published", 1),
        ("public", 2),
        ("published", 1),
    ]


def test_places_are_asked(
    models: list[PublishedModel], server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.put("zoo/" + published(NAMES[0]), checkpoint(1.0))
    assert download.main([*NAMES, "--check"]) == 0
    lines = capsys.readouterr().out.splitlines()
    host = server.url.removeprefix("http://")
    told = {line.split()[-1].removeprefix(server.url): line for line in lines[1:4]}
    assert told["/zoo/" + published(NAMES[0])].startswith("answers ")
    assert told["/zoo/" + published(NAMES[1])].startswith("answers 404 ")
    assert " MiB public    -      " in told["/host/" + str(models[0].public.filename)]  # type: ignore[union-attr]
    assert lines[4:] == [
        f"{host}: 2 of 3 files answer",
        "2 of 2 models have weights in the store or somewhere",
    ]
    assert [request["path"] for request in server.requests] == []  # nobody fetched anything


def test_a_model_without_weights_anywhere(
    models: list[PublishedModel], server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (server.root / "host").iterdir():
        path.unlink()
    assert download.main([NAMES[0], "--check"]) == 1
    assert "0 of 1 models have weights" in capsys.readouterr().out


def test_a_host_that_is_gone_is_asked_once(
    models: list[PublishedModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    import requests

    asked = []

    def head(url: str, **_: object) -> None:
        asked.append(url)
        raise requests.exceptions.ConnectionError("NameResolutionError")

    monkeypatch.setattr("requests.head", head)
    monkeypatch.setattr("bdd100k_models.weights.availability._AT_ONCE", 1)
    answers = [answer for _, told in ask(wanted_files(models)) for answer in told]
    assert {answer.reason for answer in answers} == {"no such host"}
    assert len(asked) == 1


class OnlyParts(BaseHTTPRequestHandler):
    """A host that refuses to tell the head alone, and one file of which is a web page."""

    def do_HEAD(self) -> None:
        self.send_error(403)

    def do_GET(self) -> None:
        page = self.path.startswith("/zoo")
        self.send_response(200 if page else 206)
        self.send_header("Content-Type", "text/html" if page else "application/octet-stream")
        if not page:
            self.send_header("Content-Range", "bytes 0-0/1048576")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_hosts_that_only_send_files(models: list[PublishedModel]) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), OnlyParts) as httpd:
        threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{httpd.server_port}"
        files = wanted_files(models[:1])
        files = [
            replace(file, places=(f"{url}/{'zoo' if file.kind == 'published' else 'x'}/a.pth",))
            for file in files
        ]
        told = [answers[0] for _, answers in ask(files)]
        httpd.shutdown()
    assert [(answer.found, answer.reason) for answer in told] == [
        (False, "a web page"),
        (True, "answers"),
    ]
    assert told[1].size == 1 << 20
