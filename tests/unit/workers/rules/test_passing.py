"""Relevance through calls without a weight: sums, pools, gates, shifts and norms."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from jobs.errors import NotExplainable
from tests.unit.workers.rules.passages import passage
from workers.graph import Kind
from workers.graph.passages import Passage
from workers.rules.agreement import averaged_by_sign, dealt_by_sign
from workers.rules.composites import composite
from workers.rules.normalisations import frozen
from workers.rules.passing import gated, passed, proportional, refused


class Does(nn.Module):
    """A network of one function."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, images: Tensor) -> Tensor:
        return self.function(images).flatten(1)


def met(function: Callable[[Tensor], Tensor], kind: Kind, shape: tuple[int, ...]) -> tuple[Passage, Tensor]:
    """The call of a kind, and relevance of both signs."""
    random = torch.Generator().manual_seed(2)
    images = torch.randn(2, *shape, dtype=torch.float64, generator=random)
    found = passage(Does(function), images, kind)
    return found, torch.randn(found.output.shape, dtype=torch.float64, generator=random)


def test_a_sum_shares_in_proportion_to_its_addends() -> None:
    found, relevance = met(lambda x: x + x.tanh(), Kind.SUM, (3, 4, 5))
    shares = proportional(found, relevance)

    for value, share in zip(found.inputs, shares, strict=True):
        torch.testing.assert_close(share, value * relevance / found.output)


def test_addends_that_are_repeated_or_taken_away_get_their_share_too() -> None:
    found, relevance = met(lambda x: torch.sub(x, x.mean((2, 3), keepdim=True), alpha=2), Kind.SUM, (3, 4, 5))
    whole, mean = found.inputs
    quotients = relevance / found.output

    shares = proportional(found, relevance)

    torch.testing.assert_close(shares[0], whole * quotients)
    torch.testing.assert_close(shares[1], -2 * mean * quotients.sum((2, 3), keepdim=True))


def test_by_sign_only_addends_that_agree_with_the_sum_share() -> None:
    found, relevance = met(lambda x: torch.sub(x, x.mean((2, 3), keepdim=True), alpha=2), Kind.SUM, (3, 4, 5))
    whole, mean = found.inputs
    taken = -2 * mean.expand_as(whole)
    sign = found.output.sign()
    agreeing = (whole * sign).clamp(min=0), (taken * sign).clamp(min=0)
    quotients = relevance / (agreeing[0] + agreeing[1])

    shares = dealt_by_sign(found, relevance)

    torch.testing.assert_close(shares[0], agreeing[0] * quotients)
    torch.testing.assert_close(shares[1], (agreeing[1] * quotients).sum((2, 3), keepdim=True))
    torch.testing.assert_close(sum(one.sum() for one in shares), relevance.sum())


def test_an_average_shares_in_proportion() -> None:
    found, relevance = met(lambda x: F.avg_pool2d(x, 2), Kind.AVERAGE, (3, 4, 6))
    spread = (relevance / found.output).repeat_interleave(2, 2).repeat_interleave(2, 3)

    (shares,) = proportional(found, relevance)

    torch.testing.assert_close(shares, found.inputs[0] * spread / 4)


@pytest.mark.parametrize("rectified", [True, False])
def test_by_sign_only_places_that_agree_with_the_average_share(rectified: bool) -> None:
    found, relevance = met(lambda x: F.avg_pool2d(x.relu() if rectified else x, 2), Kind.AVERAGE, (3, 4, 6))
    (values,) = found.inputs
    expected = torch.zeros_like(values)
    for place in torch.cartesian_prod(torch.arange(2), torch.arange(3), torch.arange(2), torch.arange(3)):
        row, channel, down, across = place.tolist()
        window = (row, channel, slice(2 * down, 2 * down + 2), slice(2 * across, 2 * across + 2))
        average = found.output[row, channel, down, across]
        agreeing = torch.where(values[window] * average > 0, values[window], 0)
        if agreeing.any():
            expected[window] = agreeing / agreeing.sum() * relevance[row, channel, down, across]

    (shares,) = averaged_by_sign(found, relevance)

    torch.testing.assert_close(shares, expected)


