"""A job made ready to compute: its method found, its parameters, targets and layers checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from jobs.catalogue import Need
from jobs.errors import NotExplainable
from jobs.job import Job, MethodRef, MetricRef
from jobs.trust import Measurement
from workers.declare import Method, Metric, Params, in_words, wrong_fields
from workers.metrics import METRICS
from workers.probe.explainers import Explainer, Jurors
from workers.probe.layers import Layer, Layers
from workers.probe.passes import Pass, Recording
from workers.variants import variants

NEEDS_GRAPHS = "needs a causal graph of the class: ask for one with POST /api/v1/analyses, kind causal-graph"

Schema = TypeVar("Schema", bound=BaseModel)


@dataclass(frozen=True)
class AskedMetric:
    """A metric with the parameters that a job wants; `cost` is that of one map with its peers."""

    # Any: each metric has a class of parameters of its own, and `params` is of this metric's.
    metric: Metric[Any]
    params: Params
    cost: float

    # Any: words of JSON.
    def says(
        self,
        value: float | None,
        *,
        random: float | None = None,
        edges: float | None = None,
        details: dict[str, Any] | None = None,
    ) -> Measurement:
        """The figures in the words of a result."""
        return Measurement(
            metric=self.metric.name,
            version=self.metric.version,
            params=self.params.model_dump(mode="json"),
            higher_is_better=self.metric.higher_is_better,
            value=value,
            random=random,
            edges=edges,
            details=details or {},
        )


@dataclass(frozen=True)
class Task:
    """A job of a batch by its place, with the image of the shared pass that it explains."""

    place: int
    job: Job
    image: int
    # Any: each method has a class of parameters of its own, and `params` is of this method's.
    method: Method[Any]
    params: Params
    layers: tuple[Layer, ...]
    metrics: tuple[AskedMetric, ...] = ()

    @property
    def group(self) -> tuple[str, Params]:
        """Tasks of equal groups are explained by one call of their method."""
        return self.method.name, self.params

    @property
    def explainer(self) -> Explainer:
        """How the maps of its group are made, on any pass that records what they need."""
        return explainer_of(self.method, self.params, recording_of([self]))

    @property
    def map_cost(self) -> float:
        """Forward passes for the map of one target."""
        return self.method.card().cost_of(self.job.method.params, 1)


def make_task(
    place: int,
    job: Job,
    image: int,
    *,
    methods: Mapping[str, Method[Any]],
    layers: Layers,
    default_layer: str | None,
    classes: int,
) -> Task:
    """Raises NotExplainable naming what is wrong with the job for this worker and model."""
    method = _method(job.method, methods)
    params = _params(method, job.method)
    metrics = [_metric(ref) for ref in job.metrics]
    _check_reference(method, job)
    _check_graphs(method, job)
    _check_mask(metrics, job)
    wrong = [target for target in job.targets if not 0 <= target < classes]
    if wrong:
        message = f"class {wrong[0]} is not one of the {classes} that the model has"
        raise NotExplainable.about("target", message)
    read = tuple(
        layers.resolve(
            name if name is not None else default_layer, gradients=Need.LAYER_GRADIENTS in method.needs
        )
        for name in method.layers(params)
    )
    task = Task(place, job, image, method, params, read)
    asked = (_asked(one, ref, task.map_cost) for one, ref in zip(metrics, job.metrics, strict=True))
    return replace(task, metrics=tuple(asked))


def checked_params(schema: type[Schema], ref: MethodRef | MetricRef) -> Schema:
    """The parameters that a job names. Raises NotExplainable naming every wrong one."""
    try:
        return schema.model_validate(ref.params)
    except ValidationError as error:
        problems = wrong_fields(error, whole="params")
        raise NotExplainable(f"{ref.name}: {in_words(problems)}", problems=problems) from error


def recording_of(tasks: Iterable[Task]) -> Recording:
    """What the one pass must record for all of them."""
    tasks = list(tasks)
    needs = frozenset[Need]().union(*(task.method.needs for task in tasks))
    return Recording(
        layers=tuple(dict.fromkeys(layer for task in tasks for layer in task.layers)),
        layer_gradients=Need.LAYER_GRADIENTS in needs,
        input_gradients=Need.INPUT_GRADIENTS in needs,
    )


def recording_for(method: Method[Any], params: Params, trial: Pass) -> Recording:
    """What a pass must record for one method; `trial` is any pass of the network with such images."""
    with_gradients = Need.LAYER_GRADIENTS in method.needs
    return Recording(
        layers=tuple(trial.layer(name, gradients=with_gradients) for name in method.layers(params)),
        layer_gradients=with_gradients,
        input_gradients=Need.INPUT_GRADIENTS in method.needs,
    )


def explainer_of(method: Method[Any], params: Params, recording: Recording) -> Explainer:
    """A method with its parameters, and with those that somebody else might have chosen."""
    return Explainer(
        lambda probe: method.explain(probe, params),
        recording,
        lambda: ((name, explainer_of(method, other, recording)) for name, other in variants(params)),
    )


def jurors_of(own: Method[Any], methods: Mapping[str, Method[Any]], shared: Pass) -> Jurors:
    """The other methods by name, with the parameters of their defaults, on passes of the same network."""

    def find(name: str) -> Explainer | None:
        if name == own.name:
            return None
        method = methods.get(name)
        if method is None:
            raise NotExplainable.about("methods", f"this worker has no {name!r}")
        params = method.params()
        return explainer_of(method, params, recording_for(method, params, shared))

    return find


def share_of_maps(group: Sequence[Task]) -> float:
    """The share of a group's forward passes that goes into its maps, not into what is measured of them."""
    maps = sum(task.map_cost for task in group)
    return maps / (maps + sum(one.cost for task in group for one in task.metrics))


