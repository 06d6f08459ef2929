"""What layers and weights are called: by where they stand in the network, before anything was merged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from jobs.causal import CLASSES
from workers.causal.nodes import Nodes
from workers.graph import Call, Graph, Kind
from workers.graph.calls import WEIGHT, Value


def layer_names(nodes: Nodes, plain: Graph) -> dict[str, str]:
    """By the call a name for its layer: the module in which it stands, or the call where there is none."""
    paths = {name: _unmerged(plain, name).path or name for name in nodes.sources}
    taken = list(paths.values())
    return {
        name: path if taken.count(path) == 1 and path != CLASSES else f"{path}:{name}"
        for name, path in paths.items()
    }


def weight_names(plain: Graph, names: Iterable[str]) -> dict[str, str]:
    """The dotted paths of the weights of linear calls, by the names of these.

    A weight that is computed has none, nor has one that the network uses twice: there is no changing it for
    one of its uses alone.
    """
    uses = Counter(
        plain.constants[leaf.name].data_ptr()
        for call in plain.calls
        for leaf in call.leaves
        if isinstance(leaf, Value) and leaf.name in plain.constants
    )
    leaves = {name: _unmerged(plain, name).leaves[WEIGHT].name for name in names}
    return {
        name: plain.sources[leaf]
        for name, leaf in leaves.items()
        if leaf in plain.sources and uses[plain.constants[leaf].data_ptr()] == 1
    }


def _unmerged(plain: Graph, name: str) -> Call:
    """The linear call that took the name of the batch norm behind it."""
    call = plain.call[name]
    return plain.call[call.reads[0]] if call.kind is Kind.BATCH_NORM else call