def test_attention_gives_all_to_the_values_and_nothing_to_the_weights() -> None:
    found, relevance = met(lambda x: (x @ x.mT).softmax(-1) @ x, Kind.BILINEAR, (3, 4))
    weights, values = found.inputs

    shares = gated(found, relevance)

    assert shares[0] is None
    torch.testing.assert_close(shares[1], values * (weights.mT @ (relevance / found.output)))


def test_a_shifted_or_scaled_pixel_is_the_same_pixel() -> None:
    """A network that normalises its input inside gets the map of one whose input was normalised before."""
    mean, scale = torch.tensor([0.3, 0.1, -0.2]).view(3, 1, 1), torch.tensor([2.0, 3.0, -4.0]).view(3, 1, 1)
    for kind in (Kind.SHIFT, Kind.SCALE):
        found, relevance = met(lambda x: (x - mean) / scale, kind, (3, 4, 4))
        rule = composite("epsilon-plus", epsilon=1e-6, gamma=0)(found.call)
        assert rule is passed
        assert rule(found, relevance)[0].equal(relevance)


def test_a_pixel_that_is_repeated_gets_what_all_its_copies_got() -> None:
    found, relevance = met(lambda x: x * torch.ones(3, 1, 1), Kind.SCALE, (1, 4, 4))

    (shares,) = passed(found, relevance)

    torch.testing.assert_close(shares, relevance.sum(1, keepdim=True))


@pytest.mark.parametrize(
    ("name", "norm", "shape", "groups"),
    [
        ("layer norm", nn.LayerNorm((3, 4)), (2, 3, 4), (2, 12)),
        ("group norm", nn.GroupNorm(2, 4), (4, 2, 3), (2, 12)),
        ("instance norm", nn.InstanceNorm2d(3, affine=True), (3, 4, 2), (3, 8)),
        ("rms norm", nn.RMSNorm(4), (3, 4), (3, 4)),
    ],
)
def test_a_norm_is_linear_where_its_deviation_is_held(
    name: str, norm: nn.Module, shape: tuple[int, ...], groups: tuple[int, int]
) -> None:
    norm = norm.double()
    for parameter in norm.parameters():
        parameter.data = torch.rand(parameter.shape, dtype=torch.float64) + 0.5
    found, relevance = met(norm, Kind.NORMALISATION, shape)
    leaf = found.inputs[0].clone().requires_grad_()
    grouped = leaf.view(2, *groups)
    mean = 0 if name == "rms norm" else grouped.mean(-1, keepdim=True)
    deviation = ((grouped - mean).square().mean(-1, keepdim=True) + _epsilon(norm)).sqrt().detach()
    shift = norm(torch.zeros_like(leaf))
    standard = ((grouped - mean) / deviation).view_as(leaf)
    slope = ((norm(leaf) - shift) / standard).detach()
    output = slope * standard
    (pulled,) = torch.autograd.grad(output, leaf, relevance / found.output)

    (shares,) = frozen(found, relevance)

    torch.testing.assert_close(shares, leaf.detach() * pulled)


def test_an_instance_norm_of_running_statistics_is_linear_as_it_is() -> None:
    norm = nn.InstanceNorm2d(3, track_running_stats=True).double().eval()
    found, relevance = met(norm, Kind.NORMALISATION, (3, 4, 2))

    (shares,) = frozen(found, relevance)

    torch.testing.assert_close(shares, found.inputs[0] * relevance / found.output / (1 + norm.eps) ** 0.5)


def test_what_has_no_rule_is_refused_by_name() -> None:
    found, relevance = met(lambda x: x * x.flip(1), Kind.BILINEAR, (3, 4))

    with pytest.raises(NotExplainable, match="relevance reaches mul"):
        refused(found, relevance)


def _epsilon(norm: nn.Module) -> float:
    given = getattr(norm, "eps", None)
    return torch.finfo(torch.float64).eps if given is None else float(given)
