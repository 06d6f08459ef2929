"""The road for notebooks and tests: any classifier and some inputs in, relevance maps out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from jobs.causal import CausalGraph
from jobs.errors import InvalidRequest, Problem
from workers.declare import Method, Metric, Params, in_words, wrong_fields
from workers.methods import METHODS
from workers.probe import Probe
from workers.probe.explainers import Explainer, Jurors
from workers.probe.passes import Pair, Pass
from workers.tasks import explainer_of, jurors_of, recording_for
from workers.tensors.patch_gaussians import PatchGaussian

CHUNK_ROWS = 32

Targets = int | Sequence[int] | Tensor | None
Graphs = CausalGraph | Sequence[CausalGraph] | None


@torch.inference_mode(False)
@torch.no_grad()  # the probe switches gradients on where it needs them
def explain(
    module: nn.Module,
    inputs: Tensor,
    targets: Targets = None,
    method: str = "grad-cam",
    layer: str | None = None,
    *,
    seed: int = 0,
    value_range: tuple[float, float] | None = None,
    patches: PatchGaussian | None = None,
    reference: Tensor | None = None,
    graph: Graphs = None,
    **params: Any,  # Any: each method has parameters of its own
) -> Tensor:
    """Relevance (N, H, W) float32 of a classifier for inputs (N, C, H, W); signed, not normalised.

    `targets` is one class for all inputs, or one for each; none means the predicted classes. `layer` is a
    dotted path, for the methods that read a layer; `params` are the other parameters of the method.
    `value_range` is black and white in the units of the inputs; without it the least and the greatest value
    of each input stand in. `patches` are statistics of such inputs, for `prediction-difference`. `reference`
    is an image (1, C, H, W) for all inputs, or one for each, for the methods that compare with another image.
    `graph` is the causal graph of the class, made of this module, or those of several, for the methods that
    read one.
    The module must be in evaluation mode, and is left as it was.

    Raises InvalidRequest naming every wrong parameter, and NotExplainable when the module cannot be
    explained by the method.
    """
    chosen, checked = choose(method, {**params, **({} if layer is None else {"layer": layer})})
    asked = explained(
        module,
        inputs,
        targets,
        chosen,
        checked,
        seed=seed,
        value_range=value_range,
        patches=patches,
        reference=reference,
        graph=graph,
    )
    parts = [one.explainer.explain(one.probe).maps.detach().float() for one in asked]
    return torch.cat(parts).to(inputs.device)


@dataclass(frozen=True)
class Asked:
    """Some of the inputs, ready to be explained: their shared pass, rows, probe, and how to explain them."""

    # Any: each method has a class of parameters of its own, and `params` is of this method's.
    method: Method[Any]
    params: Params
    shared: Pass
    rows: Sequence[Pair]
    probe: Probe
    explainer: Explainer
    jurors: Jurors


# Any: each method has a class of parameters of its own.
def choose(method: str, params: Mapping[str, Any]) -> tuple[Method[Any], Params]:
    """A method by name with its checked parameters. Raises InvalidRequest naming every wrong one."""
    chosen = METHODS.get(method)
    if chosen is None:
        raise invalid("method", f"there is no {method!r}; there are {', '.join(METHODS)}")
    return chosen, check(chosen, params)


def explained(
    module: nn.Module,
    inputs: Tensor,
    targets: Targets,
    method: Method[Any],  # Any: see above
    params: Params,
    *,
    seed: int = 0,
    value_range: tuple[float, float] | None = None,
    patches: PatchGaussian | None = None,
    reference: Tensor | None = None,
    graph: Graphs = None,
) -> Iterator[Asked]:
    """The inputs (N, C, H, W) some at a time, made ready; arguments and errors are those of `explain`."""
    if inputs.dim() != 4 or not len(inputs):
        raise invalid("inputs", f"must be (N, C, H, W), not {tuple(inputs.shape)}")
    classes = _classes(targets, len(inputs))
    references = None if reference is None else _references(reference, inputs)
    excerpts = [one.excerpt for one in ([graph] if isinstance(graph, CausalGraph) else graph or ())]
    for start in range(0, len(inputs), CHUNK_ROWS):
        some = slice(start, start + CHUNK_ROWS)
        shared = _record(module, inputs[some], method, params, value_range=value_range, patches=patches)
        chosen = _fill_in(classes[some], shared.logits)
        rows = list(enumerate(chosen))
        shared.expect(rows)
        probe = Probe(
            shared,
            range(len(rows)),
            chosen,
            seeds=[seed] * len(rows),
            chunk_rows=CHUNK_ROWS,
            references=None if references is None else references[some],
            graphs=None if graph is None else [excerpts] * len(rows),
        )
        explainer = explainer_of(method, params, shared.recording)
        yield Asked(method, params, shared, rows, probe, explainer, jurors_of(method, METHODS, shared))


def _record(
    module: nn.Module,
    inputs: Tensor,
    method: Method[Any],  # Any: see above
    params: Params,
    *,
    value_range: tuple[float, float] | None,
    patches: PatchGaussian | None,
) -> Pass:
    black, white = (None, None) if value_range is None else _bounds(inputs, value_range)
    recording = recording_for(method, params, Pass(module, inputs))
    return Pass(module, inputs, recording, black=black, white=white, patches=patches)


def _fill_in(classes: Sequence[int | None], logits: Tensor) -> list[int]:
    """The classes asked for, and the predicted ones where none was."""
    predicted = logits.argmax(dim=1).tolist()
    targets = [guess if wanted is None else wanted for wanted, guess in zip(classes, predicted, strict=True)]
    wrong = [target for target in targets if not 0 <= target < logits.shape[1]]
    if wrong:
        raise invalid("targets", f"class {wrong[0]} is not one of the {logits.shape[1]}")
    return targets


# Any: see above
def check(owner: Method[Any] | Metric[Any], given: Mapping[str, Any]) -> Params:
    """Parameters of a method or a metric. Raises InvalidRequest naming every wrong one."""
    try:
        params: Params = owner.params.model_validate(given)
    except ValidationError as error:
        problems = wrong_fields(error, whole="params")
        raise InvalidRequest(f"{owner.name}: {in_words(problems)}", problems=problems) from error
    return params


def _classes(targets: Targets, count: int) -> list[int | None]:
    if targets is None or isinstance(targets, int):
        return [targets] * count
    classes = [int(target) for target in targets]
    if len(classes) != count:
        raise invalid("targets", f"{len(classes)} targets for {count} inputs")
    return list(classes)


def _references(reference: Tensor, inputs: Tensor) -> Tensor:
    """(N, C, H, W), one for each input."""
    if reference.shape[1:] != inputs.shape[1:] or len(reference) not in (1, len(inputs)):
        wanted = f"(1 or {len(inputs)}, {', '.join(map(str, inputs.shape[1:]))})"
        raise invalid("reference", f"must be {wanted}, not {tuple(reference.shape)}")
    return reference.expand_as(inputs)


def _bounds(inputs: Tensor, value_range: tuple[float, float]) -> tuple[Tensor, Tensor]:
    black, white = (inputs.new_full((1, inputs.shape[1]), value) for value in value_range)
    return black, white


def invalid(field: str, message: str) -> InvalidRequest:
    """The error that names one wrong argument."""
    return InvalidRequest(f"{field}: {message}", problems=(Problem(field=field, message=message),))
