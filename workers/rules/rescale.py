"""DeepLIFT's rescale rule: differences from a reference instead of gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from workers.graph import AFFINE, IMAGE, Call
from workers.graph.passages import Passage, Rule, Witness
from workers.probe import Probe
from workers.rules.multipliers import Multiply, multiply_of


@dataclass(frozen=True)
class RescaleRules:
    """Multipliers between the image and the first witness, its reference."""

    def __call__(self, call: Call) -> Rule | None:
        """The rule of a call; an affine one needs none. Raises NotExplainable naming the call."""
        return None if call.kind in AFFINE else Rescale(multiply_of(call))


@dataclass(frozen=True)
class Rescale:
    """The rule of one call."""

    multiply: Multiply

    def __call__(self, passage: Passage, multipliers: Tensor) -> Sequence[Tensor]:
        """Multipliers (N, ...) of the output -> of each input."""
        here = Witness(passage.inputs, passage.output)
        return self.multiply(passage.site, passage.witnesses[0], here, multipliers)


def rescaled(probe: Probe, reference: Tensor) -> tuple[Tensor, Tensor]:
    """Multipliers (R, C, H, W), and how much each row's logit is higher than at its reference, (R,).

    The reference is (1, C, H, W), or (S, C, H, W) with one for each image.
    """
    walk = probe.traced.walk(RescaleRules(), merged=True, witnesses=(reference,))
    (multipliers,) = walk.relevances((IMAGE,))
    return multipliers, walk.of_targets(walk.logits - walk.witness_logits[0])
