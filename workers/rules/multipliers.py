"""Multipliers between two points: what a change of the output is, shared out among changes of the inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from jobs.errors import NotExplainable
from workers.graph import Call, Kind, Site
from workers.graph.kinds import name_of
from workers.graph.passages import Passage, Witness
from workers.rules.statistics_multipliers import of_normalisation, of_softmax

aten = torch.ops.aten

Multiply = Callable[[Site, Witness, Witness, Tensor], Sequence[Tensor]]
"""(site, there, here, multipliers m of the output) -> multipliers of the inputs, so that
sum_k m_k (here.inputs_k - there.inputs_k) = m (here.output - there.output), example by example."""

_BY_KIND: dict[Kind, Multiply] = {}
NORMALISATIONS = ("layer_norm", "group_norm")


def multiply_of(call: Call) -> Multiply:
    """How multipliers pass a call that is no affine function. Raises NotExplainable naming the call."""
    known = call.kind is not Kind.NORMALISATION or name_of(call.function) in NORMALISATIONS
    if call.kind not in _BY_KIND or not known:
        raise NotExplainable(f"for {call.label} no multipliers are known that sum to the difference")
    return _BY_KIND[call.kind]


def of_rectifier(site: Site, there: Witness, here: Witness, multipliers: Tensor) -> Sequence[Tensor]:
    """The slope of the chord; where nothing changed, of the function."""
    change = here.inputs[0] - there.inputs[0]
    slope = (here.output - there.output) / change
    if site.call.function is aten.relu.default:
        return (multipliers * torch.where(change == 0, (here.output > 0).to(slope), slope),)
    return (torch.where(change == 0, _pull_back(site, here.inputs, multipliers)[0], multipliers * slope),)


def of_activation(site: Site, there: Witness, here: Witness, multipliers: Tensor) -> Sequence[Tensor]:
    """The slope of the chord; where it is too short for the digits, of the function at its middle."""
    change = here.inputs[0] - there.inputs[0]
    short = change.abs() <= torch.finfo(change.dtype).eps ** 0.5
    (tangent,) = _pull_back(site, _middle(here, there), multipliers)
    chord = multipliers * (here.output - there.output) / change.masked_fill(short, 1)
    return (torch.where(short, tangent, chord),)


def of_max_pool(site: Site, there: Witness, here: Witness, multipliers: Tensor) -> Sequence[Tensor]:
    """The change of a maximum belongs to where the larger of the two maxima is.

    There the input changes at least as much and in the same direction, so no multiplier grows.
    """
    rise = here.output - there.output
    (rises,) = _pull_back(site, here.inputs, multipliers * rise.clamp(min=0))
    before = tuple(one.expand_as(at) for one, at in zip(there.inputs, here.inputs, strict=True))
    (falls,) = _pull_back(site, before, multipliers * rise.clamp(max=0))
    (still,) = _pull_back(site, here.inputs, multipliers.masked_fill(rise != 0, 0))
    change = here.inputs[0] - there.inputs[0]
    return (torch.where(change == 0, still, (rises + falls) / change),)


def of_product(site: Site, there: Witness, here: Witness, multipliers: Tensor) -> Sequence[Tensor]:
    """d(ab) = mean(a) db + mean(b) da, for every product in which both factors are linear."""
    return _pull_back(site, _middle(here, there), multipliers)


def _middle(here: Witness, there: Witness) -> tuple[Tensor, ...]:
    return tuple((one + other) / 2 for one, other in zip(here.inputs, there.inputs, strict=True))


def _pull_back(site: Site, inputs: tuple[Tensor, ...], cotangent: Tensor) -> tuple[Tensor, ...]:
    return Passage(site, inputs, cotangent).pulled_back(cotangent)


_BY_KIND.update(
    {
        Kind.RECTIFIER: of_rectifier,
        Kind.ACTIVATION: of_activation,
        Kind.MAX_POOL: of_max_pool,
        Kind.BILINEAR: of_product,
        Kind.SOFTMAX: of_softmax,
        Kind.NORMALISATION: of_normalisation,
    }
)
