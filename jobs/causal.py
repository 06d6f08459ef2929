"""Causal explanatory graphs in words: what a network is asked for one, and what comes of it.

A node is a channel of a layer, or a unit of a layer of single numbers. Layers are named by where their
values are made in the network, and stand bottom first. Source: "Causal Analysis for Robust Interpretability
of Neural Networks", sections 3, 5 and 6.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum

from pydantic import Field

from jobs.excerpts import GraphExcerpt, LayerExcerpt
from jobs.job import Message, ModelRef
from jobs.repair import WeightCut

CLASSES = "classes"  # the name of the uppermost layer: a node for each class


class Intervention(StrEnum):
    """What is done to the weights on the paths out of a node: zero, or multiplied by a random factor."""

    REMOVE = "remove"
    ATTENUATE = "attenuate"


class Correction(StrEnum):
    """What the level limits: the wrong finds among nodes, or the chance of any in a layer (Holm)."""

    NONE = "none"
    HOLM = "holm"


class Role(StrEnum):
    """What a node with a significant effect is: without it the class loses, or gains."""

    NECESSARY = "necessary"
    DISTRACTING = "distracting"


class Treatment(Message):
    """How nodes are tested. The factors of `attenuate` are uniform between 0 and `highest`, one an image."""

    intervention: Intervention = Intervention.REMOVE
    highest: float = Field(0.5, gt=0, lt=1)
    level: float = Field(0.05, gt=0, lt=0.5)
    correction: Correction = Correction.NONE
    seed: int = Field(0, ge=0, lt=2**63)


class SkeletonQuestion(Message):
    """Asks for the layers of a network; there is nothing to choose."""


class LayerShape(Message):
    """A layer with the number of its nodes, and the layers above it to which paths lead.

    `share` is the part of a forward pass that is done again when paths out of one of its nodes change.
    """

    name: str
    nodes: int
    children: tuple[str, ...]
    share: float

    def targets(self, necessary: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
        """The nodes to which paths are blocked: the necessary ones above, of layers that have some."""
        return {child: necessary[child] for child in self.children if necessary.get(child)}


class Skeleton(Message):
    """All layers of a network, bottom first; the last are its classes."""

    layers: tuple[LayerShape, ...]


class Effect(Message):
    """The mean over the images of the relative change of the class's output (equation 2)."""

    mean: float
    standard_error: float = Field(description="Of the mean, from the spread over the images.")


class LayerQuestion(Message):
    """Asks for the effects of a layer's nodes on a class, by way of the selected nodes of layers above it.

    `known` are the effects of its first nodes, from an answer that ended early.
    """

    target: int
    layer: str
    targets: dict[str, tuple[int, ...]]
    treatment: Treatment = Treatment()
    known: tuple[Effect, ...] = ()


class Node(Message):
    """A node that was tested; its index counts within the layer."""

    index: int
    effect: float
    standard_error: float
    z: float = Field(description="The effect in deviations of the layer's null distribution.")
    p_value: float
    role: Role | None = None


class Edge(Message):
    """The paths from a node to a selected node of a layer above, if the first one has a role.

    `response` is the mean over the images and places of what they bring there.
    """

    node: int
    layer: str
    child: int
    response: float


class Layer(Message):
    """A layer of a graph: its nodes with paths to selected ones, and the null distribution of effects."""

    name: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    deviation: float = Field(description="Of the null distribution, which lies around zero.")

    def having(self, role: Role) -> tuple[Node, ...]:
        """The nodes of a role, the largest effect first."""
        return tuple(
            sorted((node for node in self.nodes if node.role is role), key=lambda node: -abs(node.effect))
        )

    @property
    def necessary(self) -> tuple[int, ...]:
        """Indices of the necessary nodes, in order."""
        return tuple(node.index for node in self.nodes if node.role is Role.NECESSARY)

    @property
    def excerpt(self) -> LayerExcerpt:
        """What it takes to draw maps."""
        necessary = [node for node in self.nodes if node.role is Role.NECESSARY]
        without_role = [node.index for node in self.nodes if node.role is None]
        return LayerExcerpt(
            name=self.name,
            necessary=tuple(node.index for node in necessary),
            effects=tuple(node.effect for node in necessary),
            others=() if necessary else tuple(without_role),
        )


class LayerAnswer(Message):
    """The effects that are known by now; the layer once they are all known."""

    effects: tuple[Effect, ...]
    layer: Layer | None
    forwards: float = Field(description="Forward passes of one image that this took, in parts of whole ones.")


class CausalGraph(Message):
    """The graph of a class: what in each layer decides its output (Algorithm 1)."""

    model: ModelRef
    target: int
    label: str
    images: int
    treatment: Treatment
    layers: tuple[Layer, ...]
    forwards: float
    seconds: float

    def layer(self, name: str) -> Layer | None:
        """A layer by name."""
        return next((layer for layer in self.layers if layer.name == name), None)

    @property
    def necessary(self) -> dict[str, tuple[int, ...]]:
        """The necessary nodes of each layer, with the class itself above them all."""
        return {layer.name: layer.necessary for layer in self.layers} | {CLASSES: (self.target,)}

    @property
    def digest(self) -> str:
        """`sha256:` and 64 hex digits over all that it says, but for what it took."""
        said = self.model_dump(mode="json", exclude={"forwards", "seconds"})
        canonical = json.dumps(said, sort_keys=True, separators=(",", ":"))
        return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def excerpt(self) -> GraphExcerpt:
        """What it takes to draw maps."""
        return GraphExcerpt(
            digest=self.digest,
            model=self.model.digest,
            target=self.target,
            label=self.label,
            images=self.images,
            layers=tuple(layer.excerpt for layer in self.layers),
        )


class Cut(Message):
    """Paths that are blocked: those out of nodes of a layer to certain nodes above, or to all."""

    layer: str
    nodes: tuple[int, ...]
    targets: dict[str, tuple[int, ...]] | None = None


class Paths(StrEnum):
    """What a cut blocks: all paths, also shortcuts, or those of weights, as in a model that is stored."""

    ALL = "all"
    WEIGHTS = "weights"


class MaskingQuestion(Message):
    """Asks what a network predicts while paths are blocked, for several sets of cuts, each by itself."""

    masks: tuple[tuple[Cut, ...], ...]
    paths: Paths = Paths.ALL


class MaskingAnswer(Message):
    """For the first sets of cuts, those that there was time for, the predicted class of every image.

    `weights` are those that each set zeroes, where only weights are cut.
    """

    predicted: tuple[tuple[int, ...], ...]
    weights: tuple[tuple[WeightCut, ...], ...] = ()
    forwards: float
