"""Checkpoint files, whole, foreign, damaged and malicious."""

from __future__ import annotations

import os
import pickle
import random
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from bdd100k_models.errors import UserError
from bdd100k_models.weights import (
    load_weights,
    read_checkpoint,
    read_file,
    reading,
)


def save(path: Path, content: object, **options: bool) -> Path:
    torch.save(content, path, **options)  # type: ignore[arg-type]
    return path


class TestRead:
    def test_meta_of_old_training_runs(self, tmp_path: Path) -> None:
        meta = {"epoch": np.int64(12), "map": np.float64(0.3), "CLASSES": ["a"], "a": np.zeros(2)}
        path = save(tmp_path / "x.pth", {"state_dict": {"w": torch.ones(2)}, "meta": meta})
        content = read_checkpoint(path)
        assert content["meta"]["epoch"] == 12 and content["meta"]["CLASSES"] == ["a"]
        assert content["state_dict"]["w"].tolist() == [1.0, 1.0]

    @pytest.mark.parametrize(
        "wrap", [lambda s: s, lambda s: {"state_dict": s}, lambda s: {"model": s}]
    )
    @pytest.mark.parametrize("archive", [True, False])
    def test_forms(self, tmp_path: Path, wrap: object, archive: bool) -> None:
        content = wrap({"module.w": torch.ones(1)})  # type: ignore[operator]
        path = save(tmp_path / "x.pth", content, _use_new_zipfile_serialization=archive)
        assert list(read_checkpoint(path)["state_dict"]) == ["w"]

    def test_parameters_come_as_plain_tensors(self, tmp_path: Path) -> None:
        path = save(tmp_path / "x.pth", {"w": nn.Parameter(torch.ones(1))})
        assert not read_checkpoint(path)["state_dict"]["w"].requires_grad

    @pytest.mark.parametrize("archive", [True, False])
    def test_malicious_file_is_not_run(self, tmp_path: Path, archive: bool) -> None:
        class Evil:
            def __reduce__(self) -> tuple[object, tuple[str]]:
                return os.mkdir, (os.fspath(tmp_path / "ran"),)

        content = {"state_dict": {"w": torch.ones(1)}, "meta": Evil()}
        path = save(tmp_path / "x.pth", content, _use_new_zipfile_serialization=archive)
        with pytest.raises(UserError, match=r"is refused: loading it would call \w+\.mkdir"):
            read_checkpoint(path)
        path.write_bytes(pickle.dumps(Evil()))
        with pytest.raises(UserError, match=r"x\.pth is refused"):
            read_checkpoint(path)
        assert not (tmp_path / "ran").exists()

    def test_truncated(self, tmp_path: Path) -> None:
        path = save(tmp_path / "x.pth", {"w": torch.zeros(1000)})
        path.write_bytes(path.read_bytes()[:2000])
        with pytest.raises(UserError, match=r"x\.pth is truncated or damaged \(2000 bytes\)"):
            read_checkpoint(path)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", r"x\.pth is empty \(0 bytes\)"),
            (bytes(3_000_000), r"x\.pth is nothing but zeros \(3000000 bytes\)"),
            (b"\n <!DOCTYPE HTML>\n", r"x\.pth is a web page, no weights"),
            (b"<html>not found</html>", r"x\.pth is a web page, no weights"),
            (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
            (b"\x1f\x8b\x08\x00", "is a gzip archive; unpack it"),
            (b"\x89HDF\r\n\x1a\n", "is an HDF5 file"),
            (b"weights", r"is no file that torch saves weights in \(7 bytes\)"),
            (bytes(600) + b"1", r"is no file that torch saves weights in \(601 bytes\)"),
            (pickle.dumps({"w": [1.0]}), "is refused: .* other pickles can run code"),
        ],
    )
    def test_something_else(self, tmp_path: Path, content: bytes, message: str) -> None:
        path = tmp_path / "x.pth"
        path.write_bytes(content)
        with pytest.raises(UserError, match=message) as caught:
            read_checkpoint(path)
        assert "\n" not in str(caught.value)

    def test_a_zip_archive(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "x.pth", "w") as archive:
            archive.writestr("weights/x.pth", b"")
        with pytest.raises(UserError, match=r"is a zip archive and no checkpoint; unpack it"):
            read_checkpoint(tmp_path / "x.pth")

    @pytest.mark.filterwarnings("ignore")  # torch.jit is on its way out
    def test_torchscript_is_named(self, tmp_path: Path) -> None:
        torch.jit.save(torch.jit.script(nn.Linear(2, 2)), tmp_path / "x.pth")
        with pytest.raises(UserError, match="is a TorchScript program, which holds code") as caught:
            read_checkpoint(tmp_path / "x.pth")
        assert "weights_only" not in str(caught.value)

    def test_no_weights_inside(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="holds no weights: its keys are lr, 3"):
            read_checkpoint(save(tmp_path / "x.pth", {"lr": 0.1, 3: 1}))
        with pytest.raises(UserError, match="holds no weights: its keys are none"):
            read_checkpoint(save(tmp_path / "x.pth", {"state_dict": {}}))
        with pytest.raises(UserError, match="holds a list"):
            read_checkpoint(save(tmp_path / "y.pth", [1]))

    def test_errors_may_call_the_file_by_another_name(self, tmp_path: Path) -> None:
        (tmp_path / "x.part").write_bytes(b"short")
        with pytest.raises(UserError, match=r"^https://a/x\.pth is no file") as caught:
            read_checkpoint(tmp_path / "x.part", "https://a/x.pth")
        assert "x.part" not in str(caught.value)

    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=f"no checkpoint at {tmp_path}"):
            read_checkpoint(tmp_path)


