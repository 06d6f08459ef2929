"""Surveys as a script answers them: a small network of which everything is known in closed form.

Its layers are `low` (6 nodes, paths to `middle` and `high`), `middle` (4, to `high`), `high` (3, to the
classes) and `side` (2), from which paths lead to nothing but `nowhere`, whose nodes have none at all. Every
third node is necessary, from the first one on, and every third distracting, from the second one on; the
higher the index, the larger the effect. Node 3 of `low` is not necessary under an attenuation whose factors
are 0.5 or more at most.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jobs.causal import (
    CLASSES,
    Cut,
    Edge,
    Effect,
    Intervention,
    Layer,
    LayerAnswer,
    LayerQuestion,
    LayerShape,
    MaskingAnswer,
    MaskingQuestion,
    Node,
    Paths,
    Role,
    Skeleton,
    Treatment,
)
from jobs.job import Job
from jobs.repair import WeightCut
from jobs.result import Provenance, Result, Timings

SKELETON = Skeleton(
    layers=(
        LayerShape(name="low", nodes=6, children=("middle", "high"), share=1.0),
        LayerShape(name="side", nodes=2, children=("nowhere",), share=0.5),
        LayerShape(name="nowhere", nodes=2, children=(), share=0.5),
        LayerShape(name="middle", nodes=4, children=("high",), share=0.5),
        LayerShape(name="high", nodes=3, children=(CLASSES,), share=0.25),
        LayerShape(name=CLASSES, nodes=5, children=(), share=0.0),
    )
)
NECESSARY = {"low": (0, 3), "middle": (0, 3), "high": (0,)}  # of the layers with paths to the class
ASKED_LAYERS = ("high", "middle", "low")
PREDICTED = (2, 2, 0, 1, 1, 2)  # of six pictures, of which three are of class 2 and three of class 1
SECONDS = 0.5


@dataclass
class SurveyScript:
    """Answers surveys; a layer's at most `nodes_at_once` nodes at a time, and as many masks."""

    nodes_at_once: int = 100
    masks_at_once: int = 100
    asked: list[LayerQuestion] = field(default_factory=list)
    masks: list[tuple[Cut, ...]] = field(default_factory=list)

    def result(self, job: Job) -> Result:
        """The result of a job that is a survey."""
        return Result(
            id=job.id,
            predictions=(),
            targets=(),
            timings=Timings(compute_s=SECONDS),
            provenance=Provenance(image=job.image.digest),
            findings=self._findings(job),
        )

    def _findings(self, job: Job) -> dict[str, Any]:  # Any: JSON values
        params = job.method.params
        match job.method.name:
            case "causal-skeleton":
                return SKELETON.model_dump(mode="json")
            case "causal-layer":
                return self._layer(LayerQuestion.model_validate(params)).model_dump(mode="json")
            case "masked-predictions":
                question = MaskingQuestion.model_validate(params)
                return self._masked(question, len(job.survey)).model_dump(mode="json")
        raise AssertionError(job.method.name)

    def _layer(self, question: LayerQuestion) -> LayerAnswer:
        self.asked.append(question)
        shape = next(shape for shape in SKELETON.layers if shape.name == question.layer)
        effects = tuple(Effect(mean=effect_of(index), standard_error=0.1) for index in range(shape.nodes))
        known = effects[: len(question.known) + self.nodes_at_once]
        whole = layer_of(shape, question.targets, question.treatment) if known == effects else None
        return LayerAnswer(effects=known, layer=whole, forwards=float(len(known) - len(question.known)))

    def _masked(self, question: MaskingQuestion, n_images: int) -> MaskingAnswer:
        masks = question.masks[: self.masks_at_once]
        self.masks += masks
        weights = tuple(tuple(map(_zeroed, mask)) for mask in masks)
        return MaskingAnswer(
            predicted=tuple(predicted_behind(mask)[:n_images] for mask in masks),
            weights=weights if question.paths is Paths.WEIGHTS else (),
            forwards=1.0,
        )


def effect_of(index: int) -> float:
    """Of a node of any layer."""
    return (-1.0, 1.0, 0.0)[index % 3] * (1 + index)


def layer_of(shape: LayerShape, targets: dict[str, tuple[int, ...]], treatment: Treatment) -> Layer:
    """A layer with all its nodes tested."""
    roles = {index: _role(shape.name, index, treatment) for index in range(shape.nodes)}
    return Layer(
        name=shape.name,
        nodes=tuple(
            Node(index=index, effect=effect_of(index), standard_error=0.1, z=0.0, p_value=0.5, role=role)
            for index, role in roles.items()
        ),
        edges=tuple(
            Edge(node=index, layer=layer, child=child, response=0.25)
            for index, role in roles.items()
            if role is not None
            for layer, children in targets.items()
            for child in children
        ),
        deviation=1.0,
    )


def predicted_behind(mask: tuple[Cut, ...]) -> tuple[int, ...]:
    """Without node 0 of `high` nothing is of class 2; without node 4 of `low` the third picture is."""
    cut = {(each.layer, node) for each in mask for node in each.nodes}
    predicted = list(PREDICTED)
    if ("low", 4) in cut:
        predicted[2] = 2
    if ("high", 0) in cut:
        predicted = [0 if index == 2 else index for index in predicted]
    return tuple(predicted)


def _role(layer: str, index: int, treatment: Treatment) -> Role | None:
    is_weak = treatment.intervention is Intervention.ATTENUATE and treatment.highest >= 0.5
    if layer == "low" and index == 3 and is_weak:
        return None
    return (Role.NECESSARY, Role.DISTRACTING, None)[index % 3]


def _zeroed(cut: Cut) -> WeightCut:
    rows = tuple(sorted(child for children in (cut.targets or {}).values() for child in children))
    return WeightCut(weight=f"{cut.layer}.weight", rows=rows, columns=cut.nodes)
