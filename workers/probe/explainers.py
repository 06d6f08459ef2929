"""How maps are made, so that they can be made again: for other images, classes, weights and parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from jobs.excerpts import GraphExcerpt
from workers.declare import Relevance
from workers.probe.circumstances import Circumstances
from workers.probe.passes import Pair, Pass, Recording
from workers.probe.rows import Probe

NOTHING = Recording()


@dataclass(frozen=True)
class Explainer:
    """What made the maps: a method with its parameters, and what a pass must record for it.

    `variants` makes by name the same method with other parameters; they need no more of a pass.
    """

    explain: Callable[[Probe], Relevance]
    recording: Recording = NOTHING
    variants: Callable[[], Iterable[tuple[str, Explainer]]] = tuple


Jurors = Callable[[str], Explainer | None]  # by the name of a method; None for the one on trial


def maps_at(
    explainer: Explainer,
    shared: Pass,
    pairs: Sequence[Pair],
    inputs: Tensor,
    *,
    seeds: Sequence[int],
    references: Tensor | None,
    graphs: Sequence[Sequence[GraphExcerpt]] | None,
    chunk_rows: int,
    circumstances: Circumstances,
    network: nn.Module | None = None,
) -> Tensor:
    """(n, H, W): what an explainer makes of inputs (n, C, H, W) that stand in for images of a pass.

    The `pairs` (n,) say for which of its images, and which class is explained; `network` stands in for that
    of the pass, a twin of it.
    """
    images, targets = zip(*pairs, strict=True)
    fresh = Pass(
        network or shared.network,
        inputs,
        explainer.recording,
        default_layer=shared.default_layer,
        black=shared.black[list(images)],
        white=shared.white[list(images)],
        patches=shared.patches,
        stands_for=shared.network,
    )
    fresh.expect(list(enumerate(targets)))
    probe = Probe(
        fresh,
        range(len(pairs)),
        targets,
        seeds=seeds,
        chunk_rows=chunk_rows,
        circumstances=circumstances,
        references=references,
        graphs=graphs,
    )
    return explainer.explain(probe).maps.detach()
