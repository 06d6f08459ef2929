"""Our side of every comparison: what a worker runs for a batch of jobs, without HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from benchmarks.methods.networks import Subject
from jobs.catalogue import Need
from workers.declare import Method, Params
from workers.methods import METHODS
from workers.probe import Probe
from workers.probe.passes import Pass, Recording
from workers.runs import GRADIENTS
from workers.tasks import recording_for

CHUNK_ROWS = 32


@dataclass(frozen=True)
class Asked:
    """A method with its parameters."""

    method: Method[Any]  # Any: each method has parameters of its own
    params: Params


def ask(name: str, params: Mapping[str, Any], subject: Subject) -> Asked:  # Any: parameters of methods
    """The method by name; if it reads a layer, the one that the subject names."""
    method = METHODS[name]
    layer = {"layer": subject.layer} if "layer" in method.params.model_fields else {}
    return Asked(method, method.params.model_validate({**layer, **params}))


def explain(subject: Subject, asked: Asked) -> Tensor:
    """(N, H, W): each picture with its target."""
    return explain_together(subject, [asked], [(target,) for target in subject.targets])[0]


@torch.no_grad()
def explain_together(
    subject: Subject, asked: Sequence[Asked], targets: Sequence[Sequence[int]]
) -> list[Tensor]:
    """For each method (R, H, W), all from one recorded pass; a row is a picture with one of its targets."""
    rows = [(image, target) for image, classes in enumerate(targets) for target in classes]
    shared = Pass(subject.network, subject.images, _recording(subject, asked))
    if any(one.method.needs & GRADIENTS for one in asked):
        shared.expect(rows)
    images, classes = zip(*rows, strict=True)
    return [
        one.method.explain(Probe(shared, images, classes, chunk_rows=CHUNK_ROWS), one.params).maps
        for one in asked
    ]


def _recording(subject: Subject, asked: Sequence[Asked]) -> Recording:
    trial = Pass(subject.network, subject.images)
    each = [recording_for(one.method, one.params, trial) for one in asked]
    return Recording(
        layers=tuple(dict.fromkeys(layer for one in each for layer in one.layers)),
        layer_gradients=any(Need.LAYER_GRADIENTS in one.method.needs for one in asked),
        input_gradients=any(Need.INPUT_GRADIENTS in one.method.needs for one in asked),
    )
