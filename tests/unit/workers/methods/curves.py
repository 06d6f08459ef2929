"""How a score falls and rises as pixels go and come in the order of a map."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.methods.phantoms import maps_of, scenes, trained
from workers.phantom.pictures import normalise
from workers.tensors.baselines import blur

STEPS = 16


def better_than_random(method: str, model: str, count: int) -> tuple[int, int]:
    """Of how many phantoms the map deletes faster, and of how many it inserts faster, than a random map."""
    some, network = scenes()[:count], trained(model)
    maps = maps_of(network, some, method)
    assert maps is not None
    images = normalise(torch.from_numpy(np.stack([scene.image for scene in some])))
    blurred = blur(images, sigma=9.6)
    coarse = torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    noise = nn.functional.interpolate(coarse, size=(96, 96), mode="bilinear").squeeze(1).numpy()
    deleted = inserted = 0
    for place, scene in enumerate(some):
        pair = images[[place]], blurred[[place]]
        found, random = (areas(network, *pair, scene.label, one[place]) for one in (maps, noise))
        deleted += found[0] < random[0]
        inserted += found[1] > random[1]
    return deleted, inserted


def areas(
    network: nn.Module, image: Tensor, blurred: Tensor, target: int, order_by: NDArray[np.float32]
) -> tuple[float, float]:
    """Mean probability while the strongest pixels are blurred first, and while they are shown first."""
    order = np.argsort(-order_by.ravel(), kind="stable")
    masks = torch.zeros(STEPS + 1, order_by.size)
    for step in range(STEPS + 1):
        masks[step, order[: round(step * order_by.size / STEPS)]] = 1
    masks = masks.view(-1, 1, *order_by.shape)
    with torch.no_grad():
        deletion = network(torch.lerp(image, blurred, masks)).softmax(dim=1)[:, target]
        insertion = network(torch.lerp(blurred, image, masks)).softmax(dim=1)[:, target]
    return float(deletion.mean()), float(insertion.mean())