def grouped(tasks: Sequence[Task]) -> list[list[Task]]:
    """Tasks of equal method and parameters together.

    Those that want gradients of the input come first: the same backward passes bring those of the layers.
    Then the cheap ones, which leave their share of the time to the others.
    """
    groups: dict[tuple[str, Params], list[Task]] = {}
    for task in sorted(
        tasks, key=lambda task: (Need.INPUT_GRADIENTS not in task.method.needs, task.method.cost)
    ):
        groups.setdefault(task.group, []).append(task)
    return list(groups.values())


def _method(ref: MethodRef, methods: Mapping[str, Method[Any]]) -> Method[Any]:
    method = methods.get(ref.name)
    if method is None or method.version != ref.version:
        message = f"this worker has no {ref.name!r} of version {ref.version}"
        raise NotExplainable.about("method", message)
    return method


def _check_reference(method: Method[Any], job: Job) -> None:
    """A group has references for all of its rows, or for none."""
    needed = Need.REFERENCE in method.needs
    if needed != (job.reference is not None):
        message = f"{method.name} {'needs a' if needed else 'has no use for the'} reference image"
        raise NotExplainable.about("reference", message)


def _check_graphs(method: Method[Any], job: Job) -> None:
    """A group has graphs for all of its rows, or for none; they are of the weights that are explained."""
    needed = Need.GRAPH in method.needs
    if needed != bool(job.graphs):
        message = f"{method.name} {NEEDS_GRAPHS if needed else 'has no use for causal graphs'}"
        raise NotExplainable.about("target", message)
    if any(graph.model != job.model.digest for graph in job.graphs):
        raise NotExplainable.about("target", "a causal graph is of other weights")


# Any: each metric has a class of parameters of its own.
def _check_mask(metrics: Sequence[Metric[Any]], job: Job) -> None:
    """It must lie upon the image, for the metrics that need one."""
    needy = [metric.name for metric in metrics if metric.needs_mask]
    if needy and job.mask is None:
        raise NotExplainable.about("mask", f"{needy[0]} needs a mask")
    if job.mask is not None:
        if not needy:
            raise NotExplainable.about("mask", "no metric that is asked for has a use for the mask")
        image, mask = ((picture.height, picture.width) for picture in (job.image, job.mask))
        if image != mask:
            raise NotExplainable.about("mask", f"it is {mask}, and not as large as the image, {image}")


def _metric(ref: MetricRef) -> Metric[Any]:  # Any: see above
    metric = METRICS.get(ref.name)
    if metric is None or metric.version != ref.version:
        message = f"this worker has no {ref.name!r} of version {ref.version}"
        raise NotExplainable.about("metrics", message)
    return metric


def _asked(metric: Metric[Any], ref: MetricRef, map_cost: float) -> AskedMetric:  # Any: see above
    return AskedMetric(metric, _params(metric, ref), metric.card().cost_of(ref.params, map_cost))


def _params(owner: Method[Any] | Metric[Any], ref: MethodRef | MetricRef) -> Params:
    params: Params = checked_params(owner.params, ref)
    return params
