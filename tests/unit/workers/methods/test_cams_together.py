"""Several class activation maps of one batch: one forward and one backward for all of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from jobs.catalogue import Family, Need
from jobs.job import Job, Opened
from tests.unit.workers.forwards import count_passes
from workers.methods import METHODS
from workers.onlooker import Onlooker
from workers.runner import Runner

FROM_THE_PASS = [
    name
    for name, method in METHODS.items()
    if method.family is Family.CAM and method.needs <= {Need.ACTIVATIONS, Need.LAYER_GRADIENTS}
    if name != "contrastive-grad-cam"  # its gradient is that of another loss
]


def test_they_share_one_forward_and_one_backward(
    runner: Runner, ask: Callable[..., tuple[Job, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = [Opened(*ask(image, method, (1,))) for method in FROM_THE_PASS for image in (0, 1)]
    alone = [runner.run([one], Onlooker())[0] for one in batch]  # the layers are found once
    passes = count_passes(monkeypatch)
    together = runner.run(batch, Onlooker())

    assert len(FROM_THE_PASS) >= 8
    assert passes == [2, "backward"]
    for answer, expected in zip(together, alone, strict=True):
        found, wanted = (np.frombuffer(one.maps["1"], "<f4") for one in (answer, expected))
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * float(np.abs(wanted).max()))
