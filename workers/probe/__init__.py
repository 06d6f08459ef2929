"""One network, one batch, one pass that everyone shares: the only road from a method to a model."""

from workers.probe.leaves import PathGradients
from workers.probe.rows import Checkpoint, Interrupted, Perturb, Probe

__all__ = ["Checkpoint", "Interrupted", "PathGradients", "Perturb", "Probe"]
