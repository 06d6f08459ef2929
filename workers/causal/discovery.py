"""Algorithm 1: from a class downward, layer by layer, which nodes decide its output.

Source: "Causal Analysis for Robust Interpretability of Neural Networks", sections 3.3 and 3.4. The effect of
treating a node is the mean over the images of what the class's output changes by when the paths from the node
to the selected nodes above are weakened, relative to the mean size of that output over the images. (The paper
divides image by image; an image whose output is near zero would then outweigh all others.)
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from jobs.causal import (
    CLASSES,
    CausalGraph,
    Edge,
    Effect,
    Intervention,
    Layer,
    LayerAnswer,
    LayerQuestion,
    Node,
    Role,
    Treatment,
)
from jobs.errors import NotExplainable
from jobs.job import ModelRef
from workers.causal.anatomies import kept_anatomy
from workers.causal.circumstances import Circumstances
from workers.causal.interventions import Interventions, Met, Weakened
from workers.causal.significance import judge, significant
from workers.causal.skeleton import Anatomy
from workers.graph import graph_of

TOGETHER = 32  # nodes after which it may end early; all images go through the network once for these
NUMBERS = {"cpu": 2**17, "cuda": 2**21}  # in one value on the way, for each of the chunk's rows
MOST_ROWS = 4096


def anatomy(network: nn.Module, images: Tensor) -> Anatomy:
    """The layers of a network for images like these (N, C, H, W). Raises NotExplainable."""
    return kept_anatomy(graph_of(network, images, swift=True), graph_of(network, images), images.shape[1:])


def examine_layer(
    subject: Anatomy, images: Tensor, question: LayerQuestion, circumstances: Circumstances
) -> LayerAnswer:
    """The nodes of a layer: their effects on the class, and what these say of them.

    Raises NotExplainable naming a wrong field of the question.
    """
    search = _Search(subject, images, question, circumstances)
    effects = list(question.known)
    if len(effects) > len(search.nodes):
        message = f"are {len(effects)} effects, but only {len(search.nodes)} nodes have paths to the targets"
        raise NotExplainable.about("known", message)
    for start in range(len(effects), len(search.nodes), TOGETHER):
        effects += search.effects(search.nodes[start : start + TOGETHER], start)
        if circumstances.is_late() and start + TOGETHER < len(search.nodes):
            return LayerAnswer(effects=tuple(effects), layer=None, forwards=search.forwards)
    layer = search.layer(effects)
    return LayerAnswer(effects=tuple(effects), layer=layer, forwards=search.forwards)


def discover(
    network: nn.Module,
    images: Tensor,
    target: int,
    *,
    treatment: Treatment | None = None,
    model: ModelRef | None = None,
    label: str = "",
    circumstances: Circumstances | None = None,
    most_layers: int | None = None,
) -> CausalGraph:
    """The causal graph of a class, from images (N, C, H, W) of it. Raises NotExplainable.

    With `most_layers` it ends after so many from the top.
    """
    started = time.perf_counter()
    treatment, circumstances = treatment or Treatment(), circumstances or Circumstances()
    subject = anatomy(network, images)
    necessary: dict[str, tuple[int, ...]] = {CLASSES: (target,)}
    found: list[Layer] = []
    forwards = 0.0
    for shape in list(reversed(subject.skeleton.layers[:-1]))[:most_layers]:
        if targets := shape.targets(necessary):
            question = LayerQuestion(target=target, layer=shape.name, targets=targets, treatment=treatment)
            answer = examine_layer(subject, images, question, circumstances)
            forwards += answer.forwards
            if answer.layer is not None and answer.layer.nodes:
                found.append(answer.layer)
                necessary[shape.name] = answer.layer.necessary
    return CausalGraph(
        model=model or ModelRef(id="network", digest="sha256:" + "0" * 64),
        target=target,
        label=label,
        images=len(images),
        treatment=treatment,
        layers=tuple(reversed(found)),
        forwards=forwards,
        seconds=time.perf_counter() - started,
    )


class _Search:
    """The effects of nodes of one layer, `forwards` of one image that they took so far."""

    def __init__(
        self, subject: Anatomy, images: Tensor, question: LayerQuestion, circumstances: Circumstances
    ) -> None:
        _check(subject, question)
        self._question, self._images, self._circumstances = question, images, circumstances
        self._paths = Interventions(subject, question.layer, question.targets)
        self.nodes = self._paths.reached.nonzero()[:, 0]
        shares = {shape.name: shape.share for shape in subject.skeleton.layers}
        self._share = shares[question.layer]
        self._damping = _damping(question.treatment, len(images)).to(images.device)
        budget = NUMBERS["cpu" if images.device.type == "cpu" else "cuda"]
        rows = circumstances.chunk_rows
        self._rows = min(MOST_ROWS, max(rows, rows * budget // self._paths.largest))
        self.forwards = 0.0

    def effects(self, nodes: Tensor, done: int) -> list[Effect]:
        """Those of a few nodes, after so many."""
        changes, sizes = [], []
        for first, met in self._met():
            outputs = met.logits[:, self._question.target]
            n, answers = len(outputs), []
            for some in torch.split(nodes, max(1, self._rows // n)):
                share = (done + len(nodes) * first / len(self._images)) / len(self.nodes)
                self._circumstances.checkpoint(share)
                weakened = Weakened(some, self._damping[first : first + n])
                answers.append(self._paths.answers(met, weakened)[..., self._question.target])
                self.forwards += len(some) * n * self._share
            changes.append(torch.cat(answers).double() - outputs)
            sizes.append(outputs.abs().double())
            self._look_at(outputs, changes[-1])
        if not any(size.any() for size in sizes):
            target = self._question.target
            message = f"class {target} has the output zero for every image: no change is relative to it"
            raise NotExplainable.about("target", message)
        return _relative(torch.cat(changes, dim=1), torch.cat(sizes))

    def _look_at(self, outputs: Tensor, changes: Tensor) -> None:
        """Raises NotExplainable where a number is not finite: it has no size, and no change has."""
        if not outputs.isfinite().all():
            raise NotExplainable("the network's answer to an image is not finite")
        if not changes.isfinite().all():
            layer = self._question.layer
            raise NotExplainable(f"without paths out of a node of {layer!r} an answer is not finite")

    def layer(self, effects: Sequence[Effect]) -> Layer:
        """What the effects of all nodes say, and the paths from those that have a role."""
        if not effects:
            return Layer(name=self._question.layer, nodes=(), edges=(), deviation=0.0)
        means, errors = np.array([(one.mean, one.standard_error) for one in effects]).T
        treatment = self._question.treatment
        verdict = judge(means, errors)
        stands_out = significant(verdict.p_values, treatment.level, treatment.correction)
        nodes = [
            Node(
                index=int(index),
                effect=effect.mean,
                standard_error=effect.standard_error,
                z=float(z),
                p_value=float(p_value),
                role=_role(effect.mean) if stands else None,
            )
            for index, effect, z, p_value, stands in zip(
                self.nodes, effects, verdict.z, verdict.p_values, stands_out, strict=True
            )
        ]
        return Layer(
            name=self._question.layer,
            nodes=tuple(nodes),
            edges=tuple(self._edges([node.index for node in nodes if node.role is not None])),
            deviation=verdict.deviation,
        )

    def _edges(self, nodes: Sequence[int]) -> list[Edge]:
        """The paths from some nodes, with the mean over images and places of what they bring."""
        totals: dict[tuple[int, str, int], float] = {}
        for _, met in self._met() if nodes else ():
            weight = len(met.logits) / len(self._images)
            for node in nodes:
                for layer, ends, means in self._paths.brought(met, node):
                    for child, mean in zip(ends.tolist(), means.tolist(), strict=True):
                        key = node, layer, child
                        totals[key] = totals.get(key, 0.0) + weight * mean
        return [
            Edge(node=node, layer=layer, child=child, response=response)
            for (node, layer, child), response in totals.items()
        ]

    def _met(self) -> Iterator[tuple[int, Met]]:
        """All images, as many at a time as there are rows, and where each part begins."""
        for first in range(0, len(self._images), self._rows):
            part = self._images[first : first + self._rows]
            self.forwards += len(part)
            yield first, self._paths.meet(part)


def _check(subject: Anatomy, question: LayerQuestion) -> None:
    classes = subject.sizes[CLASSES]
    if not 0 <= question.target < classes:
        raise NotExplainable.about("target", f"class {question.target} is not one of the {classes} there are")
    subject.out_of(question.layer)
    for name, nodes in question.targets.items():
        wrong = [node for node in nodes if not 0 <= node < subject.sizes.get(name, 0)]
        if wrong:
            raise NotExplainable.about("targets", f"{name!r} has no node {wrong[0]}")


def _damping(treatment: Treatment, n: int) -> Tensor:
    """(n,): what is taken from the weights for each image; the same for all nodes."""
    if treatment.intervention is Intervention.REMOVE:
        return torch.ones(n, dtype=torch.float64)
    draws = torch.rand(n, generator=torch.Generator().manual_seed(treatment.seed))
    return 1 - treatment.highest * draws.double()


def _relative(changes: Tensor, sizes: Tensor) -> list[Effect]:
    """Changes (k, N) relative to the mean of sizes (N,), which is not zero."""
    relative = changes / sizes.mean()
    errors = relative.std(dim=1, correction=min(1, len(sizes) - 1)) / len(sizes) ** 0.5
    return [
        Effect(mean=mean, standard_error=error)
        for mean, error in zip(relative.mean(dim=1).tolist(), errors.tolist(), strict=True)
    ]


def _role(effect: float) -> Role:
    """Of a node that stands out: without it the class loses, or gains."""
    return Role.NECESSARY if effect < 0 else Role.DISTRACTING
