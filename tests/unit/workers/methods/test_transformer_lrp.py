"""Transformer LRP by the equations of the paper on one layer, and its independence of mates."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import workers
from jobs.errors import NotExplainable
from tests.unit.workers.methods.transformers import (
    Averaging,
    averaging,
    on_grid,
    photos,
    radiographs,
    small_vit,
)
from tests.unit.workers.networks import seeded

TARGETS = [2, 0, 3]


class OneLayer(nn.Module):
    """A class token beside 2 x 2 patches, one head that mixes the tokens themselves, a skip, a matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 6, 2, stride=2)
        self.class_token = nn.Parameter(torch.randn(1, 1, 6))
        self.queries = nn.Linear(6, 6)
        self.head = nn.Linear(6, 4)

    def tokens(self, images: Tensor) -> Tensor:
        patches = self.patches(images).flatten(2).transpose(1, 2)
        return torch.cat([self.class_token.expand(self.count(images), -1, -1), patches], dim=1)

    def count(self, images: Tensor) -> int:
        return images.shape[0]

    def weights(self, tokens: Tensor) -> Tensor:
        return torch.as_tensor((self.queries(tokens) @ tokens.transpose(1, 2)).softmax(dim=-1))

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.tokens(images)
        mixed = tokens + self.weights(tokens) @ tokens
        return torch.as_tensor(self.head(mixed[:, 0]))


class Counted(OneLayer):
    """The number of images is a constant in its graph."""

    def count(self, images: Tensor) -> int:
        return len(images)


@pytest.mark.parametrize("stabiliser", [0.0, 0.1])
@pytest.mark.parametrize("make", [OneLayer, Counted])
def test_one_layer_by_hand(make: type[OneLayer], stabiliser: float) -> None:
    network = seeded(make).double()
    images = torch.randn(3, 1, 4, 4, generator=torch.Generator().manual_seed(2)).double()
    expected = torch.stack(
        [_by_hand(network, image, target, stabiliser) for image, target in zip(images, TARGETS, strict=True)]
    )

    found = workers.explain(network, images, TARGETS, method="transformer-lrp", stabiliser=stabiliser)

    torch.testing.assert_close(found, on_grid(expected, cells=(2, 2), size=(4, 4)))
    assert (found > 0).any()


def _by_hand(network: nn.Module, image: Tensor, target: int, stabiliser: float) -> Tensor:
    """(4,): the row of the class token in I + (dS/dA * R_A)+, at the patches."""
    assert isinstance(network, OneLayer)
    with torch.no_grad():
        (tokens,) = network.tokens(image[None])
        (weights,) = network.weights(tokens[None])[:, 0]
        row = network.head.weight[target]
        read = weights @ tokens
        out = tokens[0] + read
    positive = (out * row).clamp(min=0)
    of_out = positive / positive.sum()  # equation 7
    denominator = out + stabiliser * (tokens[0].abs() + read.abs()) * out.sign()
    of_skip, of_read = tokens[0] * of_out / denominator, read * of_out / denominator  # equation 8
    whole = of_skip.sum().abs() + of_read.sum().abs()
    of_read = of_read * of_read.sum().abs() / whole * of_out.sum() / of_read.sum()  # equation 10
    denominator = read + stabiliser * (weights @ tokens.abs()) * read.sign()
    of_weights = weights * (tokens * of_read / denominator).sum(dim=1)  # equation 8
    of_weights = of_weights / of_weights.sum() * of_read.sum() / 2  # equation 10: both have the same sum
    slope = tokens @ row
    return torch.as_tensor((slope * of_weights).clamp(min=0)[1:])


def test_mates_in_the_batch_change_nothing() -> None:
    """The sums of equation 10 are those of an image; over the batch they would mix what is explained."""
    network, images = small_vit(), radiographs()
    alone = workers.explain(network, images[:1], TARGETS[:1], method="transformer-lrp")

    for mate in (images[1:2], 40 * images[2:3]):
        found = workers.explain(network, torch.cat([images[:1], mate]), TARGETS[:2], method="transformer-lrp")
        torch.testing.assert_close(found[:1], alone)


def test_images_in_the_second_dimension_are_kept_apart_too() -> None:
    first, second = averaging(batch_first=True), averaging(batch_first=False)
    second.load_state_dict(first.state_dict())

    maps = [workers.explain(one, photos(), TARGETS, method="transformer-lrp") for one in (first, second)]

    torch.testing.assert_close(maps[0], maps[1])
    assert (maps[0] > 0).any()


def test_targets_of_one_image_differ() -> None:
    image = radiographs(1).expand(4, -1, -1, -1)

    found = workers.explain(small_vit(), image, range(4), method="transformer-lrp")

    assert len({tuple(one.flatten().tolist()) for one in found}) == 4


class Normalised(nn.Module):
    """A small transformer with a call that no rule is made for, before its tokens or after them."""

    def __init__(self, *, above: bool) -> None:
        super().__init__()
        self.transformer = Averaging(batch_first=True)
        self.above = above

    def forward(self, images: Tensor) -> Tensor:
        if not self.above:
            images = images / torch.linalg.vector_norm(images, dim=1, keepdim=True)
        logits: Tensor = self.transformer(images)
        return logits / torch.linalg.vector_norm(logits, dim=1, keepdim=True) if self.above else logits


@pytest.mark.parametrize("method", ["transformer-relevance", "transformer-lrp"])
def test_what_lies_below_the_first_attention_is_not_walked_back(method: str) -> None:
    network = Normalised(above=False).eval()

    assert workers.explain(network, photos().float(), TARGETS, method=method).isfinite().all()


def test_what_no_rule_is_made_for_is_refused_with_its_name() -> None:
    with pytest.raises(NotExplainable, match="div"):
        workers.explain(Normalised(above=True).eval(), photos().float(), TARGETS, method="transformer-lrp")
