"""The traced forward pass of a network, call by call: what modified backward rules walk on."""

from workers.graph.calls import Call, Site
from workers.graph.graph import IMAGE, Graph
from workers.graph.kinds import AFFINE, Kind
from workers.graph.tracing import graph_of, trace_as
from workers.graph.walk import Step, compute, walk

__all__ = [
    "AFFINE",
    "IMAGE",
    "Call",
    "Graph",
    "Kind",
    "Site",
    "Step",
    "compute",
    "graph_of",
    "trace_as",
    "walk",
]
