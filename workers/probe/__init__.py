"""One network, one batch, one pass that everyone shares: the only road from a method to a model."""

from workers.probe.circumstances import Checkpoint, Circumstances, Draft, Interrupted
from workers.probe.leaves import Objective, PathGradients, Slopes
from workers.probe.rows import Output, Perturb, Probe

__all__ = [
    "Checkpoint",
    "Circumstances",
    "Draft",
    "Interrupted",
    "Objective",
    "Output",
    "PathGradients",
    "Perturb",
    "Probe",
    "Slopes",
]
