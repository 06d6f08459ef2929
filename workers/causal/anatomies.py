"""The anatomy of a network, found out once for images of a shape, and kept with the traced graph."""

from __future__ import annotations

from collections.abc import Sequence

from jobs.errors import NotExplainable
from workers.causal.computed import with_computed
from workers.causal.skeleton import Anatomy, anatomy_of
from workers.graph import Graph
from workers.probe import Probe

KEPT = "anatomy"


def kept_anatomy(swift: Graph, plain: Graph, shape: Sequence[int]) -> Anatomy:
    """That of `anatomy_of`, for images of one shape (C, H, W). Raises NotExplainable."""
    if not swift.any_number:
        raise NotExplainable("the network takes a fixed number of images: no causal graph can be made of it")
    if KEPT not in swift.kept:
        swift.kept[KEPT] = anatomy_of(with_computed(swift), plain, shape)
    found: Anatomy = swift.kept[KEPT]
    return found


def anatomy_of_rows(probe: Probe) -> Anatomy:
    """The layers of the network that a probe sees. Raises NotExplainable."""
    traced = probe.traced
    return kept_anatomy(traced.graph(swift=True), traced.graph(), probe.images.shape[1:])
