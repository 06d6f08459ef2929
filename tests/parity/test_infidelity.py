"""Infidelity beside captum, of the same maps and the same squares."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from captum.metrics import infidelity as captum_infidelity
from torch import Tensor

from tests.parity.nets import TARGETS, images, network
from workers import explain, measure
from workers.metrics import infidelity

SAMPLES = 12


@pytest.mark.parametrize("method", ["saliency", "input-x-gradient"])
@pytest.mark.parametrize("name", ["resnet18", "vit_b_16"])
def test_it_agrees_with_captum(name: str, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Tensor] = []
    draw = infidelity.draw_squares

    def noted(*given: Any) -> Tensor:  # Any: handed on
        drawn.append(draw(*given))
        return drawn[-1]

    monkeypatch.setattr(infidelity, "draw_squares", noted)
    net, pictures = network(name), images(name)
    maps = explain(net, pictures, TARGETS, method=method)

    found = measure(net, pictures, TARGETS, metric="infidelity", maps=maps, samples=SAMPLES).values

    def remove(inputs: Tensor) -> tuple[Tensor, Tensor]:
        squares = drawn[0].flatten(0, 1)  # captum repeats each picture as often as there are samples
        hidden = infidelity.inside(squares, (inputs.shape[2], inputs.shape[3])).unsqueeze(1)
        return hidden.expand_as(inputs).to(inputs), torch.where(hidden, torch.zeros_like(inputs), inputs)

    spread = maps.unsqueeze(1).expand_as(pictures) / pictures.shape[1]  # captum sums over colours, too
    expected = captum_infidelity(
        net, remove, pictures, spread, target=torch.tensor(TARGETS), n_perturb_samples=SAMPLES, normalize=True
    )
    torch.testing.assert_close(found.float(), expected, rtol=1e-4, atol=1e-7)
