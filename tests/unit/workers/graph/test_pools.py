"""Max-pools that return places beside their maxima."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from workers.graph import Kind, graph_of, walk


class Pooling(nn.Module):
    """One pool that returns places, which are read or not."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form, self.head = form, nn.Linear(12, 4)

    def forward(self, images: Tensor) -> Tensor:
        if self.form == "adaptive":
            return torch.as_tensor(self.head(F.adaptive_max_pool2d(images, 2).flatten(1)))
        if self.form == "one axis":
            return torch.as_tensor(self.head(F.adaptive_max_pool1d(images.flatten(2), 4).flatten(1)))
        maxima, places = F.max_pool2d(images, 4, return_indices=True)
        return torch.as_tensor(self.head((maxima * (places % 2)).flatten(1)))


@pytest.mark.parametrize("form", ["adaptive", "one axis", "places are read"])
def test_the_maxima_are_what_one_call_of_the_kind_returns(form: str) -> None:
    network, images = (
        Pooling(form).eval(),
        torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(1)),
    )
    graph = graph_of(network, images)

    with torch.no_grad():
        met = walk(graph, images, keep={call.name for call in graph.calls})
        assert torch.equal(met[graph.answer], network(images))

    pools = [met[call.name] for call in graph.calls if call.kind is Kind.MAX_POOL]
    assert any(isinstance(one, Tensor) for one in pools)
