"""State dicts put into networks, whole and in part, and numbers that are none."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch import nn

from bdd100k_models.errors import UserError
from bdd100k_models.weights import check_values, fit_weights, load_weights, start_from


def small_model(classes: int = 4) -> nn.Module:
    return nn.Sequential(OrderedDict(conv=nn.Conv2d(3, classes, 3), bn=nn.BatchNorm2d(4)))


def save(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def test_loads_and_takes_classes(tmp_path: Path) -> None:
    source, target = small_model(), small_model()
    content = {"state_dict": source.state_dict(), "meta": {"CLASSES": ("x", "y")}}
    said: list[str] = []
    load_weights(target, save(tmp_path / "x.pth", content), report=said.append)
    assert torch.equal(target.conv.weight, source.conv.weight)
    assert target.CLASSES == ("x", "y")
    assert said == []


def test_known_differences_are_a_note(tmp_path: Path) -> None:
    state = small_model().state_dict()
    state["stage.attn_mask"] = torch.zeros(2)
    state["backbone.relative_position_index"] = torch.zeros(2)
    said: list[str] = []
    load_weights(small_model(), save(tmp_path / "x.pth", state), report=said.append)
    assert len(said) == 2
    assert any("stage.attn_mask" in line and "harmless" in line for line in said)


def test_another_model(tmp_path: Path) -> None:
    state = small_model().state_dict()
    state["head.weight"] = state.pop("conv.weight")
    state["bn.weight"] = torch.zeros(5)
    with pytest.raises(UserError) as caught:
        load_weights(small_model(), save(tmp_path / "x.pth", state))
    text = str(caught.value)
    assert "does not fit this model" in text
    assert "1 of 7 weights missing: conv.weight" in text
    assert "1 of 7 weights unexpected: head.weight" in text
    assert "bn.weight (5,) instead of (4,)" in text


def test_missing_running_mean_is_an_error(tmp_path: Path) -> None:
    state = small_model().state_dict()
    del state["bn.running_mean"]
    with pytest.raises(UserError, match=r"missing: bn\.running_mean"):
        load_weights(small_model(), save(tmp_path / "x.pth", state))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64])
def test_numbers_that_are_none_are_named(tmp_path: Path, value: float, dtype: torch.dtype) -> None:
    state = {key: v.to(dtype) if v.is_floating_point() else v for key, v in bad_free().items()}
    state["bn.bias"][2] = value
    state["bn.running_var"][:] = value
    model = small_model()
    before = model.conv.weight.clone()
    path = save(tmp_path / "x.pth", state)
    with pytest.raises(
        UserError, match=r"x\.pth is refused: bn\.bias holds NaN or infinity in 1 of 4 values"
    ):
        load_weights(model, path)
    assert torch.equal(model.conv.weight, before)


def bad_free() -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in small_model().state_dict().items()}


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool])
def test_integers_in_the_place_of_weights_are_named(tmp_path: Path, dtype: torch.dtype) -> None:
    state = bad_free()
    state["conv.weight"] = state["conv.weight"].to(dtype)
    kind = str(dtype).removeprefix("torch.")
    with pytest.raises(UserError, match=rf"refused: conv\.weight holds {kind} where a network has"):
        load_weights(small_model(), save(tmp_path / "x.pth", state))


def test_numbers_of_half_the_size_are_taken(tmp_path: Path) -> None:
    state = {k: v.bfloat16() if v.is_floating_point() else v for k, v in bad_free().items()}
    model = small_model()
    load_weights(model, save(tmp_path / "x.pth", state))
    assert model.conv.weight.dtype == torch.float32


def test_what_a_network_recomputes_may_be_infinite() -> None:
    check_values({"stage.attn_mask": torch.tensor([float("-inf")])}, "x.pth")


def test_without_a_network_the_names_tell_what_must_be_real() -> None:
    counters = {"bn.num_batches_tracked": torch.tensor(3), "position_ids": torch.arange(3)}
    check_values(counters, "x.pth")
    with pytest.raises(UserError, match=r"bn\.running_var holds int64"):
        check_values(counters | {"bn.running_var": torch.arange(3)}, "x.pth")


def test_one_byte_floats() -> None:
    good = torch.ones(3).to(torch.float8_e5m2)
    check_values({"a.weight": good}, "x.pth")
    with pytest.raises(UserError, match="in 1 of 2 values"):
        check_values({"a.weight": torch.tensor([1, float("inf")]).to(torch.float8_e5m2)}, "x.pth")


def test_training_starts_from_what_fits(tmp_path: Path) -> None:
    source, target = small_model(), small_model(7)
    path = save(tmp_path / "x.pth", source.state_dict())
    head = target.conv.weight.clone()
    nn.init.uniform_(source.bn.weight)
    save(path, source.state_dict())
    said: list[str] = []
    fit = start_from(target, path, said.append)
    assert fit.fitted == 2
    assert torch.equal(target.bn.weight, source.bn.weight)
    assert torch.equal(target.conv.weight, head)
    assert said == [
        "note: x.pth: 2 of 7 weights of another shape: conv.weight (4, 3, 3, 3) instead of "
        "(7, 3, 3, 3), conv.bias (4,) instead of (7,)"
    ]


def test_training_does_not_start_from_what_fits_nowhere(tmp_path: Path) -> None:
    other = {f"backbone.{key}": value for key, value in small_model().state_dict().items()}
    with pytest.raises(UserError) as caught:
        start_from(small_model(), save(tmp_path / "x.pth", other))
    assert "no weight of" in str(caught.value)
    assert "the file has backbone.conv.weight, the model conv.weight" in str(caught.value)
    counter = save(tmp_path / "x.pth", {"bn.num_batches_tracked": torch.ones(())})
    with pytest.raises(UserError, match="no weight of"):
        start_from(small_model(), counter)


def test_fit_does_not_look_at_what_it_does_not_take() -> None:
    state = bad_free() | {"other.weight": torch.tensor([float("nan")])}
    assert fit_weights(small_model(), state).errors == ["1 of 8 weights unexpected: other.weight"]
