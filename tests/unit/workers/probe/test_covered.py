"""Covered images by two roads, which of them is taken, and who may look in on it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import workers
from tests.unit.workers.forwards import count_forwards
from tests.unit.workers.networks import SUBJECTS, Pooled, seeded, vgg
from workers.probe import Circumstances, Interrupted, Probe, covered
from workers.probe.passes import Pass
from workers.tensors.windows import WindowParams, Windows

LEAST, NEVER, ALWAYS = covered.LEAST, 2.0, -torch.inf
SIDE = 112


@pytest.fixture
def images() -> Tensor:
    return torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", SUBJECTS)
def test_both_roads_lead_to_the_same_map(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network, given = SUBJECTS[name].network().double(), SUBJECTS[name].images(2).double()

    def maps(least: float, output: str) -> Tensor:
        monkeypatch.setattr(covered, "LEAST", least)
        return workers.explain(
            network, given, [3, 1], "occlusion", window=9, stride=5, baseline="blur", output=output
        )

    for output in ("logit", "probability"):
        expected = maps(NEVER, output)
        near = 1e-11 * float(expected.abs().max())
        torch.testing.assert_close(maps(ALWAYS, output), expected, rtol=0, atol=near)


def test_regions_are_taken_where_they_save_work(images: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    network = seeded(vgg)
    expected = scores(network, images, monkeypatch, least=NEVER)
    sizes = count_forwards(monkeypatch)

    found = scores(network, images, monkeypatch, least=LEAST)

    assert sizes == []
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5 * float(other.max() - other.min()))


@pytest.mark.parametrize(
    ("network", "window", "stride"),
    [
        (seeded(vgg).half(), 8, 8),  # half precision
        (seeded(vgg), 100, 50),  # a window that reaches everything
        (seeded(vgg), 104, 104),  # too few windows
        (nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, 4)).eval(), 8, 8),  # nothing local
    ],
)
def test_else_each_covered_image_goes_through_the_network(
    network: nn.Module, window: int, stride: int, images: Tensor
) -> None:
    windows = Windows.over(images, WindowParams(window=window, stride=stride))

    assert covered.Covered(Pass(network, images), images, images, windows, together=32).plan is None


def test_a_network_so_small_that_only_calls_cost_is_run_as_it_is(images: Tensor) -> None:
    few = images[:, :, :24, :24]
    windows = Windows.over(few, WindowParams(window=4, stride=2))

    assert covered.Covered(Pass(seeded(Pooled), few), few, few, windows, together=32).plan is None


def test_images_keep_to_themselves_whatever_is_asked_for_at_a_time(
    images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = seeded(vgg)
    expected = scores(network, images, monkeypatch, least=ALWAYS, rows=64)

    for rows in (1, 5, 30):
        for one, other in zip(
            scores(network, images, monkeypatch, least=ALWAYS, rows=rows), expected, strict=True
        ):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-5 * float(other.max() - other.min()))


def test_who_looks_in_between_chunks_may_end_it(images: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(covered, "LEAST", ALWAYS)
    shares = []

    def check(share: float) -> None:
        shares.append(share)
        if share >= 0.5:
            raise Interrupted

    probe = Probe(
        Pass(seeded(vgg), images), [0, 1], [1, 2], chunk_rows=8, circumstances=Circumstances(checkpoint=check)
    )
    with pytest.raises(Interrupted):
        probe.scores_of_windows(
            Windows.over(images, WindowParams(window=28, stride=28)), torch.zeros_like(images)
        )

    assert shares == sorted(shares)
    assert shares[0] == 0 and 0.5 <= shares[-1] < 1, "the first that is told of a half ends it"
    assert all(share < 0.5 for share in shares[:-1])


def scores(
    network: nn.Module, images: Tensor, monkeypatch: pytest.MonkeyPatch, *, least: float, rows: int = 32
) -> tuple[Tensor, Tensor]:
    """Of three rows on two images, with windows over the edge."""
    monkeypatch.setattr(covered, "LEAST", least)
    probe = Probe(Pass(network, images), [1, 0, 1], [3, 0, 1], chunk_rows=rows)
    windows = Windows.over(images, WindowParams(window=13, stride=13))
    return probe.scores_of_windows(windows, torch.zeros_like(images))
