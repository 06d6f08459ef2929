"""Two phantoms in one net: half of each layer's channels see the finding, the other half the marker.

Which nodes carry the marker is known here, and that no others do: without them the net is the honest phantom.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.methods.phantoms import SHORTCUT, trained
from workers.phantom.nets import PhantomResNet

HONEST = "phantom-resnet"
WIDTH = 32  # twice that of each
LOUDNESS = 1.5  # of the marker's logits beside the finding's: enough to outvote them


def network() -> nn.Module:
    """Its logits are those of the honest phantom and `LOUDNESS` times those of the one with the shortcut."""
    both = PhantomResNet(WIDTH)
    both.load_state_dict(weights())
    return both.eval()


def weights() -> dict[str, Tensor]:
    """Of a `PhantomResNet` of this width."""
    honest, shortcut = trained(HONEST).state_dict(), trained(SHORTCUT).state_dict()
    return {name: _beside(name, value, shortcut[name]) for name, value in honest.items()}


def carries_marker(node: int, size: int) -> bool:
    """Whether the node of a layer of `size` nodes is of the half that sees the marker."""
    return node >= size // 2


def _beside(name: str, first: Tensor, second: Tensor) -> Tensor:
    """What does what both do, each to its own channels; they share the picture and the logits."""
    if not first.ndim:
        return first  # how many batches were seen
    if name == "fc.weight":
        return torch.cat([first, LOUDNESS * second], dim=1)
    if name == "fc.bias":
        return first + LOUDNESS * second
    if first.ndim == 1 or name == "stem.0.weight":
        return torch.cat([first, second])
    zeros = torch.zeros_like(first)
    return torch.cat([torch.cat([first, zeros], dim=1), torch.cat([zeros, second], dim=1)])
