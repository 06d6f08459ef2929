"""Grows a causal graph from the class down, layer by layer (Algorithm 1)."""

from __future__ import annotations

from collections.abc import Sequence

from app.analyses.surveys import FoundLayer, Surveyor
from jobs.causal import CLASSES, CausalGraph, Layer, LayerQuestion, LayerShape, Skeleton, Treatment


async def grown(
    surveyor: Surveyor, skeleton: Skeleton, target: int, treatment: Treatment, prefix: str = ""
) -> list[FoundLayer]:
    """The layers of the graph of a class, bottom first; each is a part, `<prefix><name of the layer>`.

    Raises like the surveyor.
    """
    necessary: dict[str, tuple[int, ...]] = {CLASSES: (target,)}
    found: list[FoundLayer] = []
    for shape in reversed(below_classes(skeleton)):
        part, targets = f"{prefix}{shape.name}", shape.targets(necessary)
        if targets:
            question = LayerQuestion(target=target, layer=shape.name, targets=targets, treatment=treatment)
            found.append(await surveyor.layer(part, shape, question))
        else:
            found.append(FoundLayer(layer=without_nodes(shape)))
            await surveyor.work.note(part, found[-1].model_dump_json().encode())
        necessary[shape.name] = found[-1].layer.necessary
    return found[::-1]


def below_classes(skeleton: Skeleton) -> tuple[LayerShape, ...]:
    """The layers whose nodes are tested, bottom first."""
    return tuple(shape for shape in skeleton.layers if shape.name != CLASSES)


def without_nodes(shape: LayerShape) -> Layer:
    """A layer from which no path leads to a necessary node."""
    return Layer(name=shape.name, nodes=(), edges=(), deviation=0.0)


def whole(
    found: Sequence[FoundLayer], surveyor: Surveyor, target: int, label: str, treatment: Treatment
) -> CausalGraph:
    """The graph of those of its layers that have nodes with paths to selected ones."""
    return CausalGraph(
        model=surveyor.model,
        target=target,
        label=label,
        images=len(surveyor.images),
        treatment=treatment,
        layers=tuple(each.layer for each in found if each.layer.nodes),
        forwards=sum(each.forwards for each in found),
        seconds=sum(each.seconds for each in found),
    )