class TestTensors:
    """What a file may hold and a network cannot take."""

    @pytest.mark.parametrize(
        ("key", "shown"),
        [(0, "0"), (("a", 1), r"\('a', 1\)"), (None, "None"), ("a\nb", r"'a\\nb'")],
    )
    def test_keys_that_are_no_names(self, tmp_path: Path, key: object, shown: str) -> None:
        state = {"w": torch.ones(1), key: torch.ones(1)}
        with pytest.raises(UserError, match=rf"no state dict: {shown} is no name of a weight"):
            read_checkpoint(save(tmp_path / "x.pth", {"state_dict": state}))

    @pytest.mark.filterwarnings("ignore")
    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (lambda: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8), "quantised"),
            (lambda: torch.eye(3).to_sparse(), "sparse"),
            (lambda: torch.eye(3).to_sparse_csr(), "sparse"),
            (lambda: torch.ones(2, device="meta"), "a shape and no numbers"),
            (lambda: torch.ones(2, dtype=torch.complex64), "complex"),
        ],
    )
    def test_kinds(self, tmp_path: Path, value: object, message: str) -> None:
        path = save(tmp_path / "x.pth", {"conv.weight": value()})  # type: ignore[operator]
        with pytest.raises(UserError, match=rf"x\.pth is refused: conv\.weight .*{message}"):
            read_checkpoint(path)


