"""A score shared out over the image by the rules of a composite."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from workers.declare import Relevance
from workers.graph import IMAGE
from workers.graph.passages import Composite
from workers.probe import Probe
from workers.tensors.gaps import relative_gaps


def share_out(probe: Probe, composite: Composite, witnesses: Sequence[Tensor] = ()) -> Relevance:
    """Each row's logit, walked down to the pixels; the gap is what did not arrive, relative to the logit."""
    walk = probe.traced.walk(composite, merged=True, witnesses=witnesses)
    (relevance,) = walk.relevances((IMAGE,), seed="logit")
    return Relevance(
        maps=relevance.sum(dim=1),
        native_grid=probe.input_size,
        gaps=relative_gaps(relevance.sum((1, 2, 3)), walk.target_logits),
    )
