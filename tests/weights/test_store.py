"""Where a checkpoint is looked for, and what gets into the store."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from mmcv import Config

from bdd100k_models.errors import UserError
from bdd100k_models.weights import (
    MIRRORS_VARIABLE,
    PUBLIC,
    add_to_store,
    find_checkpoint,
    find_public,
    find_published,
    md5,
    store,
    stored_public,
    transfer,
)
from bdd100k_models.zoo.catalogue import PublishedModel, find
from bdd100k_models.zoo.public import digits_of

if TYPE_CHECKING:
    from tests.loopback import Server

NAME = "faster_rcnn_r50_fpn_1x_det_bdd100k"
ON_SERVER = f"det/models/{NAME}.pth"


def checkpoint(path: Path, value: float = 1.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": {"w": torch.full((3,), value)}}, path)
    return path


@pytest.fixture
def model() -> PublishedModel:
    """A published model that no server is asked for."""
    return replace(find(NAME), md5=None)


class TestFind:
    def test_given_file_comes_first(self, tmp_path: Path) -> None:
        given, other = tmp_path / "given.pth", tmp_path / "other.pth"
        given.touch()
        other.touch()
        cfg = Config(dict(load_from=os.fspath(other)))
        assert find_checkpoint(cfg, "det", given) == given
        assert find_checkpoint(cfg, "det") == other

    @pytest.mark.parametrize("given", ["/nowhere/x.pth", "http://[not/an/address.pth"])
    def test_given_file_is_not_there(self, given: str) -> None:
        with pytest.raises(UserError, match=r"^no checkpoint at /nowhere|^no checkpoint at http"):
            find_checkpoint(Config(), "det", given)

    def test_given_file_is_compared_with_the_md5_beside_it(self, tmp_path: Path) -> None:
        given = checkpoint(tmp_path / "given.pth")
        given.with_suffix(".md5").write_text(md5(given))
        assert find_checkpoint(Config(), "det", given) == given
        given.with_suffix(".md5").write_text("0" * 32)
        with pytest.raises(UserError, match=r"given\.pth is damaged or another file"):
            find_checkpoint(Config(), "det", given)

    def test_given_address(self, server: Server, tmp_path: Path, own_store: Path) -> None:
        server.put("x.pth", checkpoint(tmp_path / "x.pth").read_bytes(), md5=None)
        found = find_checkpoint(Config(), "det", f"{server.url}/x.pth")
        assert found.parent == own_store / "urls" and found.name.endswith("-x.pth")
        assert find_checkpoint(Config(), "det", f"{server.url}/x.pth") == found
        assert len(server.asked()) == 1

    def test_store_before_mirror(
        self,
        own_store: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        model: PublishedModel,
    ) -> None:
        for root in (own_store, tmp_path / "mirror"):
            checkpoint(root / ON_SERVER)
        monkeypatch.setenv(MIRRORS_VARIABLE, os.fspath(tmp_path / "mirror"))
        assert find_published(model) == own_store / ON_SERVER
        (own_store / ON_SERVER).unlink()
        assert find_published(model) == tmp_path / "mirror" / ON_SERVER

    def test_the_catalogues_md5_counts_in_store_and_mirror(
        self,
        own_store: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        model: PublishedModel,
    ) -> None:
        monkeypatch.setenv(MIRRORS_VARIABLE, os.fspath(tmp_path / "mirror"))
        other = replace(model, md5="0" * 32)
        in_mirror = checkpoint(tmp_path / "mirror" / ON_SERVER)
        with pytest.raises(UserError, match=f"mirror.*the catalogue says {'0' * 32}"):
            find_published(other)
        checkpoint(own_store / ON_SERVER)
        with pytest.raises(UserError, match=f"store.*the catalogue says {'0' * 32}"):
            find_published(other)
        (own_store / ON_SERVER).unlink()
        assert find_published(replace(model, md5=md5(in_mirror))) == in_mirror

    def test_nowhere_tells_the_ways_that_work(
        self, monkeypatch: pytest.MonkeyPatch, model: PublishedModel
    ) -> None:
        silent = "http://127.0.0.1:9"
        monkeypatch.setattr(store, "PUBLISHED_BASE", silent)
        monkeypatch.setenv(MIRRORS_VARIABLE, "/no/mirror")
        with pytest.raises(UserError) as caught:
            find_published(replace(model, weights=f"{silent}/{ON_SERVER}"))
        text = str(caught.value)
        assert "/no/mirror/" in text and "no answer" in text and "March 2026" in text
        for way in ("--checkpoint", "put the file at", MIRRORS_VARIABLE, "tools/train"):
            assert way in text
        assert "\n" not in text

    def test_own_config_has_nothing_to_look_up(self, tmp_path: Path) -> None:
        path = tmp_path / f"{NAME}.py"
        path.write_text("model = None\n")
        with pytest.raises(UserError, match="not a published config"):
            find_checkpoint(Config.fromfile(os.fspath(path)), "det")

    def test_stored_file_that_was_damaged_later(
        self, own_store: Path, model: PublishedModel
    ) -> None:
        stored = checkpoint(own_store / ON_SERVER)
        stored.with_suffix(".md5").write_text("f" * 32)
        with pytest.raises(UserError, match=r"is damaged.*: its MD5 is .* remove it"):
            find_published(model)
        assert stored.is_file()


class TestFetched:
    """What a mirror sends is read by the restricted loader before it is stored."""

    @pytest.fixture(autouse=True)
    def mirror(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(MIRRORS_VARIABLE, server.url)
        monkeypatch.setattr(transfer.time, "sleep", lambda seconds: None)
        monkeypatch.setattr(store, "published_places", _mirrors_alone)

    def test_a_checkpoint_is_stored(
        self, server: Server, own_store: Path, tmp_path: Path, model: PublishedModel
    ) -> None:
        server.put(ON_SERVER, checkpoint(tmp_path / "x.pth").read_bytes())
        assert find_published(model) == own_store / ON_SERVER
        assert find_published(model) == own_store / ON_SERVER
        assert len(server.asked()) == 1

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "is empty"),
            (b"<!DOCTYPE html><p>log in", "is a web page"),
            (b"short", "is no file that torch saves weights in"),
            (bytes(100), "is nothing but zeros"),
        ],
    )
    def test_something_else_is_not(
        self,
        server: Server,
        own_store: Path,
        model: PublishedModel,
        content: bytes,
        message: str,
    ) -> None:
        server.put(ON_SERVER, content, md5=None)
        with pytest.raises(UserError, match=rf"no weights for {NAME}: .*{server.url}.* {message}"):
            find_published(model)
        assert not [path for path in own_store.rglob("*") if path.is_file()]

    def test_a_body_that_ends_early_without_a_length_is_not(
        self, server: Server, own_store: Path, tmp_path: Path, model: PublishedModel
    ) -> None:
        content = checkpoint(tmp_path / "x.pth").read_bytes()
        server.put(ON_SERVER, content[:-100], md5=None)
        server.headers = {"Content-Length": None, "Connection": "close"}
        with pytest.raises(UserError, match="is truncated or damaged"):
            find_published(model)
        assert not (own_store / ON_SERVER).exists()

    def test_the_next_mirror_is_asked(
        self,
        server: Server,
        tmp_path: Path,
        model: PublishedModel,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        server.put(f"a/{ON_SERVER}", b"<html>", md5=None)
        server.put(f"b/{ON_SERVER}", checkpoint(tmp_path / "x.pth").read_bytes(), md5="0" * 32)
        server.put(f"c/{ON_SERVER}", checkpoint(tmp_path / "x.pth").read_bytes())
        monkeypatch.setenv(MIRRORS_VARIABLE, " ".join(f"{server.url}/{m}" for m in "abc"))
        assert find_published(model).is_file()
        assert len(server.asked()) == 3


def _mirrors_alone(model: PublishedModel) -> list[str]:
    return [f"{base}/{ON_SERVER}" for base in store.mirrors()]


class TestAdd:
    def test_a_copy_with_its_md5(
        self, tmp_path: Path, own_store: Path, model: PublishedModel
    ) -> None:
        source = checkpoint(tmp_path / "mine.pth")
        stored = add_to_store(source, model)
        assert stored == own_store / ON_SERVER
        assert stored.read_bytes() == source.read_bytes()
        assert stored.with_suffix(".md5").read_text().strip() == md5(source)

    def test_no_weights_are_not_added(
        self, tmp_path: Path, own_store: Path, model: PublishedModel
    ) -> None:
        (tmp_path / "mine.pth").write_bytes(b"<html>")
        with pytest.raises(UserError, match=r"mine\.pth is a web page"):
            add_to_store(tmp_path / "mine.pth", model)
        with pytest.raises(UserError, match="no checkpoint at"):
            add_to_store(tmp_path / "none.pth", model)
        assert not own_store.exists()

    def test_another_file_than_the_published_one_is_not_added(
        self, tmp_path: Path, own_store: Path, model: PublishedModel
    ) -> None:
        with pytest.raises(UserError, match="the catalogue says"):
            add_to_store(checkpoint(tmp_path / "mine.pth"), replace(model, md5="0" * 32))
        assert not own_store.exists()

    def test_a_store_that_cannot_be_written(
        self, tmp_path: Path, model: PublishedModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "file").touch()
        monkeypatch.setenv(store.STORE_VARIABLE, os.fspath(tmp_path / "file"))
        with pytest.raises(UserError, match=f"cannot write .*; set {store.STORE_VARIABLE}"):
            add_to_store(checkpoint(tmp_path / "mine.pth"), model)


class TestPublic:
    """Weights of others, which have a place of their own."""

    @pytest.fixture(autouse=True)
    def no_torch_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.hub, "get_dir", lambda: os.fspath(tmp_path / "hub"))
        monkeypatch.setattr(transfer.time, "sleep", lambda seconds: None)

    @staticmethod
    def served(server: Server, tmp_path: Path, *hosts: str) -> tuple[PublishedModel, bytes]:
        """The model, with a source of small weights under each of the ``hosts`` (``{url}``)."""
        torch.save({"state_dict": {"w": torch.ones(1 << 16)}}, tmp_path / "source.pth")
        content = (tmp_path / "source.pth").read_bytes()
        name = f"some_20200101-{hashlib.sha256(content).hexdigest()[:8]}.pth"
        server.put(f"a/{name}", content, md5=None)
        urls = tuple(f"{host.format(url=server.url)}/{name}" for host in hosts)
        found = find(NAME)
        assert found.public is not None
        source = replace(found.public, urls=urls, sha256=digits_of(name))
        return replace(found, public=source), content

    def test_comes_from_its_host_into_its_own_folder(
        self, server: Server, own_store: Path, tmp_path: Path
    ) -> None:
        model, content = self.served(server, tmp_path, "{url}/a")
        assert model.public is not None
        said: list[str] = []
        path = find_public(model, said.append)
        assert path == own_store / "public" / model.public.filename
        assert path.read_bytes() == content
        assert find_public(model, said.append) == path and len(said) == 1
        assert not any("md5" in request["path"] for request in server.requests)
        assert not (own_store / ON_SERVER).exists()

    def test_the_next_host_is_asked_where_one_is_down_or_sends_another_file(
        self, server: Server, own_store: Path, tmp_path: Path
    ) -> None:
        model, content = self.served(server, tmp_path, "http://127.0.0.1:9", "{url}/b", "{url}/a")
        assert model.public is not None
        other = checkpoint(tmp_path / "other.pth", 2.0).read_bytes()
        server.put(f"b/{model.public.filename}", other, md5=None)
        assert find_public(model).read_bytes() == content

    def test_a_transfer_that_broke_goes_on(
        self, server: Server, own_store: Path, tmp_path: Path
    ) -> None:
        model, content = self.served(server, tmp_path, "{url}/a")
        server.cut = 1 << 17
        assert find_public(model).read_bytes() == content
        assert [r.get("Range") for r in server.asked()] == [None, "bytes=131072-"]

    def test_a_mirror_and_what_torch_has_come_first(
        self, server: Server, own_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model, content = self.served(server, tmp_path, "http://127.0.0.1:9")
        assert model.public is not None
        mirror, hub = tmp_path / "mirror" / "public", tmp_path / "hub" / "checkpoints"
        for folder in (mirror, hub):
            folder.mkdir(parents=True)
            (folder / model.public.filename).write_bytes(content)
        monkeypatch.setenv(MIRRORS_VARIABLE, os.fspath(tmp_path / "mirror"))
        assert find_public(model).parent == hub
        (hub / model.public.filename).unlink()
        assert find_public(model).parent == mirror

    def test_nowhere_tells_the_ways_that_work(self, server: Server, tmp_path: Path) -> None:
        model, _ = self.served(server, tmp_path, "http://127.0.0.1:9", "{url}/b")
        with pytest.raises(UserError) as caught:
            find_public(model)
        text = str(caught.value)
        assert "no answer from the server" in text and "answered 404" in text
        for way in (
            "belongs to others",
            "--public --from FILE",
            MIRRORS_VARIABLE,
            "--checkpoint FILE",
        ):
            assert way in text
        assert "\n" not in text

    def test_another_file_under_the_name_is_refused(
        self, server: Server, own_store: Path, tmp_path: Path
    ) -> None:
        model, _ = self.served(server, tmp_path, "{url}/b")
        assert model.public is not None
        other = checkpoint(tmp_path / "other.pth", 2.0).read_bytes()
        server.put(f"b/{model.public.filename}", other, md5=None)
        with pytest.raises(UserError, match=r"no public weights .*SHA-256 begins with .*, not wi"):
            find_public(model)
        checkpoint(own_store / "public" / model.public.filename, 2.0)
        with pytest.raises(UserError, match=r"store/public/.* is damaged or another file"):
            find_public(model)

    def test_a_name_without_a_hash_gets_one_of_its_address(self) -> None:
        source = find("resnet18_4x_weather_tag_bdd100k").public
        assert source is not None and source.filename == "best.pt"
        other = find("resnet18_4x_scene_tag_bdd100k").public
        assert other is not None and stored_public(source) != stored_public(other)

    def test_only_published_configs_have_some(self, tmp_path: Path) -> None:
        path = tmp_path / f"{NAME}.py"
        path.write_text("model = None\n")
        with pytest.raises(UserError, match="not a published config, so no public weights"):
            find_checkpoint(Config.fromfile(os.fspath(path)), "det", PUBLIC)

    def test_published_ones_that_are_nowhere_name_them(
        self, monkeypatch: pytest.MonkeyPatch, model: PublishedModel
    ) -> None:
        silent = "http://127.0.0.1:9"
        monkeypatch.setattr(store, "PUBLISHED_BASE", silent)
        lost = replace(model, weights=f"{silent}/{ON_SERVER}")
        with pytest.raises(
            UserError, match=r"--checkpoint public \(MMDetection's weights, trained"
        ):
            find_published(lost)
        assert lost.public is not None
        backbone = replace(lost, public=replace(lost.public, fit="backbone"))
        with pytest.raises(UserError, match=r"Ways that work: --checkpoint FILE"):
            find_published(backbone)