class TestSafetensors:
    def test_weights_and_classes(self, tmp_path: Path) -> None:
        from safetensors.torch import save_file

        source, target = nn.BatchNorm2d(4), nn.BatchNorm2d(4)
        nn.init.uniform_(source.weight)
        path = tmp_path / "x.safetensors"
        save_file(source.state_dict(), path, {"CLASSES": '["car", "bus"]', "exp_name": "x.py"})
        meta = load_weights(target, path)
        assert torch.equal(target.weight, source.weight)
        assert target.CLASSES == ("car", "bus") and meta["exp_name"] == "x.py"
        path.rename(tmp_path / "x.pth")
        state = read_checkpoint(tmp_path / "x.pth")["state_dict"]
        assert sorted(state) == sorted(source.state_dict())

    def test_without_metadata(self, tmp_path: Path) -> None:
        from safetensors.torch import save_file

        path = tmp_path / "x.safetensors"
        save_file({"w": torch.ones(1)}, path)
        assert read_checkpoint(path)["meta"] == {}
        save_file({"weight": torch.ones(1), "bias": torch.ones(1)}, path, {"CLASSES": "car"})
        network = nn.GroupNorm(1, 1)
        load_weights(network, path)
        assert not hasattr(network, "CLASSES")

    def test_damaged(self, tmp_path: Path) -> None:
        from safetensors.torch import save_file

        path = tmp_path / "x.safetensors"
        save_file({"w": torch.ones(1000)}, path)
        path.write_bytes(path.read_bytes()[:-10])
        with pytest.raises(UserError, match="is a damaged safetensors file"):
            read_checkpoint(path)

    def test_an_older_torch_reads_them(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from safetensors.torch import save_file

        save_file({"w": torch.ones(1)}, tmp_path / "x.safetensors")
        monkeypatch.setattr(torch, "__version__", "2.9.1")
        assert read_checkpoint(tmp_path / "x.safetensors")["state_dict"]["w"].item() == 1


class TestOldTorch:
    """Its restricted loader has known holes."""

    @pytest.mark.parametrize("version", ["2.4.0", "2.5.1+cpu", "2.9.1", "1.13.0"])
    def test_it_reads_no_pickles(
        self, tmp_path: Path, version: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = save(tmp_path / "x.pth", {"w": torch.ones(1)})
        monkeypatch.delenv(reading.OLD_TORCH_VARIABLE, raising=False)
        monkeypatch.setattr(torch, "__version__", version)
        with pytest.raises(UserError) as caught:
            read_file(path)
        text = str(caught.value)
        assert text.startswith(f"{path} is not read: torch {version} can be made to run code")
        for way in ("torch >= 2.10", "safetensors", f"{reading.OLD_TORCH_VARIABLE}=1"):
            assert way in text

    def test_unless_the_user_says_so(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = save(tmp_path / "x.pth", {"w": torch.ones(1)})
        monkeypatch.setattr(torch, "__version__", "2.9.1")
        monkeypatch.setenv(reading.OLD_TORCH_VARIABLE, "1")
        assert read_file(path)["w"].item() == 1

    @pytest.mark.parametrize("version", ["2.10.0", "2.15.0+cu132", "3.0.0a0+git1"])
    def test_newer_ones_do(
        self, tmp_path: Path, version: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(torch, "__version__", version)
        assert read_file(save(tmp_path / "x.pth", {"w": torch.ones(1)}))["w"].item() == 1


def mutated(content: bytes, chance: random.Random) -> bytes:
    """A file with one fault: bytes changed, zeroed, cut out, doubled, or cut off."""
    data = bytearray(content)
    place = chance.randrange(len(data))
    length = chance.choice([1, 1, 1, 2, 8, 64, 700])
    match chance.randrange(6):
        case 0:
            data[place] ^= 1 << chance.randrange(8)
        case 1:
            data[place : place + length] = chance.randbytes(min(length, len(data) - place))
        case 2:
            data[place : place + length] = bytes(min(length, len(data) - place))
        case 3:
            del data[place : place + length]
        case 4:
            data[place:place] = data[place : place + length]
        case _:
            del data[place:]
    return bytes(data)


class TestMutations:
    """Damaged files load, or are refused in one line: nothing else happens."""

    @pytest.mark.parametrize("rounds", [400, pytest.param(5000, marks=pytest.mark.slow)])
    @pytest.mark.parametrize("kind", ["archive", "pickles", "data.pkl", "safetensors"])
    def test_a_small_checkpoint(self, tmp_path: Path, kind: str, rounds: int) -> None:
        network = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))
        path, chance = tmp_path / "x.pth", random.Random(f"{kind}{rounds}")
        content = {
            "state_dict": network.state_dict(),
            "meta": {"CLASSES": ("car", "bus"), "epoch": np.int64(3), "env": {"a": [1, None, 2.5]}},
        }
        if kind == "safetensors":
            from safetensors.torch import save_file

            save_file(network.state_dict(), path, {"CLASSES": '["car"]'})
        else:
            save(path, content, _use_new_zipfile_serialization=kind != "pickles")
        whole = path.read_bytes()
        refused, started = 0, time.monotonic()
        for _ in range(rounds):
            if kind == "data.pkl":
                rewrite(path, whole, chance)
            else:
                path.write_bytes(mutated(whole, chance))
            try:
                load_weights(network, path, report=lambda text: None)
            except UserError as error:
                refused += 1
                assert "\n" not in str(error), str(error)
                assert "weights_only" not in str(error)
        assert refused > rounds / 4
        assert time.monotonic() - started < max(60, rounds / 10)


def rewrite(path: Path, whole: bytes, chance: random.Random) -> None:
    """The archive with a mutated pickle inside, its checksums right."""
    path.write_bytes(whole)
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, mutated(data, chance) if name.endswith("data.pkl") else data)
