"""Transformer relevance against the paper's matrices, multiplied whole, with gradients read by hooks."""

from __future__ import annotations

import torch

import workers
from tests.unit.workers.methods.transformers import (
    attention_by_hook,
    averaging,
    on_grid,
    photos,
    radiographs,
    small_vit,
)

TARGETS = [2, 0, 3]


def test_the_map_is_the_row_of_the_class_token_in_r() -> None:
    network, images = small_vit(), radiographs()
    relevance = torch.eye(10).double()
    for weights, gradients in attention_by_hook(network, images, TARGETS):
        relevance = relevance + (gradients * weights).clamp(min=0).mean(dim=1) @ relevance
    expected = on_grid(relevance[:, 0, 1:], cells=(3, 3), size=(96, 96))

    found = workers.explain(network, images, TARGETS, method="transformer-relevance")

    torch.testing.assert_close(found, expected)
    assert (found > 0).any()


def test_targets_of_one_image_differ() -> None:
    image = radiographs(1).expand(4, -1, -1, -1)

    found = workers.explain(small_vit(), image, range(4), method="transformer-relevance")

    assert len({tuple(one.flatten().tolist()) for one in found}) == 4


def test_the_order_of_the_dimensions_changes_nothing() -> None:
    first, second = averaging(batch_first=True), averaging(batch_first=False)
    second.load_state_dict(first.state_dict())

    maps = [
        workers.explain(one, photos(), TARGETS, method="transformer-relevance") for one in (first, second)
    ]

    torch.testing.assert_close(maps[0], maps[1])
    assert (maps[0] > 0).any()
