"""captum's methods on segments: the same segments, as many forwards, as many inputs in one as ours takes."""

from __future__ import annotations

import math
from typing import Any

import torch
from captum._utils.models.linear_model import SkLearnLinearModel
from captum.attr import KernelShap, Lime, ShapleyValueSampling
from torch import Tensor, nn

from benchmarks.methods.captum_side import Call, first_channel, peer_of
from benchmarks.methods.networks import Subject
from benchmarks.methods.ours import CHUNK_ROWS
from benchmarks.methods.peers import Peer
from workers.perturbation.segments import SegmentParams, Segments
from workers.probe import Probe
from workers.probe.passes import Pass


def lime(segments: int, samples: int, width: float) -> Peer:
    """One picture after the other, as it does by itself; distances are of the segments that are shown."""

    def make(network: nn.Module, subject: Subject) -> Call:
        labels = _segments(subject, segments)

        def near(_: Tensor, __: Tensor, shown: Tensor, **___: object) -> float:
            distance = 1 - (float(shown.sum()) / shown.numel()) ** 0.5
            return math.exp(-(distance**2) / (2 * width**2))

        explainer = Lime(network, SkLearnLinearModel("linear_model.Ridge"), similarity_func=near)
        return _on_segments(explainer, labels, samples, CHUNK_ROWS)

    return peer_of(
        make, reduce=first_channel, tolerance=None, note="other samples, its ridge grows with theirs"
    )


def kernel_shap(segments: int, samples: int) -> Peer:
    """One picture after the other, as it does by itself."""

    def make(network: nn.Module, subject: Subject) -> Call:
        return _on_segments(KernelShap(network), _segments(subject, segments), samples, CHUNK_ROWS)

    return peer_of(make, reduce=first_channel, tolerance=None, note="other samples, none in pairs")


def shapley_sampling(segments: int, orders: int) -> Peer:
    """With as many coalitions at a time as ours takes."""

    def make(network: nn.Module, subject: Subject) -> Call:
        labels = _segments(subject, segments)
        at_once = CHUNK_ROWS // len(subject.images)
        return _on_segments(ShapleyValueSampling(network), labels, orders, at_once)

    return peer_of(make, reduce=first_channel, tolerance=None, note="other orders, none in pairs")


def _on_segments(explainer: Any, labels: Tensor, samples: int, at_once: int) -> Call:  # Any: no types there
    def call(images: Tensor, targets: Tensor) -> Tensor:
        with torch.no_grad():
            maps = explainer.attribute(
                images,
                target=targets,
                feature_mask=labels,
                n_samples=samples,
                perturbations_per_eval=at_once,
            )
        return torch.as_tensor(maps)

    return call


def _segments(subject: Subject, segments: int) -> Tensor:
    """(1, 1, H, W): the same for every picture, as its size decides alone."""
    probe = Probe(Pass(subject.network, subject.images[:1]), [0], [0])
    return Segments.of(probe, SegmentParams(segmentation="grid", segments=segments)).labels[None]
