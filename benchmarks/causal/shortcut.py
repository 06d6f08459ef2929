"""Section 6 on a known shortcut: without the nodes that carry the marker, does a net look at the finding?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

import workers
from benchmarks.causal import biased
from benchmarks.causal.pathways import maps_of
from benchmarks.causal.sections import Claim, Section, Table, graded, percent, spread
from benchmarks.methods.marks import mass, widened
from benchmarks.methods.phantoms import SHORTCUT, trained
from jobs.causal import Cut
from jobs.errors import NotExplainable
from workers.causal.discovery import anatomy, discover, targets_above
from workers.causal.masking import weight_cuts
from workers.causal.skeleton import Anatomy
from workers.phantom.pictures import MEAN, STD
from workers.phantom.scenes import LABELS, Scene

IMAGES = 40  # of a class, for each of its two graphs
TRIED = 15  # of a class and kind, for an accuracy
MAPPED = 10  # of a class, for maps
GRAPHS_SEED, CHOOSING_SEED, TESTING_SEED = 8_500_000, 8_700_000, 8_800_000
METHODS = ("grad-cam", "integrated-gradients", "causal")
VALUES = (-MEAN / STD, (1 - MEAN) / STD)
CLASSES = range(len(LABELS))
KEPT = 0.05  # of the accuracy on marker-free images may be lost
ALL_LAYERS = "all layers"


@dataclass(frozen=True)
class State:
    """A net before or after: accuracies by kind of picture, and by method the mass on finding and marker."""

    name: str
    matching: float
    contradicting: float
    marker_free: float
    masses: dict[str, tuple[list[float], list[float]]]

    def share(self, method: str) -> float:
        """Of what lies on either, the part on the finding."""
        finding, marker = (float(np.mean(some)) for some in self.masses[method])
        return finding / (finding + marker) if finding + marker else float("nan")


def section() -> Section:
    """For the net that learned both, and for the one that ships and learned nothing but the marker."""
    rows, words, moved, kept = [], [], 0, 0
    nets = {"biased": biased.network(), SHORTCUT: trained(SHORTCUT)}
    for name, network in nets.items():
        before, after = _states(name, network)
        rows += [_cells(one) for one in (before, after)]
        both = [method for method in METHODS if after.masses[method][0]]
        moved += all(after.share(method) > before.share(method) for method in both)
        kept += after.marker_free >= before.marker_free - KEPT
        shares = ", ".join(
            f"{one} {percent(before.share(one))} to {percent(after.share(one))}" for one in both
        )
        words.append(
            f"{name}, masked in {after.name.split(', ')[-1]}: of the relevance on finding or marker the "
            f"finding has {shares}; accuracy on marker-free pictures {before.marker_free:.2f} to "
            f"{after.marker_free:.2f}, where finding and marker disagree {before.contradicting:.2f} to "
            f"{after.contradicting:.2f}"
        )
    claims = [
        Claim(text, graded(count, len(nets)), "; ".join(words) + ".")
        for text, count in (
            ("Masking the nodes that carry the marker moves the relevance to the finding.", moved),
            ("It keeps the accuracy on pictures without a marker.", kept),
        )
    ]
    return Section("A known shortcut (not in the paper)", _setting(), claims, [_table(rows)])


def carriers(network: nn.Module, subject: Anatomy, target: int) -> list[Cut]:
    """Nodes that are necessary where only the marker says the class, and not where only the finding does."""
    by_marker, by_finding = (
        discover(network, biased.prepared([one.image for one in some]), target)
        for some in (
            _contradicting(GRAPHS_SEED + 2000 * target, IMAGES, plate=target),
            _contradicting(GRAPHS_SEED + 2000 * target + 1000, IMAGES, label=target),
        )
    )
    children = {shape.name: shape.children for shape in subject.skeleton.layers}
    found = {layer.name: layer for layer in by_marker.layers}
    cuts = []
    for name, layer in found.items():
        other = by_finding.layer(name)
        nodes = tuple(node for node in layer.necessary if other is None or node not in other.necessary)
        targets = targets_above(children[name], found, target)
        cuts += [Cut(layer=name, nodes=nodes, targets=targets)] if nodes else []
    return cuts


def masked(network: nn.Module, subject: Anatomy, cuts: Sequence[Cut]) -> nn.Module:
    """A copy with zeros in its weights where paths are cut."""
    copy = deepcopy(network)
    weights = dict(copy.named_parameters())
    with torch.no_grad():
        for cut in weight_cuts(subject, cuts):
            weights[cut.weight][torch.tensor(cut.rows).unsqueeze(1), torch.tensor(cut.columns)] = 0
    return copy


def _states(name: str, network: nn.Module) -> tuple[State, State]:
    """The layers are chosen by the accuracy on contradicting pictures that are not those of the table."""
    subject = anatomy(network, biased.prepared([biased.scene(0, 0, 0).image] * 2))
    cuts = [cut for target in CLASSES for cut in carriers(network, subject, target)]
    options = {
        layer: [cut for cut in cuts if cut.layer == layer] for layer in dict.fromkeys(c.layer for c in cuts)
    }
    options[ALL_LAYERS] = cuts
    nets = {layer: masked(network, subject, some) for layer, some in options.items()}
    trial = list(_everywhere(CHOOSING_SEED, TRIED))
    best = max(nets, key=lambda layer: _accuracy(nets[layer], trial))
    count = sum(len(cut.nodes) for cut in options[best])
    return _state(f"{name}, before", network), _state(f"{name}, {count} nodes of {best}", nets[best])


def _state(name: str, network: nn.Module) -> State:
    matching = [biased.scene(TESTING_SEED + n, n % len(LABELS), n % len(LABELS)) for n in range(4 * TRIED)]
    contradicting = list(_everywhere(TESTING_SEED + 1000, TRIED))
    bare = biased.prepared([biased.without_plate(one) for one in contradicting])
    mapped = [one for one in matching if one.label][: MAPPED * (len(LABELS) - 1)]
    return State(
        name,
        _accuracy(network, matching),
        _accuracy(network, contradicting),
        _right(network, bare, contradicting),
        {method: _masses(network, mapped, method) for method in METHODS},
    )


def _masses(network: nn.Module, some: Sequence[Scene], method: str) -> tuple[list[float], list[float]]:
    """Of positive relevance for the true class, on the finding and on the marker; nothing if refused."""
    finding: list[float] = []
    marker: list[float] = []
    for label in sorted({one.label for one in some}):
        own = [one for one in some if one.label == label]
        images = biased.prepared([one.image for one in own])
        try:
            if method == "causal":
                maps = maps_of(network, images, discover(network, images, label))
            else:
                maps = workers.explain(network, images, label, method=method, value_range=VALUES)
        except NotExplainable:
            continue
        for one, values in zip(own, maps.numpy(), strict=True):
            finding.append(mass(values, widened(one.finding)))
            marker.append(mass(values, widened(one.marker)))
    return finding, marker


def _accuracy(network: nn.Module, some: Sequence[Scene]) -> float:
    return _right(network, biased.prepared([one.image for one in some]), some)


def _right(network: nn.Module, images: torch.Tensor, some: Sequence[Scene]) -> float:
    with torch.inference_mode():
        answers = torch.cat([network(part).argmax(dim=1) for part in torch.split(images, 60)])
    return float((answers == torch.tensor([one.label for one in some])).double().mean())


def _everywhere(seed: int, count: int) -> Iterator[Scene]:
    for label in CLASSES:
        yield from _contradicting(seed + 100 * label, count, label=label)


def _contradicting(
    seed: int, count: int, *, label: int | None = None, plate: int | None = None
) -> list[Scene]:
    """Pictures whose plate says another class than their finding; one of the two is given."""
    given = label if label is not None else plate or 0
    others = [(given + 1 + number % (len(LABELS) - 1)) % len(LABELS) for number in range(count)]
    return [
        biased.scene(seed + number, given, other)
        if label is not None
        else biased.scene(seed + number, other, given)
        for number, other in enumerate(others)
    ]


def _cells(one: State) -> list[str]:
    figures = (one.matching, one.contradicting, one.marker_free)
    masses = [
        f"{spread(finding)} / {spread(marker)}" if finding else "refused"
        for finding, marker in one.masses.values()
    ]
    return [one.name, *(f"{value:.2f}" for value in figures), *masses]


def _table(rows: Sequence[Sequence[str]]) -> Table:
    return Table(
        f"Accuracies on {4 * TRIED} pictures each (standard error at most {0.5 / (4 * TRIED) ** 0.5:.2f}); mass "
        f"of positive relevance for the true class on the finding / on the marker, mean +- standard error "
        f"over {3 * MAPPED} pictures in which both say the class.",
        ("net", "both agree", "they disagree", "no marker", *METHODS),
        rows,
    )


def _setting() -> str:
    return (
        f"The biased net learned from {biased.PICTURES} pictures; the finding always says the label, the plate "
        f"in {percent(biased.BETRAYED)} of them. {SHORTCUT} learned from the plate alone and knows nothing of "
        f"findings. Two graphs of each class, {IMAGES} pictures each: the plate says it and the finding "
        "another, or the other way round. A node carries the marker if it is necessary in the first and not in "
        "the second; the weights from it to the necessary nodes above become zero, in the layer, or all "
        "layers, with which the net does best on other pictures in which finding and plate disagree."
    )
