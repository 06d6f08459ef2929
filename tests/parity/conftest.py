"""Each comparison draws the same numbers every time, and no file keeps the networks of another in memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from tests.parity import nets


@pytest.fixture(autouse=True)
def _same_noise(no_cover: None) -> None:
    """Lines are not counted here: that takes longer, and the tests of each method run them all."""
    torch.manual_seed(0)


@pytest.fixture(scope="module", autouse=True)
def _let_networks_go() -> Iterator[None]:
    """They are large, and twice as large in float64."""
    yield
    nets.network.cache_clear()
    nets.real_network.cache_clear()
