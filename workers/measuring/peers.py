"""Maps that know nothing of the network, to stand beside those that should: chance, and edges."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from workers.declare import Relevance
from workers.probe import Probe
from workers.probe.explainers import Explainer
from workers.tensors.grey import GREY_WEIGHTS

SOBEL = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))


def random_peer(native_grid: tuple[int, int]) -> Explainer:
    """Uniform values by the seed on a grid as coarse as that of the map beside it, made larger like one."""

    def explain(probe: Probe) -> Relevance:
        grids = torch.stack([_uniform(seed, native_grid) for seed in probe.seeds])
        grids = grids.to(probe.images).unsqueeze(1)
        if native_grid != probe.input_size:
            grids = F.interpolate(grids, size=probe.input_size, mode="bilinear", align_corners=False)
        return Relevance(maps=grids.squeeze(1), native_grid=native_grid)

    return Explainer(explain)


def _uniform(seed: int, size: tuple[int, int]) -> Tensor:
    """From a stream of its own: the method draws from the one of the seed itself."""
    stream = torch.Generator().manual_seed(seed)
    return torch.rand(size, generator=stream.manual_seed(int(torch.randint(2**62, (), generator=stream))))


def _edges(probe: Probe) -> Relevance:
    """The Sobel magnitude of each image in grey."""
    images = probe.images
    if images.shape[1] == len(GREY_WEIGHTS):
        weights = images.new_tensor(GREY_WEIGHTS)[None, :, None, None]
        span = (probe.white - probe.black).abs().clamp_min(torch.finfo(images.dtype).tiny)
        images = (images * weights / span).sum(dim=1, keepdim=True)
    else:
        images = images.mean(dim=1, keepdim=True)
    across = images.new_tensor(SOBEL)
    kernels = torch.stack([across, across.T]).unsqueeze(1)
    gradients = F.conv2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), kernels)
    magnitudes = gradients.square().sum(dim=1).sqrt()
    return Relevance(maps=magnitudes[probe.image_of_row], native_grid=probe.input_size)


EDGES = Explainer(_edges)
