"""Small transformers whose attention can be read by a hook, and their matrices read that way."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tests.unit.workers.networks import seeded
from workers.phantom.nets import PhantomViT

SIDE = 96
PATCH = 32
HEADS = 2
TOKENS = 1 + (SIDE // PATCH) ** 2


class Averaging(nn.Module):
    """No class token; encoder layers of torch, whose tokens may come first and the images second."""

    def __init__(self, *, batch_first: bool) -> None:
        super().__init__()
        self.batch_first = batch_first
        self.patches = nn.Conv2d(3, 8, 4, stride=4)
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0, batch_first=batch_first)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(8, 5)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.patches(images).flatten(2)
        tokens = tokens.permute(0, 2, 1) if self.batch_first else tokens.permute(2, 0, 1)
        return torch.as_tensor(self.head(self.encoder(tokens).mean(dim=1 if self.batch_first else 0)))


def small_vit() -> nn.Module:
    """float64; heads counted among the images; a class token and 3 x 3 patches, in two layers."""
    return seeded(_small_vit)


def averaging(*, batch_first: bool = True) -> nn.Module:
    """float64, for images of 3 x 8 x 12, or any that patches of 4 divide."""
    return seeded(_batch_first if batch_first else _tokens_first)


def radiographs(count: int = 3) -> Tensor:
    return torch.randn(count, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(4)).double()


def photos(count: int = 3) -> Tensor:
    return torch.randn(count, 3, 8, 12, generator=torch.Generator().manual_seed(4)).double()


def attention_by_hook(
    network: nn.Module, images: Tensor, targets: Sequence[int]
) -> list[tuple[Tensor, Tensor]]:
    """For each layer of `small_vit` the weights (N, heads, T, T) and the gradient of the targets there."""
    kept: list[Tensor] = []
    handles = [
        module.register_forward_hook(lambda _module, _inputs, output: kept.append(output))
        for module in network.modules()
        if isinstance(module, nn.Softmax)
    ]
    with torch.enable_grad():
        logits = network(images)
        gradients = torch.autograd.grad(logits[range(len(images)), list(targets)].sum(), kept)
    for handle in handles:
        handle.remove()
    shape = (len(images), HEADS, TOKENS, TOKENS)
    return [(w.detach().view(shape), g.view(shape)) for w, g in zip(kept, gradients, strict=True)]


def on_grid(rows: Tensor, *, cells: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """(N, cells) -> (N, H, W), float32."""
    grid = rows.view(len(rows), 1, *cells)
    return nn.functional.interpolate(grid, size=size, mode="bilinear").squeeze(1).float()


def _small_vit() -> nn.Module:
    network = PhantomViT(width=8, heads=HEADS, depth=2, patch=PATCH).double()
    for path, weight in network.named_parameters():
        if path.endswith("queries.weight"):
            weight.data.mul_(6)  # attention that differs from place to place
    return network


def _batch_first() -> nn.Module:
    return Averaging(batch_first=True).double()


def _tokens_first() -> nn.Module:
    return Averaging(batch_first=False).double()
