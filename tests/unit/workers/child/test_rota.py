"""Which batch has the device next, by what each has had so far."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from jobs.job import Flow, Lane
from workers.child.rota import AHEAD_SECONDS, Rota

SLICE = 0.05
CLINIC, LAB = Flow(Lane.INTERACTIVE, "clinic"), Flow(Lane.INTERACTIVE, "lab")


def had(rota: Rota, *, slices: int, seconds: float = SLICE) -> list[int]:
    """Who had the device in so many slices."""
    order = []
    for _ in range(slices):
        batch = rota.next()
        assert batch is not None
        rota.charge(batch, seconds)
        order.append(batch)
    return order


def opened(*flows: Flow) -> Rota:
    """A rota with batches 1, 2, ... of one job each."""
    rota = Rota(SLICE)
    for number, flow in enumerate(flows, 1):
        rota.open(number, [flow])
    return rota


def test_nobody_is_next_where_nothing_is_open() -> None:
    assert Rota(SLICE).next() is None


def test_a_batch_that_is_alone_goes_on_and_on() -> None:
    assert had(opened(CLINIC), slices=50) == [1] * 50


def test_long_batches_alternate_within_a_flow_and_between_flows() -> None:
    assert had(opened(CLINIC, CLINIC), slices=6)[-4:] in ([1, 2, 1, 2], [2, 1, 2, 1])
    assert had(opened(CLINIC, LAB), slices=6)[-4:] in ([1, 2, 1, 2], [2, 1, 2, 1])


def test_flows_share_evenly_however_many_batches_they_have() -> None:
    order = had(opened(CLINIC, CLINIC, CLINIC, LAB), slices=80)

    assert order.count(4) == pytest.approx(40, abs=2)


@pytest.mark.parametrize("flow", [CLINIC, LAB])
def test_a_fresh_batch_goes_before_what_goes_on_for_long(flow: Flow) -> None:
    rota = opened(CLINIC)
    had(rota, slices=20)
    rota.open(2, [flow])

    assert rota.presses(1)
    assert rota.next() == 2
    rota.charge(2, 0.01)
    assert rota.next() == 2, "it is done first"
    rota.close(2)
    assert not rota.presses(1)
    assert rota.next() == 1


def test_fresh_batches_of_a_flow_have_their_turns_in_their_order() -> None:
    rota = opened(CLINIC, CLINIC, CLINIC)

    order = []
    while (batch := rota.next()) is not None:
        rota.charge(batch, 0.01)
        rota.close(batch)
        order.append(batch)

    assert order == [1, 2, 3]


def test_a_batch_that_had_a_slice_is_fresh_no_more() -> None:
    rota = opened(CLINIC, CLINIC)

    assert had(rota, slices=6, seconds=0.02) == [1, 1, 1, 2, 2, 2]
    rota.open(3, [CLINIC])
    assert had(rota, slices=5, seconds=0.02) == [3, 3, 3, 1, 2]


def flood(rota: Rota, flow: Callable[[int], Flow], *, seconds: float, cheap: float) -> float:
    """What batch 1 gets while there is always a cheap batch open."""
    number, used, begin = 100, 0.0, rota.seconds(1)
    rota.open(number, [flow(number)])
    while used < seconds:
        batch = rota.next()
        assert batch is not None
        took = SLICE if batch == 1 else cheap
        rota.charge(batch, took)
        used += took
        if batch != 1:
            rota.close(batch)
            number += 1
            rota.open(number, [flow(number)])
    return (rota.seconds(1) - begin) / used


def test_a_flood_of_cheap_batches_leaves_a_long_one_of_its_flow_half_of_the_device() -> None:
    rota = opened(CLINIC)
    had(rota, slices=20)

    assert flood(rota, lambda _: CLINIC, seconds=60.0, cheap=0.01) == pytest.approx(0.5, abs=0.02)


def test_a_flood_of_another_flow_leaves_a_long_batch_half_of_the_device() -> None:
    rota = opened(CLINIC)
    had(rota, slices=20)

    assert flood(rota, lambda _: LAB, seconds=60.0, cheap=0.01) == pytest.approx(0.5, abs=0.02)


def test_cheap_batches_may_be_ahead_for_a_while_and_no_longer() -> None:
    rota = opened(CLINIC)
    had(rota, slices=20)
    used = 0.0
    for number in range(100, 200):
        rota.open(number, [CLINIC])
        if rota.next() == 1:
            break
        rota.charge(number, 0.01)
        rota.close(number)
        used += 0.01

    assert used == pytest.approx(AHEAD_SECONDS, abs=0.02)


def test_cheap_batches_now_and_then_never_wait_for_a_long_one() -> None:
    """Twenty a second of ten milliseconds each."""
    rota = opened(CLINIC)
    had(rota, slices=20)
    for number in range(100, 500):
        rota.open(number, [CLINIC])
        assert rota.next() == number
        rota.charge(number, 0.01)
        rota.close(number)
        assert had(rota, slices=1, seconds=0.04) == [1]


def test_a_batch_of_several_flows_is_charged_to_each_by_its_jobs() -> None:
    rota = Rota(SLICE)
    rota.open(1, [CLINIC, CLINIC, CLINIC, LAB])
    rota.open(2, [LAB])
    rota.open(3, [CLINIC])

    order = had(rota, slices=300)

    # Half of the device is each flow's; what they share costs the clinic three parts of four.
    assert order.count(2) + 0.25 * order.count(1) == pytest.approx(150, abs=4)
    assert order.count(3) + 0.75 * order.count(1) == pytest.approx(150, abs=4)


def test_what_was_closed_leaves_nothing_behind() -> None:
    rota = opened(CLINIC)
    had(rota, slices=2)
    rota.open(2, [CLINIC])
    had(rota, slices=2)
    for number in (1, 2):
        rota.close(number)

    assert (rota.next(), len(rota), rota._credit) == (None, 0, {})
