"""Deep Taylor decomposition in matrix form, and what it conserves."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from jobs.errors import NotExplainable
from tests.unit.workers.networks import SUBJECTS, seeded
from workers.declare import Relevance
from workers.methods import METHODS
from workers.probe import Probe
from workers.probe.passes import Pass

LOW, HIGH = -1.0, 2.0
CLASSES = [0, 1, 2, 3]


def explained(network: nn.Module, images: Tensor, targets: list[int], **params: object) -> Relevance:
    method = METHODS["deep-taylor"]
    black, white = (torch.full((1, images.shape[1]), bound) for bound in (LOW, HIGH))
    probe = Probe(Pass(network, images, black=black, white=white), range(len(images)), targets)
    return method.explain(probe, method.params(**params))


def pictures(count: int, *shape: int) -> Tensor:
    return torch.rand(count, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(4)) * 3 - 1


def share(contributions: Tensor, relevance: Tensor) -> Tensor:
    sums = contributions.sum(0)
    return contributions @ torch.where(sums == 0, 0, relevance / sums)


@pytest.mark.parametrize("first", ["z-box", "w-square"])
def test_on_two_layers_it_is_the_product_of_their_matrices(first: str) -> None:
    network = seeded(
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(12, 20), nn.ReLU(), nn.Linear(20, 4))
    ).double()
    one, two = (network.get_submodule(path).get_parameter("weight").detach().T for path in "13")
    image = pictures(1, 3, 2, 2)
    hidden = (image.flatten(1) @ one + network.get_submodule("1").get_parameter("bias")).relu()[0].detach()
    logits = network(image)[0].detach()
    assert logits.min() < 0 < logits.max()

    found = explained(network, image.expand(4, -1, -1, -1), CLASSES, first=first)

    x = image.flatten()
    for target in CLASSES:
        column = two[:, target] * logits[target].sign()  # of -S_t where S_t is below zero
        relevance = share((hidden * column).clamp(min=0)[:, None], logits[target : target + 1])
        box = x[:, None] * one - LOW * one.clamp(min=0) - HIGH * one.clamp(max=0)  # eq. 15
        expected = share(box if first == "z-box" else one**2, relevance).view(3, 2, 2).sum(0)
        torch.testing.assert_close(found.maps[target], expected)


@pytest.mark.parametrize("subject", ["resnet18", "vgg"])
def test_it_conserves_the_score_and_has_its_sign(subject: str) -> None:
    net, images = SUBJECTS[subject].network().double(), pictures(3, *SUBJECTS[subject].shape)
    targets = [7, 0, 3]

    found = explained(net, images, targets)

    scores = net(images)[range(3), targets].detach()
    assert found.gaps is not None
    assert (found.gaps < 1e-6).all()
    torch.testing.assert_close(found.maps.sum((1, 2)), scores)
    assert (found.maps * scores.sign().view(3, 1, 1) >= 0).all()


def test_a_network_that_bends_its_values_otherwise_is_refused_by_name() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.GELU(), nn.Linear(8, 4)).double().eval()

    with pytest.raises(NotExplainable, match="gelu in '2'"):
        explained(network, pictures(1, 3, 2, 2), [0])
