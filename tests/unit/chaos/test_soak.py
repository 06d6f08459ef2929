"""The slope of a process' memory."""

from __future__ import annotations

import pytest

from chaos.soak import MIB, Sample, slope


def test_a_steady_growth_is_found_and_the_warm_up_does_not_count() -> None:
    early = [Sample(float(second), 0, 3) for second in range(0, 200, 10)]
    late = [Sample(float(second), 100 * MIB + second * 1000, 3) for second in range(200, 1001, 10)]

    assert slope(early + late) == pytest.approx(600 * 1000)


def test_what_stays_as_it_is_has_no_slope() -> None:
    assert slope([Sample(float(second), 5 * MIB, 3) for second in range(100)]) == 0
    assert slope([Sample(1.0, 5 * MIB, 3)]) == 0
