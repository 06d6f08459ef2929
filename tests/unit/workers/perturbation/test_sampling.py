"""The rounds of samples: what they cost, when they end, and what is shown meanwhile."""

from __future__ import annotations

import gc
import itertools
import warnings
from collections.abc import Mapping
from typing import Any

import pytest
import torch

from jobs.result import Stop
from tests.unit.workers.forwards import count_forwards
from tests.unit.workers.networks import Pooled, seeded
from workers.declare import Relevance
from workers.methods import METHODS
from workers.methods.rise import METHOD, RiseParams
from workers.probe import Circumstances, Draft, Probe
from workers.probe.passes import Pass

# Every method that draws samples, with what makes its rounds many and small.
SAMPLING: Mapping[str, Mapping[str, Any]] = {  # Any: parameters of methods
    "rise": {"max_samples": 704},
    "lime": {"segments": 8, "max_samples": 704},
    "kernel-shap": {"segmentation": "grid", "segments": 12, "max_samples": 704},
    "shapley-sampling": {"segmentation": "grid", "segments": 12, "max_samples": 1100},
    "sobol": {"cells": 3, "max_samples": 2800},
}


def explain(circumstances: Circumstances, **params: object) -> Relevance:
    shared = Pass(seeded(Pooled), torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(1)))
    probe = Probe(shared, [0, 0], [1, 2], circumstances=circumstances)
    with torch.no_grad():
        return METHOD.explain(probe, RiseParams.model_validate(params))


def test_no_forward_more_than_allowed_is_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = count_forwards(monkeypatch)
    found = explain(Circumstances(), max_samples=200)

    assert found.samples is not None
    assert found.samples.tolist() == [200, 200]
    assert sum(sizes) == 200
    assert found.stops == (Stop.EXHAUSTED,) * 2


def test_progress_goes_from_nothing_to_the_end_without_a_step_back() -> None:
    shares: list[float] = []
    explain(Circumstances(shares.append), max_samples=640)

    assert shares[0] == 0
    assert shares[-1] >= 0.9
    assert shares == sorted(shares)


def test_between_rounds_drafts_are_shown_that_come_nearer() -> None:
    drafts: list[Relevance] = []

    def keep(draft: Draft) -> None:
        drafts.append(draft())

    last = explain(Circumstances(publish=keep), max_samples=640)

    assert [draft.samples.tolist() for draft in drafts if draft.samples is not None] == [
        [64 * number] * 2 for number in range(1, 10)
    ]
    assert drafts[0].stops == (None, None)
    first, end = ((draft.maps - last.maps).abs().max() for draft in (drafts[0], drafts[-1]))
    assert end < first


def test_who_is_late_gets_the_map_so_far() -> None:
    asked = itertools.count()
    found = explain(Circumstances(is_late=lambda: next(asked) >= 2), max_samples=1_000_000)

    assert found.stops == (Stop.DEADLINE,) * 2
    assert found.samples is not None
    assert found.samples.tolist() == [192, 192]
    assert found.maps.isfinite().all()


def test_a_limit_in_seconds_is_a_deadline() -> None:
    found = explain(Circumstances(), max_samples=1_000_000, max_seconds=1e-6)

    assert found.stops == (Stop.DEADLINE,) * 2


@pytest.mark.parametrize("method", SAMPLING)
def test_memory_does_not_grow_with_the_samples(method: str) -> None:
    network = seeded(Pooled)
    shared = Pass(network, torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(1)))
    sizes: list[int] = []
    probe = Probe(
        shared, [0], [1], circumstances=Circumstances(publish=lambda _: sizes.append(living_bytes()))
    )
    chosen = METHODS[method]
    gc.freeze()  # what other tests left need not be looked at
    try:
        with torch.no_grad():
            chosen.explain(probe, chosen.params.model_validate(SAMPLING[method]))
    finally:
        gc.unfreeze()

    assert len(sizes) >= 8
    assert max(sizes[4:]) <= max(sizes[:4])


def living_bytes() -> int:
    """What all tensors hold that are alive and not frozen; views of one memory count once."""
    gc.collect()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # looking at everything wakes deprecated names
        tensors = [one for one in gc.get_objects() if type(one) is torch.Tensor]
    storages = {one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in tensors}
    return sum(storages.values())
