"""The test of effects: Qn by its definition, the level on normal draws, and nodes that are silent."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from jobs.causal import Correction
from workers.causal.significance import judge, scale, significant


@pytest.mark.parametrize("n", [5, 12, 31])
def test_the_scale_is_a_low_quantile_of_all_distances(n: int) -> None:
    numbers = np.random.default_rng(n).normal(size=n)
    distances = sorted(abs(one - other) for one, other in itertools.combinations(numbers, 2))
    half = n // 2 + 1
    expected = 2.21914 * distances[half * (half - 1) // 2 - 1]
    factor = {5: 0.844, 12: 12 / 15.8, 31: 31 / 32.4}[n]
    assert scale(numbers) == pytest.approx(factor * expected)


def test_the_scale_of_normal_draws_is_their_deviation_even_when_some_are_of_another_kind() -> None:
    draws = np.random.default_rng(0).normal(size=600)
    assert scale(3 * draws) == pytest.approx(3, rel=0.06)
    draws[:60] = 50
    assert scale(draws) == pytest.approx(1, rel=0.25)


@pytest.mark.parametrize("n", [12, 40, 120])
@pytest.mark.parametrize("level", [0.05, 0.01])
def test_normal_effects_are_found_at_the_level(n: int, level: float) -> None:
    random = np.random.default_rng(n)
    shares = [
        (judge(random.normal(size=n), np.zeros(n)).p_values <= level).mean() for _ in range(40_000 // n)
    ]
    error = np.std(shares) / len(shares) ** 0.5
    assert np.mean(shares) == pytest.approx(level, abs=2 * error + 0.003)


def test_holm_steps_down_and_stops() -> None:
    p_values = np.array([0.03, 0.001, 0.02, 0.5])
    assert significant(p_values, 0.05, Correction.NONE).tolist() == [True, True, True, False]
    # 0.001 <= 0.05 / 4; 0.02 > 0.05 / 3: nothing after it.
    assert significant(p_values, 0.05, Correction.HOLM).tolist() == [False, True, False, False]


def test_silent_nodes_are_never_found_and_do_not_hide_the_others() -> None:
    random = np.random.default_rng(1)
    effects = np.concatenate([np.zeros(70), random.normal(scale=0.01, size=29), [-0.5]])
    verdict = judge(effects, np.zeros_like(effects))
    assert verdict.deviation == pytest.approx(0.01, rel=0.4)
    assert (verdict.p_values[:70] == 1).all()
    assert verdict.p_values[-1] < 1e-9


def test_a_few_nodes_among_silent_ones_are_found() -> None:
    effects = np.array([0.0] * 20 + [-0.3, 0.2])
    verdict = judge(effects, np.zeros(22))
    assert (verdict.p_values[-2:] < 1e-6).all()
    assert np.isfinite(verdict.z).all()


def test_a_layer_whose_nodes_all_matter_alike_is_found_as_a_whole() -> None:
    effects = -0.3 + np.random.default_rng(2).normal(scale=0.01, size=10)
    assert (judge(effects, np.zeros_like(effects)).p_values < 1e-6).all()


def test_effects_cannot_vary_less_than_they_are_uncertain() -> None:
    alone = judge(np.array([-0.3]), np.array([0.02]))
    assert alone.z.tolist() == pytest.approx([-15])
    assert 0.01 < alone.p_values[0] < 0.05
    alike = judge(np.full(20, -0.01), np.full(20, 0.01))
    assert alike.deviation == 0.01
    assert (alike.p_values > 0.2).all()
