"""What analyses of causal graphs speak of: a class of a model, and pictures of a set that are looked at."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PlainValidator, Strict, WithJsonSchema

from app.analyses.kind import Inquiry, Plan
from app.requests import Fields
from app.schemas import MAX_SEED, ONE_TARGET, Asked, is_target
from app.wishes import class_index
from jobs.catalogue import ModelCard
from jobs.causal import CausalGraph, Correction
from jobs.pictures import ImageSet, SetPicture

Which = Literal["all", "of-class"]
GRAPH_KIND = "causal-graph"
Seed = Annotated[int, Strict()]


def read_target(value: object) -> object:
    """One target; raises ValueError."""
    if not is_target(value):
        raise ValueError("must be a class index or a label")
    return value


def _rising(numbers: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(sorted({number + 0 for number in numbers}))  # + 0 makes -0.0 plain


RISING = AfterValidator(_rising)
"""Numbers in rising order, each once, in whichever order they were sent."""

Target = Annotated[int | str, PlainValidator(read_target), WithJsonSchema(ONE_TARGET)]


class Testing(Asked):
    """A class, the pictures to test nodes on, and how sure a find must be."""

    target: Target = Field(description="Class index or label.")
    images: Which | None = Field(
        None,
        description="All pictures of the set, or those whose label is the class; absent: `of-class` where "
        "pictures have labels, else `all`.",
    )
    level: Annotated[float, Strict()] = Field(
        0.05, gt=0, lt=0.5, description="Significance below which a node has a role."
    )
    correction: Correction = Field(
        Correction.NONE,
        description="What the level limits: with `none` the wrong finds among nodes, with `holm` the chance "
        "of any in a layer.",
    )
    seed: Seed = Field(0, ge=0, le=MAX_SEED, description="Seed of random factors.")


class OfGraph(Asked):
    """The causal graph that is put to use."""

    graph: str = Field(description="Id of a `causal-graph` analysis that is done, of the same model.")


class CausalPlan(Plan):
    """A class, and which classes the labels of the pictures name."""

    target: int
    label: str
    classes: dict[str, int]

    def of_class(self, image_set: ImageSet) -> tuple[SetPicture, ...]:
        """The pictures whose label is the class."""
        return _of_class(image_set, self.classes, self.target)

    def labelled(self, image_set: ImageSet) -> tuple[SetPicture, ...]:
        """The pictures whose label is any class."""
        return _labelled(image_set, self.classes)

    def tested(self, image_set: ImageSet, which: Which | None) -> tuple[SetPicture, ...]:
        """The pictures on which nodes are tested."""
        return self.of_class(image_set) if which == "of-class" else image_set.pictures


def tested_plan(fields: Fields, inquiry: Inquiry, kind: type[Testing]) -> CausalPlan | None:
    """The plan of an analysis that tests nodes for a class; what is wrong is noted."""
    model, image_set = inquiry.model, inquiry.image_set
    if model is None or "target" not in fields:
        return None
    target = class_index(fields["target"], model)
    if target is None:
        message = f"{fields['target']} is no class of {model.id}, which has {len(model.labels)}"
        inquiry.wrong("params.target", f"{message} (0 is the first)")
        return None
    if image_set is None:
        return None
    classes = _classes(image_set, model)
    has_labels = any(picture.label is not None for picture in image_set.pictures)
    which: Which = fields.get("images") or ("of-class" if has_labels else "all")
    fixed = {**fields, "target": target, "images": which}
    plan = CausalPlan(
        model=model.ref,
        params=kind.model_validate(fixed).model_dump(mode="json"),
        target=target,
        label=model.labels[target],
        classes=classes,
    )
    pictures = plan.tested(image_set, which)
    if not pictures:
        inquiry.wrong("image_set", f"has no picture with the label {plan.label}")
    inquiry.check_size(pictures)
    return plan


async def used_plan(fields: Fields, inquiry: Inquiry, kind: type[OfGraph]) -> CausalPlan | None:
    """The plan of an analysis that puts a graph to use on the labelled pictures; what is wrong is noted."""
    graph = await _graph(fields, inquiry)
    model, image_set = inquiry.model, inquiry.image_set
    if graph is None or model is None or image_set is None:
        return None
    plan = CausalPlan(
        model=model.ref,
        params=kind.model_validate(fields).model_dump(mode="json"),
        target=graph.target,
        label=graph.label,
        classes=_classes(image_set, model),
    )
    if not plan.of_class(image_set):
        inquiry.wrong("image_set", f"has no picture with the label {plan.label}, the class of the graph")
    inquiry.check_size(plan.labelled(image_set))
    return plan


async def _graph(fields: Fields, inquiry: Inquiry) -> CausalGraph | None:
    """The graph of a request, if it is of the model that is asked about."""
    if "graph" not in fields:
        return None
    content = await inquiry.earlier(fields["graph"], GRAPH_KIND, "params.graph")
    if content is None:
        return None
    graph = CausalGraph.model_validate_json(content)
    if inquiry.model is not None and graph.model != inquiry.model.ref:
        inquiry.wrong("params.graph", f"is of {graph.model.own_key}, not of {inquiry.model.ref.own_key}")
    return graph


def _classes(image_set: ImageSet, model: ModelCard) -> dict[str, int]:
    labels = sorted({picture.label for picture in image_set.pictures if picture.label is not None})
    found = {label: class_index(label, model) for label in labels}
    return {label: index for label, index in found.items() if index is not None}


def _labelled(image_set: ImageSet, classes: dict[str, int]) -> tuple[SetPicture, ...]:
    return tuple(picture for picture in image_set.pictures if picture.label in classes)


def _of_class(image_set: ImageSet, classes: dict[str, int], target: int) -> tuple[SetPicture, ...]:
    return tuple(
        picture for picture in _labelled(image_set, classes) if classes[picture.label or ""] == target
    )
