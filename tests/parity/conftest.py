"""Each comparison draws the same numbers every time, in whatever order they run."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(autouse=True)
def _same_noise() -> None:
    torch.manual_seed(0)
