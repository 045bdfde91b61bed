"""Weights: found, downloaded from a real server, verified, loaded without running anything."""

import hashlib
import multiprocessing
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from mmcv import Config
from torch import nn

from bdd100k_models.errors import UserError
from bdd100k_models.weights import store as checkpoint
from bdd100k_models.zoo.catalogue import find

NAME = "faster_rcnn_r50_fpn_1x_det_bdd100k"
ON_SERVER = f"det/models/{NAME}.pth"


class RangeHandler(SimpleHTTPRequestHandler):
    """Files with byte ranges; ``cut`` bodies end early, as when a connection breaks."""

    requests: list[tuple[str, str | None]]
    cut: int = 0

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        type(self).requests.append((self.path, wanted))
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        body = path.read_bytes()
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if wanted and start >= len(body):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(body)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        part = body[start:]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        if type(self).cut and path.suffix == ".pth":
            part = part[: type(self).cut]
            type(self).cut = 0
        self.wfile.write(part)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path, type[RangeHandler]]]:
    root = tmp_path / "server"
    root.mkdir()
    handler = type("Handler", (RangeHandler,), {"requests": [], "cut": 0})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(root))) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}", root, handler
        httpd.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    store = tmp_path / "store"
    monkeypatch.setenv(checkpoint.STORE_VARIABLE, os.fspath(store))
    monkeypatch.delenv(checkpoint.MIRRORS_VARIABLE, raising=False)
    return store


def publish(root: Path, content: bytes, md5: str | None = None) -> None:
    path = root / ON_SERVER
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    digest = md5 or hashlib.md5(content).hexdigest()
    path.with_suffix(".md5").write_text(f"{digest}  {path.name}\n")


def small_model() -> nn.Module:
    return nn.Sequential(OrderedDict(conv=nn.Conv2d(3, 4, 3), bn=nn.BatchNorm2d(4)))


