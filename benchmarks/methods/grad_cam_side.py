"""pytorch-grad-cam, used as its README says: parameters that ask for gradients, targets by class."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from pytorch_grad_cam import (
    AblationCAM,
    EigenCAM,
    FullGrad,
    GradCAM,
    GradCAMPlusPlus,
    HiResCAM,
    LayerCAM,
    ScoreCAM,
    XGradCAM,
)
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor

from benchmarks.methods.networks import Subject, for_peers
from benchmarks.methods.peers import Peer, Run

BATCH_SIZE = 32  # of the perturbing methods
LIBRARY = "pytorch-grad-cam"

CAMS: dict[str, type[Any]] = {  # Any: the library has no types
    "cam": GradCAM,
    "grad-cam": GradCAM,
    "grad-cam++": GradCAMPlusPlus,
    "xgrad-cam": XGradCAM,
    "hires-cam": HiResCAM,
    "layer-cam": LayerCAM,
    "eigen-cam": EigenCAM,
    "score-cam": ScoreCAM,
    "ablation-cam": AblationCAM,
}


def cam(method: str, *, tolerance: float | None = 1e-3, note: str = "") -> Peer:
    """The class of that method."""

    def prepare(subject: Subject) -> Run:
        return caller(CAMS[method], subject)

    return Peer(LIBRARY, prepare, tolerance, note)


def frozen_cam(method: str) -> Peer:
    """A frozen network, which the library takes when the pictures ask for gradients."""

    def prepare(subject: Subject) -> Run:
        return caller(CAMS[method], subject, frozen=True)

    return Peer(f"{LIBRARY}, frozen", prepare)


def full_grad() -> Peer:
    """It has no choice of a layer."""

    def prepare(subject: Subject) -> Run:
        with _quiet():
            return caller(FullGrad, subject, layers=False)

    return Peer(LIBRARY, prepare, None, "scales every channel to 0..1 before it adds them")


def caller(kind: type[Any], subject: Subject, *, frozen: bool = False, layers: bool = True) -> Run:
    """The call that is timed; maps come back scaled to 0..1."""
    network = for_peers(subject.network, frozen=frozen)
    wanted = [network.get_submodule(subject.layer)] if layers and subject.layer else []
    explainer = kind(network, wanted)
    if kind in (AblationCAM, ScoreCAM):
        explainer.batch_size = BATCH_SIZE
    targets = [ClassifierOutputTarget(target) for target in subject.targets]
    images = subject.images.clone().requires_grad_(frozen)

    def run() -> Tensor:
        with _quiet():
            return torch.from_numpy(np.asarray(explainer(input_tensor=images, targets=targets)))

    return run


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without its progress bars and warnings."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
