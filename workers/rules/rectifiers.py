"""The two ways in which images are drawn through rectifiers: guided backpropagation and DeconvNet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from jobs.errors import NotExplainable
from workers.graph import Call, Kind
from workers.graph.kinds import is_bounded
from workers.graph.passages import Passage, Rule
from workers.probe import Probe

aten = torch.ops.aten


Way = Literal["guided", "deconvnet"]


def drawn_back(probe: Probe, way: Way) -> Tensor:
    """(R, C, H, W): the target drawn back to the image; a network without a rectifier is refused."""
    relevance = probe.traced.propagate(RectifierRules(way), merged=True)
    if not any(call.kind is Kind.RECTIFIER for call in probe.traced.graph(merged=True).calls):
        raise NotExplainable("the network has no ReLU, so the rule would change nothing")
    return relevance


@dataclass(frozen=True)
class RectifierRules:
    """The gradient, except at rectifiers; a network that bends its values otherwise is refused."""

    way: Way

    def __call__(self, call: Call) -> Rule | None:
        """The rule of a call; None is the gradient."""
        if call.kind is Kind.RECTIFIER:
            return guided if self.way == "guided" else deconvolved
        if call.kind is Kind.ACTIVATION and not is_bounded(call.function):
            raise NotExplainable(f"{call.label} is no ReLU, and the rule is made for ReLU alone")
        return None


def guided(passage: Passage, relevance: Tensor) -> Sequence[Tensor]:
    """Only what is positive, and only where the rectifier let the value through."""
    positive = relevance.clamp(min=0)
    if passage.call.function is aten.relu.default:
        return (aten.threshold_backward(positive, passage.output, 0),)
    return passage.pulled_back(positive)


def deconvolved(_: Passage, relevance: Tensor) -> Sequence[Tensor]:
    """Only what is positive, wherever it goes."""
    return (relevance.clamp(min=0),)
