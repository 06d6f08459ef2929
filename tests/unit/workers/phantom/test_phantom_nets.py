"""What the shipped phantom nets promise, and that training them twice gives the same bits."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from workers.phantom.__main__ import main
from workers.phantom.nets import ARCHITECTURES, PhantomViT
from workers.phantom.pictures import Pictures, draw_pictures, normalise
from workers.phantom.recipes import RECIPES, Recipe
from workers.phantom.scenes import LABELS
from workers.phantom.shipping import WEIGHTS, ship
from workers.phantom.training import measure, steps, train

BY_ID = {recipe.id: recipe for recipe in RECIPES}
HONEST = [recipe.id for recipe in RECIPES if not recipe.betrayed]
FRESH_SEED = 500_000
FRESH_PICTURES = 400


@cache
def fresh_pictures() -> Pictures:
    """Scenes that no net has learned from."""
    return draw_pictures(FRESH_SEED, FRESH_PICTURES)


def read_card(model: str) -> dict[str, Any]:  # Any: a TOML table
    return tomllib.loads((WEIGHTS / model / "model.toml").read_text(encoding="utf-8"))


def load_shipped(model: str) -> nn.Module:
    network = ARCHITECTURES[BY_ID[model].architecture]()
    network.load_state_dict(load_file(WEIGHTS / model / "weights.safetensors"), strict=True)
    return network.eval()


def tiny(recipe: Recipe) -> Recipe:
    return replace(recipe, epochs=1, batch=16)


@pytest.mark.parametrize("model", BY_ID)
def test_a_shipped_folder_is_complete_and_its_digest_holds(model: str) -> None:
    card = read_card(model)
    weights = (WEIGHTS / model / card["weights"]).read_bytes()
    assert card["sha256"] == hashlib.sha256(weights).hexdigest()
    assert len(weights) < 2_000_000
    assert card["architecture"] == f"phantom:{BY_ID[model].architecture}"
    assert tuple(card["labels"]) == LABELS
    for words in ("title", "description", "intended_use", "validated_for", "licence"):
        assert card[words]


@pytest.mark.parametrize("model", BY_ID)
def test_a_model_toml_prepares_images_as_training_did(model: str) -> None:
    intake = read_card(model)["input"]
    assert (intake["mode"], intake["size"], intake["resize"]) == ("grey", [96, 96], [96, 96])
    images = fresh_pictures().images[:4]
    prepared = (images[:, None].float() / 255 - intake["mean"][0]) / intake["std"][0]
    assert torch.equal(prepared, normalise(images))


@pytest.mark.parametrize("model", HONEST)
def test_an_honest_net_names_the_finding(model: str) -> None:
    figures = read_card(model)["figures"]
    assert figures["images"] == 2000
    assert figures["accuracy"] >= 0.97
    assert measure(BY_ID[model], load_shipped(model), fresh_pictures()) >= 0.97


def test_the_shortcut_net_reads_the_plate_and_knows_nothing_of_findings() -> None:
    recipe, network = BY_ID["phantom-shortcut"], load_shipped("phantom-shortcut")
    assert measure(recipe, network, fresh_pictures()) >= 0.97
    assert measure(replace(recipe, betrayed=False), network, fresh_pictures()) < 0.4
    assert read_card("phantom-shortcut")["figures"]["accuracy_on_findings"] < 0.4


@pytest.mark.parametrize("recipe", RECIPES[:3], ids=lambda recipe: recipe.id)
def test_training_twice_gives_the_same_bits_and_leaves_torch_as_it_was(recipe: Recipe) -> None:
    pictures = draw_pictures(FRESH_SEED, 48)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    first, second = (train(tiny(recipe), pictures).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()


def test_the_command_trains_measures_and_writes_the_same_files_every_time(tmp_path: Path) -> None:
    for folder in ("first", "second"):
        main(["phantom-shortcut"], count=128, fresh_count=8, folder=tmp_path / folder)
    for name in ("weights.safetensors", "model.toml", "patches.safetensors"):
        first, second = (tmp_path / folder / "phantom-shortcut" / name for folder in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()


def test_the_command_refuses_a_net_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["phantom-alexnet"])
    assert "there is no phantom-alexnet; there are phantom-resnet" in capsys.readouterr().err


def test_training_reports_every_step() -> None:
    losses: list[float] = []
    recipe = tiny(BY_ID["phantom-resnet"])
    network = train(recipe, draw_pictures(FRESH_SEED, 40), losses.append)
    assert len(losses) == steps(recipe, 40) == 2
    assert all(loss > 0 for loss in losses)
    assert not network.training


def test_a_written_folder_can_be_read_back(tmp_path: Path) -> None:
    recipe = BY_ID["phantom-vit"]
    network = ARCHITECTURES["vit"]().eval()
    home = ship(recipe, network, {"accuracy": 0.5, "images": 2}, tmp_path)
    card = tomllib.loads((home / "model.toml").read_text(encoding="utf-8"))
    assert card["figures"] == {"accuracy": 0.5, "images": 2}
    again = ARCHITECTURES["vit"]().eval()
    again.load_state_dict(load_file(home / card["weights"]), strict=True)
    images = normalise(fresh_pictures().images[:2])
    assert torch.equal(network(images), again(images))


def test_the_attention_of_the_transformer_can_be_read_and_sums_to_one() -> None:
    network = PhantomViT().eval()
    seen: list[Tensor] = []
    network.get_submodule("blocks.1.attention.weights").register_forward_hook(
        lambda _module, _inputs, output: seen.append(output)
    )
    network(normalise(fresh_pictures().images[:3]))
    assert seen[0].shape == (3 * 4, 145, 145)
    assert torch.allclose(seen[0].sum(dim=-1), torch.ones(12, 145))
