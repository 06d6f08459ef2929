"""Attention rollout against products of whole matrices, read by hooks."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import workers
from jobs.errors import NotExplainable
from tests.unit.workers.methods.transformers import (
    attention_by_hook,
    averaging,
    on_grid,
    photos,
    radiographs,
    small_vit,
)
from tests.unit.workers.networks import SUBJECTS


@pytest.mark.parametrize("fusion", ["mean", "max", "min"])
def test_the_map_is_the_row_of_the_class_token_in_the_product(fusion: str) -> None:
    network, images = small_vit(), radiographs()
    layers = []
    for weights, _ in attention_by_hook(network, images, [0, 1, 2]):
        joined = {"mean": weights.mean(1), "max": weights.amax(1), "min": weights.amin(1)}[fusion]
        joined = joined / joined.sum(dim=2, keepdim=True)
        layers.append(0.5 * joined + 0.5 * torch.eye(10))
    expected = on_grid((layers[1] @ layers[0])[:, 0, 1:], cells=(3, 3), size=(96, 96))

    torch.testing.assert_close(
        workers.explain(network, images, 0, method="attention-rollout", fusion=fusion), expected
    )


def test_attention_of_torch_is_read_too() -> None:
    subject = SUBJECTS["vision-transformer"]
    network, images = subject.network(), subject.images()
    product = torch.eye(17)
    for weights in _attention_of_torch(network, images):
        product = (0.5 * weights + 0.5 * torch.eye(17)) @ product

    found = workers.explain(network, images, 0, method="attention-rollout")

    torch.testing.assert_close(found, on_grid(product[:, 0, 1:], cells=(4, 4), size=(32, 32)))


@pytest.mark.parametrize("batch_first", [True, False])
def test_without_a_class_token_all_tokens_are_read(batch_first: bool) -> None:
    network, images = averaging(batch_first=batch_first), photos()
    product = torch.eye(6).double()
    for weights in _attention_of_torch(network, images):
        product = (0.5 * weights + 0.5 * torch.eye(6)) @ product

    found = workers.explain(network, images, 0, method="attention-rollout")

    torch.testing.assert_close(found, on_grid(product.mean(dim=1), cells=(2, 3), size=(8, 12)))


def test_rows_sum_to_one_so_the_patches_have_the_rest_of_the_class_token() -> None:
    found = workers.explain(small_vit(), radiographs(), 0, method="attention-rollout")

    assert (found >= 0).all()
    assert (found.mean(dim=(1, 2)) * 9 < 1).all()


def test_attention_in_windows_is_refused_with_its_name() -> None:
    subject = SUBJECTS["swin"]

    with pytest.raises(NotExplainable, match=r"softmax in 'features.1.0.attn' is attention over 16 x 16"):
        workers.explain(subject.network(), subject.images(), 0, method="attention-rollout")


def test_windows_as_large_as_the_last_grid_are_refused_too() -> None:
    subject = SUBJECTS["swin"]
    images = torch.randn(2, 3, 32, 32)  # windows of 4 x 4, and 4 x 4 places at the end

    with pytest.raises(NotExplainable, match=r"softmax in 'features.1.0.attn' is attention over 16 x 16"):
        workers.explain(subject.network(), images, 0, method="attention-rollout")


def test_a_network_without_attention_is_refused() -> None:
    subject = SUBJECTS["resnet18"]

    with pytest.raises(NotExplainable, match="no attention"):
        workers.explain(subject.network(), subject.images(), 0, method="attention-rollout")


def _attention_of_torch(network: nn.Module, images: Tensor) -> list[Tensor]:
    """(N, T, T) of every layer, the mean of the heads."""
    kept: list[Tensor] = []
    attentions = [module for module in network.modules() if isinstance(module, nn.MultiheadAttention)]

    def ask_again(module: nn.Module, inputs: tuple[Tensor, ...], _: object) -> None:
        assert isinstance(module, nn.MultiheadAttention)
        query, key, value = inputs[:3]
        _, weights = module.forward(query, key, value, need_weights=True)
        assert weights is not None
        kept.append(weights.detach())

    handles = [module.register_forward_hook(ask_again) for module in attentions]
    network(images)
    for handle in handles:
        handle.remove()
    return kept