def save(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


class TestFind:
    def test_given_file_comes_first(self, tmp_path: Path) -> None:
        given, other = tmp_path / "given.pth", tmp_path / "other.pth"
        given.touch()
        other.touch()
        cfg = Config(dict(load_from=os.fspath(other)))
        assert checkpoint.find_checkpoint(cfg, "det", given) == given
        assert checkpoint.find_checkpoint(cfg, "det") == other

    def test_given_file_is_not_there(self) -> None:
        with pytest.raises(UserError, match=r"^no checkpoint at /nowhere/x\.pth$"):
            checkpoint.find_checkpoint(Config(), "det", "/nowhere/x.pth")

    def test_store_before_mirror(
        self, own_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for root in (own_store, tmp_path / "mirror"):
            (root / ON_SERVER).parent.mkdir(parents=True)
            (root / ON_SERVER).write_bytes(b"x")
        monkeypatch.setenv(checkpoint.MIRRORS_VARIABLE, os.fspath(tmp_path / "mirror"))
        assert checkpoint.find_published(find(NAME)) == own_store / ON_SERVER
        (own_store / ON_SERVER).unlink()
        assert checkpoint.find_published(find(NAME)) == tmp_path / "mirror" / ON_SERVER

    def test_nowhere_tells_the_ways_that_work(self, monkeypatch: pytest.MonkeyPatch) -> None:
        silent = "http://127.0.0.1:9"
        monkeypatch.setattr(checkpoint, "PUBLISHED_BASE", silent)
        monkeypatch.setenv(checkpoint.MIRRORS_VARIABLE, "/no/mirror")
        with pytest.raises(UserError) as caught:
            checkpoint.find_published(replace(find(NAME), weights=f"{silent}/{ON_SERVER}"))
        text = str(caught.value)
        assert "/no/mirror/" in text and "no answer" in text and "March 2026" in text
        for way in ("--checkpoint", "put the file at", checkpoint.MIRRORS_VARIABLE, "tools/train"):
            assert way in text
        assert "\n" not in text

    def test_own_config_has_nothing_to_look_up(self, tmp_path: Path) -> None:
        path = tmp_path / f"{NAME}.py"
        path.write_text("model = None\n")
        with pytest.raises(UserError, match="not a published config"):
            checkpoint.find_checkpoint(Config.fromfile(os.fspath(path)), "det")


class TestFetch:
    def test_download_is_verified_and_kept(
        self,
        server: tuple[str, Path, type[RangeHandler]],
        own_store: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        url, root, handler = server
        publish(root, b"weights" * 1000)
        monkeypatch.setenv(checkpoint.MIRRORS_VARIABLE, url)
        found = checkpoint.find_published(find(NAME))
        assert found == own_store / ON_SERVER
        assert found.read_bytes() == b"weights" * 1000
        asked = len(handler.requests)
        assert checkpoint.find_published(find(NAME)) == found
        assert len(handler.requests) == asked

    def test_goes_on_where_it_stopped(
        self, server: tuple[str, Path, type[RangeHandler]], own_store: Path
    ) -> None:
        url, root, handler = server
        content = os.urandom(300_000)
        publish(root, content)
        handler.cut = 200_000
        target = checkpoint.fetch(f"{url}/{ON_SERVER}", own_store / "x.pth")
        assert target.read_bytes() == content
        assert [r for p, r in handler.requests if p.endswith(".pth")] == [
            None,
            f"bytes={3 * 65536}-",  # whole pieces are kept
        ]
        assert not list(own_store.glob("*.part"))

    def test_damaged_download_is_refused(
        self, server: tuple[str, Path, type[RangeHandler]], own_store: Path
    ) -> None:
        url, root, _ = server
        publish(root, b"other", md5="0" * 32)
        with pytest.raises(UserError, match="is damaged: its MD5 is"):
            checkpoint.fetch(f"{url}/{ON_SERVER}", own_store / "x.pth")
        assert not list(own_store.iterdir())

    def test_one_of_several_processes_downloads(
        self, server: tuple[str, Path, type[RangeHandler]], own_store: Path
    ) -> None:
        url, root, handler = server
        content = os.urandom(3_000_000)
        publish(root, content)
        target = own_store / "x.pth"
        context = multiprocessing.get_context("spawn")
        arguments = (f"{url}/{ON_SERVER}", target)
        processes = [context.Process(target=checkpoint.fetch, args=arguments) for _ in range(3)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(60)
        assert [process.exitcode for process in processes] == [0, 0, 0]
        assert target.read_bytes() == content
        assert len([path for path, _ in handler.requests if path.endswith(".pth")]) == 1
        assert not list(own_store.glob("*.part"))

    def test_a_store_that_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(UserError, match=r"cannot write .*x\.pth: .*BDD100K_MODELS_HOME"):
            checkpoint.fetch("http://localhost:9/x.pth", tmp_path / "file" / "x.pth")

    def test_missing_on_the_server(
        self, server: tuple[str, Path, type[RangeHandler]], own_store: Path
    ) -> None:
        with pytest.raises(checkpoint.NotFoundError, match="answered 404"):
            checkpoint.fetch(f"{server[0]}/none.pth", own_store / "x.pth")

    def test_stored_file_that_was_damaged_later(self, own_store: Path) -> None:
        stored = own_store / ON_SERVER
        stored.parent.mkdir(parents=True)
        stored.write_bytes(b"half")
        stored.with_suffix(".md5").write_text("f" * 32)
        with pytest.raises(UserError, match=r"is damaged: its MD5 is .* remove the file"):
            checkpoint.find_published(find(NAME))


class TestRead:
    def test_meta_of_old_training_runs(self, tmp_path: Path) -> None:
        meta = {"epoch": np.int64(12), "map": np.float64(0.3), "CLASSES": ["a"], "a": np.zeros(2)}
        path = save(tmp_path / "x.pth", {"state_dict": {"w": torch.ones(2)}, "meta": meta})
        content = checkpoint.read_checkpoint(path)
        assert content["meta"]["epoch"] == 12 and content["meta"]["CLASSES"] == ["a"]
        assert content["state_dict"]["w"].tolist() == [1.0, 1.0]

    @pytest.mark.parametrize(
        "wrap", [lambda s: s, lambda s: {"state_dict": s}, lambda s: {"model": s}]
    )
    def test_forms(self, tmp_path: Path, wrap: object) -> None:
        path = save(tmp_path / "x.pth", wrap({"module.w": torch.ones(1)}))  # type: ignore[operator]
        assert list(checkpoint.read_checkpoint(path)["state_dict"]) == ["w"]

    def test_malicious_file_is_not_run(self, tmp_path: Path) -> None:
        class Evil:
            def __reduce__(self) -> tuple[object, tuple[str]]:
                return os.mkdir, (os.fspath(tmp_path / "ran"),)

        path = save(tmp_path / "x.pth", {"state_dict": {"w": torch.ones(1)}, "meta": Evil()})
        with pytest.raises(UserError, match=r"is refused: loading it would call \w+\.mkdir"):
            checkpoint.read_checkpoint(path)
        assert not (tmp_path / "ran").exists()

    def test_truncated(self, tmp_path: Path) -> None:
        path = save(tmp_path / "x.pth", {"w": torch.zeros(1000)})
        path.write_bytes(path.read_bytes()[:2000])
        with pytest.raises(UserError, match=r"x\.pth is (truncated|no checkpoint).*2000 bytes"):
            checkpoint.read_checkpoint(path)

    @pytest.mark.parametrize("content", [b"", b"<html>not found</html>"])
    def test_something_else(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "x.pth"
        path.write_bytes(content)
        with pytest.raises(UserError, match=rf"x\.pth is .*{len(content)} bytes"):
            checkpoint.read_checkpoint(path)

    def test_no_weights_inside(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="holds no weights: its keys are lr"):
            checkpoint.read_checkpoint(save(tmp_path / "x.pth", {"lr": 0.1}))
        with pytest.raises(UserError, match="holds a list"):
            checkpoint.read_checkpoint(save(tmp_path / "y.pth", [1]))


class TestFit:
    def test_loads_and_takes_classes(self, tmp_path: Path) -> None:
        source, target = small_model(), small_model()
        content = {"state_dict": source.state_dict(), "meta": {"CLASSES": ("x", "y")}}
        said: list[str] = []
        checkpoint.load_weights(target, save(tmp_path / "x.pth", content), report=said.append)
        assert torch.equal(target.conv.weight, source.conv.weight)
        assert target.CLASSES == ("x", "y")
        assert said == []

    def test_known_differences_are_a_note(self, tmp_path: Path) -> None:
        state = small_model().state_dict()
        state["stage.attn_mask"] = torch.zeros(2)
        state["backbone.relative_position_index"] = torch.zeros(2)
        said: list[str] = []
        checkpoint.load_weights(small_model(), save(tmp_path / "x.pth", state), report=said.append)
        assert len(said) == 2
        assert any("stage.attn_mask" in line and "harmless" in line for line in said)

    def test_another_model(self, tmp_path: Path) -> None:
        state = small_model().state_dict()
        state["head.weight"] = state.pop("conv.weight")
        state["bn.weight"] = torch.zeros(5)
        with pytest.raises(UserError) as caught:
            checkpoint.load_weights(small_model(), save(tmp_path / "x.pth", state))
        text = str(caught.value)
        assert "does not fit this model" in text
        assert "1 of 7 weights missing: conv.weight" in text
        assert "1 of 7 weights unexpected: head.weight" in text
        assert "bn.weight (5,) instead of (4,)" in text

    def test_missing_running_mean_is_an_error(self, tmp_path: Path) -> None:
        state = small_model().state_dict()
        del state["bn.running_mean"]
        with pytest.raises(UserError, match=r"missing: bn\.running_mean"):
            checkpoint.load_weights(small_model(), save(tmp_path / "x.pth", state))
