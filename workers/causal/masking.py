"""What a network predicts while paths are blocked: by zeros in its weights, and in what shortcuts carry.

Source: "Causal Analysis for Robust Interpretability of Neural Networks", sections 5.3 and 6.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from jobs.causal import Cut, MaskingAnswer, MaskingQuestion, Paths
from jobs.errors import NotExplainable
from jobs.repair import WeightCut
from workers.causal.bundles import ShortcutBundle
from workers.causal.circumstances import Circumstances
from workers.causal.skeleton import NONE, Anatomy, Shortcut, Weights
from workers.graph import Graph, Site, walk
from workers.graph.calls import WEIGHT, Value


def masked_predictions(
    subject: Anatomy, images: Tensor, question: MaskingQuestion, circumstances: Circumstances
) -> MaskingAnswer:
    """The predicted class of each image (N, C, H, W) under each set of cuts, as many as there is time for.

    Raises NotExplainable naming the field `masks` where a cut does not fit the network.
    """
    predicted: list[tuple[int, ...]] = []
    weights: list[tuple[WeightCut, ...]] = []
    count = len(question.masks)
    for number, cuts in enumerate(question.masks):
        masked = Masked(subject, cuts, question.paths)
        answers: list[Tensor] = []
        for part in torch.split(images, circumstances.chunk_rows):
            circumstances.checkpoint((number + sum(map(len, answers)) / len(images)) / count)
            answers.append(_classes(masked.logits(part), number))
        predicted.append(tuple(torch.cat(answers).tolist()))
        weights.append(weight_cuts(subject, cuts) if question.paths is Paths.WEIGHTS else ())
        if circumstances.is_late():
            break
    only_weights = question.paths is Paths.WEIGHTS
    return MaskingAnswer(
        predicted=tuple(predicted),
        weights=tuple(weights) if only_weights else (),
        forwards=len(predicted) * len(images),
    )


def _classes(logits: Tensor, number: int) -> Tensor:
    """(N,): what logits (N, K) predict under a mask; raises NotExplainable where they are not finite."""
    if not logits.isfinite().all():
        raise NotExplainable.about("masks", f"under mask {number} the answer to an image is not finite")
    return logits.argmax(dim=1)


class Masked:
    """A network some of whose paths are blocked; its own weights stay as they are."""

    def __init__(self, subject: Anatomy, cuts: Sequence[Cut], paths: Paths = Paths.ALL) -> None:
        """Raises NotExplainable naming the field `masks` where a cut does not fit the network."""
        blocks = list(_blocks(subject, cuts))
        self._graph = _with_zeros(subject.graph, [one for one in blocks if isinstance(one, _Block)])
        self._shortcuts: dict[str, list[_Stop]] = defaultdict(list)
        for one in blocks:
            if isinstance(one, _Stop) and paths is Paths.ALL:
                self._shortcuts[one.call].append(one)

    def logits(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, K)."""

        def step(site: Site, inputs: Sequence[Any]) -> Any:  # Any: some calls return several tensors
            carried = list(inputs)
            for stop in self._shortcuts.get(site.call.name, ()):
                kept = stop.kept.to(carried[stop.place])
                carried[stop.place] = carried[stop.place] * kept
            return site(*carried)

        answer: Tensor = walk(self._graph, images, step)[self._graph.answer]
        return answer


def weight_cuts(subject: Anatomy, cuts: Sequence[Cut]) -> tuple[WeightCut, ...]:
    """The numbers that the cuts set to zero in the weights of the network.

    Raises NotExplainable where a weight cannot be changed for one of its uses alone, or has no name.
    """
    found = []
    for one in _blocks(subject, cuts):
        if isinstance(one, _Block):
            path = subject.weights.get(one.call)
            if path is None:
                message = f"a weight of {one.call!r} is computed, or used twice: it cannot be set to zero"
                raise NotExplainable.about("masks", message)
            found += [WeightCut(weight=path, rows=rows, columns=columns) for rows, columns in one.parts]
    return tuple(found)


@dataclass(frozen=True)
class _Block:
    """Rows and columns of the weight of a linear call that are zero together."""

    call: str
    parts: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]


@dataclass(frozen=True, eq=False)
class _Stop:
    """What a meeting does not see at one of its places: `kept` (1, ...) is zero there."""

    call: str
    place: int
    kept: Tensor


def _blocks(subject: Anatomy, cuts: Iterable[Cut]) -> Iterator[_Block | _Stop]:
    for cut in cuts:
        _check(subject, cut)
        nodes = torch.tensor(sorted(cut.nodes), dtype=torch.int64)
        for paths in subject.out_of(cut.layer):
            whole = range(subject.sizes[paths.child])
            chosen = whole if cut.targets is None else cut.targets.get(paths.child, ())
            targets = torch.tensor(sorted(chosen), dtype=torch.int64)
            if not len(targets) or not len(nodes):
                continue
            if isinstance(paths, Shortcut):
                own = ShortcutBundle.to(paths, targets).nodes
                yield _Stop(paths.call.name, paths.place, ~torch.isin(own, nodes))
            else:
                yield _Block(paths.call.name, tuple(_parts(subject, paths, nodes, targets)))


def _parts(
    subject: Anatomy, paths: Weights, nodes: Tensor, targets: Tensor
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Rows and columns, counted within the group, group by group."""
    weight = subject.graph.constants[paths.call.leaves[WEIGHT].name]
    own = weight.shape[1]
    rows_of_group = weight.shape[0] * own // len(paths.nodes)
    rows = paths.rows[targets]
    rows = rows[rows != NONE]
    columns = torch.isin(paths.nodes, nodes).nonzero()[:, 0]
    for group in sorted(set((columns // own).tolist())):
        inside = rows[rows // rows_of_group == group].tolist()
        if inside:
            yield tuple(inside), tuple((columns[columns // own == group] % own).tolist())


def _with_zeros(graph: Graph, blocks: Sequence[_Block]) -> Graph:
    """The graph with zeros in copies of the weights that are cut; it shares all others.

    Each call has a copy of its own, for another may use the same weight.
    """
    changed: dict[str, Tensor] = {}
    calls = dict(graph.call)
    for block in blocks:
        call, own = graph.call[block.call], f"{block.call}.cut"
        weight = changed.setdefault(own, graph.constants[call.leaves[WEIGHT].name].clone())
        for rows, columns in block.parts:
            weight[torch.tensor(rows).unsqueeze(1), torch.tensor(columns)] = 0
        leaves = (*call.leaves[:WEIGHT], Value(own), *call.leaves[WEIGHT + 1 :])
        calls[block.call] = replace(call, leaves=leaves)
    return replace(graph, calls=tuple(calls.values()), constants={**graph.constants, **changed})


def _check(subject: Anatomy, cut: Cut) -> None:
    """Raises NotExplainable naming the field `masks`."""
    for name, nodes in {**(cut.targets or {}), cut.layer: cut.nodes}.items():
        wrong = [node for node in nodes if not 0 <= node < subject.sizes.get(name, 0)]
        if name not in subject.sizes or wrong:
            known = ", ".join(f"{one} ({size})" for one, size in subject.sizes.items())
            raise NotExplainable.about(
                "masks", f"{name!r} has no node {wrong[:1]}; layers and nodes: {known}"
            )
