"""Each rule for linear calls against the algebra of dense matrices, convolutions unrolled."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from tests.unit.workers.networks import seeded
from tests.unit.workers.rules.passages import matrix, passage
from workers.graph import Kind
from workers.graph.passages import Passage, Rule
from workers.rules.excitation import contrast, excitation
from workers.rules.linear import AlphaBeta, Epsilon, Gamma, box, flat, plus, squares
from workers.rules.taylor import agreeing, agreeing_in_the_box
from workers.rules.weights import negative_part, positive_part

EPSILON = 1e-3
Formula = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]  # x (i), w (i, j), b (j), R (j) -> R (i)


def share(contributions: Tensor, relevance: Tensor, more: Tensor | float = 0.0) -> Tensor:
    """Of each column in proportion, with `more` among the sums; nothing of a column of nothing."""
    sums = contributions.sum(0) + more
    return contributions @ torch.where(sums == 0, 0, relevance / sums)


def stabilised(x: Tensor, w: Tensor, b: Tensor, r: Tensor) -> Tensor:
    z = x @ w + b
    return (x[:, None] * w) @ (r / (z + EPSILON * torch.where(z < 0, -1, 1)))


def rising(x: Tensor, w: Tensor, b: Tensor, r: Tensor) -> Tensor:
    return share((x[:, None] * w).clamp(min=0), r, b.clamp(min=0))


def falling(x: Tensor, w: Tensor, b: Tensor, r: Tensor) -> Tensor:
    return share((x[:, None] * w).clamp(max=0), r, b.clamp(max=0))


def preferred(x: Tensor, w: Tensor, b: Tensor, r: Tensor) -> Tensor:
    c = x[:, None] * w
    z = c.sum(0) + b
    for_it = share(c + 0.3 * c.clamp(min=0), r * (z > 0), b + 0.3 * b.clamp(min=0))
    return for_it + share(c + 0.3 * c.clamp(max=0), r * (z < 0), b + 0.3 * b.clamp(max=0))


def agreed(x: Tensor, w: Tensor, b: Tensor, r: Tensor) -> Tensor:
    c = x[:, None] * w
    z = c.sum(0) + b
    return share(torch.where(c * z > 0, c, 0), r)


def excited(x: Tensor, w: Tensor, _: Tensor, r: Tensor) -> Tensor:
    return share(x.clamp(min=0)[:, None] * w.clamp(min=0), r)


RULES: dict[str, tuple[Rule, Formula]] = {
    "epsilon": (Epsilon(EPSILON), stabilised),
    "plus": (plus, rising),
    "alpha-beta": (
        AlphaBeta(2, 1),
        lambda *given: 2 * rising(*given) - falling(*given),
    ),
    "gamma": (Gamma(0.3), preferred),
    "flat": (flat, lambda _x, w, _b, r: share((w != 0).to(w), r)),
    "squares": (squares, lambda _x, w, _b, r: share(w**2, r)),
    "agreeing": (agreeing, agreed),
    "excitation": (excitation, excited),
    "contrast": (contrast, lambda x, w, b, r: excited(x, w, b, r) - excited(x, -w, b, r)),
}
CALLS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "matrix": (lambda: nn.Linear(12, 7), (12,)),
    "convolution": (lambda: nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2), (4, 5, 6)),
    "dilated": (lambda: nn.Conv2d(2, 3, 2, dilation=2, bias=False), (2, 5, 4)),
    "transposed": (lambda: nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1), (2, 3, 4)),
}


@cache
def met(call: str, *, rectified: bool) -> tuple[Passage, Tensor]:
    """A linear call behind a ReLU or alone, and relevance of both signs for its outputs."""
    make, shape = CALLS[call]
    random = torch.Generator().manual_seed(0)
    linear = seeded(make).double()
    network = nn.Sequential(nn.ReLU(), linear) if rectified else nn.Sequential(linear)
    whole = nn.Sequential(network, nn.Flatten()).eval()
    images = torch.randn(3, *shape, dtype=torch.float64, generator=random)
    found = passage(whole, images, Kind.LINEAR)
    return found, torch.randn(found.output.shape, dtype=torch.float64, generator=random)


def unrolled(found: Passage, relevance: Tensor, formula: Formula) -> Tensor:
    (values,), site = found.inputs, found.site
    w = matrix(site, values.shape[1:])
    bias = torch.zeros_like(relevance[0]) if site.bias is None else site(torch.zeros_like(values[:1]))[0]
    rows = zip(values.flatten(1), relevance.flatten(1), strict=True)
    return torch.stack([formula(x, w, bias.flatten(), r) for x, r in rows]).view_as(values)


@pytest.mark.parametrize("rectified", [True, False], ids=["nonnegative", "of both signs"])
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_its_formula(rule: str, call: str, rectified: bool) -> None:
    found, relevance = met(call, rectified=rectified)
    given, formula = RULES[rule]
    assert found.call.nonnegative == rectified

    with torch.no_grad():
        (shares,) = given(found, relevance)

    torch.testing.assert_close(shares, unrolled(found, relevance, formula))


@pytest.mark.parametrize("rule", [box, agreeing_in_the_box], ids=["plain", "by sign"])
@pytest.mark.parametrize("call", ["matrix", "convolution"])
def test_in_a_box_contributions_count_from_its_corners(call: str, rule: Rule) -> None:
    make, shape = CALLS[call]
    network = nn.Sequential(seeded(make).double(), nn.Flatten()).eval()
    random = torch.Generator().manual_seed(1)
    images = torch.rand(3, *shape, dtype=torch.float64, generator=random) * 3 - 1
    low, high = torch.full_like(images[:1], -1), torch.full_like(images[:1], 2)
    found = passage(network, images, Kind.LINEAR, high, low)  # in any order

    def formula(x: Tensor, w: Tensor, b: Tensor, r: Tensor) -> Tensor:
        z = x @ w + b
        above = x[:, None] * w + w.clamp(min=0) - 2 * w.clamp(max=0)  # eq. 15 with l = -1 and h = 2
        below = x[:, None] * w + w.clamp(max=0) - 2 * w.clamp(min=0)
        if rule is box:
            return share(above, r)
        return share(above, r * (z > 0)) + share(below, r * (z < 0))

    relevance = torch.randn(found.output.shape, dtype=torch.float64, generator=random)
    with torch.no_grad():
        (shares,) = rule(found, relevance)

    torch.testing.assert_close(shares, unrolled(found, relevance, formula))


@pytest.mark.parametrize("rule", [Epsilon(0), plus, Gamma(0.5), AlphaBeta(2, 1), agreeing, excitation])
def test_a_sum_of_nothing_hands_nothing_on(rule: Rule) -> None:
    network = nn.Sequential(nn.ReLU(), nn.Linear(4, 3, bias=False)).double()
    found = passage(network, torch.zeros(1, 4, dtype=torch.float64), Kind.LINEAR)

    (shares,) = rule(found, torch.ones_like(found.output))

    assert shares is not None
    assert not shares.any()


def test_parts_of_a_weight_are_made_once() -> None:
    weight = torch.tensor([1.0, -2.0])

    assert positive_part(weight).tolist() == [1, 0]
    assert negative_part(weight).tolist() == [0, -2]
    assert positive_part(weight) is positive_part(weight)
    assert negative_part(weight) is negative_part(weight)
