"""Metrics of the maps of a peer, which know nothing of the network."""

from __future__ import annotations

from torch import Tensor, nn

from workers.declare import Measure
from workers.metrics import METRICS
from workers.probe import Circumstances, Probe
from workers.probe.explainers import Explainer
from workers.probe.passes import Pass
from workers.probe.trial import Trial


def of_peer(peer: Explainer, network: nn.Module, images: Tensor, metric: str) -> Measure:
    """What a metric with its default parameters says of a peer's maps of the first class."""
    shared = Pass(network, images)
    rows = [(image, 0) for image in range(len(images))]
    probe = Probe(shared, range(len(rows)), [0] * len(rows), seeds=range(len(rows)))
    trial = Trial(shared, rows, probe, peer.explain(probe), peer, chunk_rows=8, circumstances=Circumstances())
    return METRICS[metric].measure(trial, METRICS[metric].params())
