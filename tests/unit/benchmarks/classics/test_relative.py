"""Contrast and dependence of planted shares and maps, and images that differ by the finding alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmarks.classics import relative
from benchmarks.classics.field import Maps, edge_mapper
from benchmarks.classics.grounds import GROUNDS, draw_all, draw_grounded, pictures_of
from benchmarks.classics.relative import Asked, contrast, input_dependence, model_contrast
from workers.phantom.scenes import LABELS, dilate

TRUTH = np.zeros((4, 4), np.bool_)
TRUTH[1:3, 1:3] = True


def test_the_score_is_the_difference_of_mean_shares() -> None:
    assert model_contrast(np.array([0.9, 0.7]), np.array([0.1, 0.3])) == pytest.approx(0.6)
    assert model_contrast(np.array([0.1]), np.array([0.4])) == pytest.approx(-0.3)


def test_the_rate_counts_where_less_lies_on_what_is_there_and_equal_values_half() -> None:
    assert input_dependence(np.array([0.1, 0.2, 0.5]), np.array([0.2, 0.3, 0.4])) == pytest.approx(2 / 3)
    assert input_dependence(np.array([0.1, 0.1]), np.array([0.1, 0.2])) == 0.75
    assert input_dependence(np.zeros(3), np.zeros(3)) == 0.5


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> tuple[nn.Module, nn.Module]:
    """Two nets that say nothing, and two blank images whose truth is the middle."""
    nets = nn.Identity(), nn.Identity()
    blank = torch.zeros(2, 1, 4, 4)
    monkeypatch.setattr(relative, "asked", lambda: Asked(blank, blank + 1, [1, 2], [0, 3], [TRUTH, TRUTH]))
    monkeypatch.setattr(relative, "network", lambda recipe: nets[recipe.betrayed])
    return nets


def test_maps_that_know_which_net_needs_the_finding_have_all_of_both(
    planted: tuple[nn.Module, nn.Module],
) -> None:
    def knowing(network: nn.Module, images: Tensor, targets: Sequence[int], _references: Tensor) -> Maps:
        by_finding = network is planted[0]
        assert list(targets) == ([1, 2] if by_finding else [0, 3])
        inside = 1.0 if by_finding else float(images.max()) / 8
        one = np.where(TRUTH, inside, 0 if by_finding else 1).astype(np.float32)
        return np.stack([one, one])

    assert contrast(knowing) == {"contrast": 1.0, "dependence": 1.0}


def test_maps_that_show_the_image_have_no_contrast(planted: tuple[nn.Module, nn.Module]) -> None:
    assert contrast(edge_mapper) == {"contrast": 0.0, "dependence": 0.5}


@pytest.mark.parametrize("ground", range(len(GROUNDS)))
def test_an_image_and_its_bare_one_differ_where_the_finding_is(ground: int) -> None:
    one = draw_grounded(5, label=LABELS.index("spiculated-mass"), ground=ground)
    changed = one.image != one.bare

    assert one.finding.any()
    assert changed[one.finding].all()
    assert not changed[~dilate(one.finding, 6)].any()


def test_the_same_seed_has_the_same_finding_on_every_ground() -> None:
    findings = [draw_grounded(6, label=1, ground=ground) for ground in range(len(GROUNDS))]

    assert all(np.array_equal(one.finding, findings[0].finding) for one in findings)
    assert len({one.image.tobytes() for one in findings}) == len(GROUNDS)


def test_ribs_are_turned_and_turned_dark() -> None:
    lying, standing, dark, _ = (draw_grounded(7, label=0, ground=ground).bare for ground in range(4))

    assert np.corrcoef(lying.ravel(), dark.ravel())[0, 1] < -0.5
    assert abs(np.corrcoef(lying.ravel(), standing.ravel())[0, 1]) < 0.5


def test_findings_and_grounds_are_independent() -> None:
    pictures = pictures_of(draw_all(1, 400))
    together = torch.bincount(4 * pictures.labels + pictures.plates, minlength=16)

    assert together.min() >= 8  # 25 are expected, with a deviation of 5
    assert together.max() <= 45
