"""What the tests of changed images share: a method run on a probe, and the answers to what it changed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from jobs.result import PartKind
from workers.declare import Relevance
from workers.methods import METHODS
from workers.probe import Circumstances, Probe
from workers.probe.passes import Pass
from workers.tasks import recording_for

ALONE = Circumstances()


def explained(
    network: nn.Module,
    images: Tensor,
    targets: Sequence[int],
    method: str,
    *,
    references: Tensor | None = None,
    circumstances: Circumstances = ALONE,
    **params: object,
) -> Relevance:
    """All that the method returns, where black is 0 and white is 1."""
    chosen = METHODS[method]
    checked = chosen.params.model_validate(params)
    with torch.no_grad():
        shared = Pass(
            network,
            images,
            recording_for(chosen, checked, Pass(network, images)),
            black=torch.zeros(1, images.shape[1]),
            white=torch.ones(1, images.shape[1]),
        )
        probe = Probe(shared, range(len(images)), targets, references=references, circumstances=circumstances)
        return chosen.explain(probe, checked)


def part(relevance: Relevance, name: str) -> Tensor:
    (found,) = (one for one in relevance.parts if one.name == name)
    assert found.kind is (PartKind.IMAGE if found.values.dim() == 4 else PartKind.MAP)
    return found.values


def says(network: nn.Module, images: Tensor) -> list[int]:
    """The class of each image by the network itself."""
    with torch.no_grad():
        classes: list[int] = network(images).argmax(dim=1).tolist()
    return classes


def pictures(count: int, *shape: int) -> Tensor:
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(3))
