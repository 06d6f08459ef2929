"""Contextual decomposition: the part of the score that a window brings about, layer by layer."""

from __future__ import annotations

import torch
from torch import Tensor

from jobs.catalogue import Family, Need
from workers.declare import Method, Relevance
from workers.probe import Probe
from workers.rules.decomposition import decompose, require_decomposition
from workers.tensors.windows import WindowParams, Windows


class ContextualDecompositionParams(WindowParams):
    """The window whose part is followed, and its way over the image."""


def explain(probe: Probe, params: ContextualDecompositionParams) -> Relevance:
    """How much of the score each window brings about in its context.

    Every value is b + c, b of the window and c of the rest, from b = x inside the window and 0 elsewhere:
    linear  b' = W b + |W b| / (|W b| + |W c|) bias,   max-pool  b' = b at the maximum of b + c,
    ReLU and other functions of one number  b' = f(b) - f(0)   (section 3.1).
    R_ij = mean over the windows w that cover pixel ij of  b_t(w)  at the logit.
    Singh, Murdoch, Yu: Hierarchical interpretations for neural network predictions, 2019, arXiv:1806.05337.
    """
    require_decomposition(probe.traced.graph(merged=True))
    windows = Windows.over(probe.images, params)

    def inside(image: Tensor, steps: Tensor) -> Tensor:
        return torch.where(windows.masks(steps)[None, :, None], image[:, None], 0)

    parts = probe.traced.part_scores(decompose, inside, len(windows), merged=True)
    return Relevance(maps=windows.average(parts), native_grid=windows.grid)


METHOD = Method(
    name="contextual-decomposition",
    title="Contextual decomposition",
    version=1,
    family=Family.BACKWARD_RULE,
    needs=frozenset({Need.PROPAGATION}),
    signed=True,
    class_specific=True,
    cost=226,
    requires="A network of linear layers, batch norms, functions of one number and max-pooling: no gates, "
    "no attention, no layer norm.",
    summary="The part of the score that a sliding window brings about, followed through every layer.",
    weaknesses=(
        "Pixels of zero, often the mean colour of the data, bring about nothing but shares of biases.",
        "The parts of the windows do not sum to the score: what windows do together is in none of them.",
    ),
    reference="Singh et al. 2019, arXiv:1806.05337",
    params=ContextualDecompositionParams,
    explain=explain,
)
