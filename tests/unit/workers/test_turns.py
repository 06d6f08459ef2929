"""Flows share a device by the seconds that they use, and sparse ones need not wait for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest

from workers.turns import Turns

QUANTUM = 0.05


def shares(turns: Turns[str], seconds: Mapping[str, float], *, rounds: int) -> dict[str, float]:
    """What flows that always have work get of the device; `seconds` is what one turn of each takes."""
    used = dict.fromkeys(seconds, 0.0)
    for _ in range(rounds):
        flow = turns.next(seconds)
        assert flow is not None
        turns.charge([flow], seconds[flow])
        used[flow] += seconds[flow]
    return used


def test_nobody_has_a_turn_where_nobody_waits() -> None:
    assert Turns[str](QUANTUM).next([]) is None


def test_the_same_flow_is_named_until_it_is_charged() -> None:
    turns = Turns[str](QUANTUM)

    assert [turns.next(["a", "b"]) for _ in range(3)] == ["a"] * 3


def test_busy_flows_alternate() -> None:
    turns, order = Turns[str](QUANTUM), []
    for _ in range(6):
        flow = turns.next(["a", "b"])
        assert flow is not None
        turns.charge([flow], QUANTUM)
        order.append(flow)

    assert order == ["a", "b"] * 3


@pytest.mark.parametrize("long", [0.07, 0.3, 2.0])
def test_busy_flows_get_equal_seconds_however_long_their_turns_are(long: float) -> None:
    used = shares(Turns(QUANTUM), {"short": 0.01, "middling": 0.04, "long": long}, rounds=4000)

    assert used["short"] == pytest.approx(used["long"], abs=long + 2 * QUANTUM)
    assert used["middling"] == pytest.approx(used["long"], abs=long + 2 * QUANTUM)


def test_a_flow_that_becomes_active_goes_before_those_that_were_busy() -> None:
    turns = Turns[str](QUANTUM)
    shares(turns, {"a": 0.05, "b": 0.05}, rounds=10)

    assert turns.next(["a", "b", "sparse"]) == "sparse"
    turns.charge(["sparse"], 0.01)
    assert turns.next(["a", "b", "sparse"]) == "sparse", "it has a whole quantum"
    turns.charge(["sparse"], 0.05)
    assert turns.next(["a", "b", "sparse"]) in ("a", "b")


def test_a_sparse_flow_never_waits_longer_than_a_quantum_and_a_turn_of_each_other() -> None:
    turns, longest = Turns[str](QUANTUM), 0.0
    for _ in range(200):
        used, others = 0.0, shares(turns, {"a": 0.03, "b": 0.03}, rounds=3)
        assert min(others.values()) > 0
        while (flow := turns.next(["a", "b", "sparse"])) != "sparse":
            assert flow is not None
            turns.charge([flow], 0.03)
            used += 0.03
        turns.charge(["sparse"], 0.01)
        longest = max(longest, used)

    assert longest <= 2 * (QUANTUM + 0.03)


def test_work_that_comes_in_drops_cannot_starve_what_is_busy() -> None:
    turns, used = Turns[str](QUANTUM), Counter[str]()
    for step in range(1000):
        # The drops go idle after each turn, in the hope of being new again.
        waiting = ["busy", "drops"] if step % 2 else ["busy"]
        flow = turns.next(waiting)
        assert flow is not None
        turns.charge([flow], 0.04)
        used[flow] += 1

    assert used["busy"] >= 500


def test_an_idle_flow_saves_nothing_up() -> None:
    turns = Turns[str](QUANTUM)
    shares(turns, {"a": 0.05, "b": 0.05}, rounds=4)
    shares(turns, {"b": 0.05}, rounds=1000)

    used = shares(turns, {"a": 0.05, "b": 0.05}, rounds=20)

    assert abs(used["a"] - used["b"]) <= 0.1


def test_a_flow_that_goes_idle_still_owes_what_it_used() -> None:
    turns = Turns[str](QUANTUM)
    assert turns.next(["a", "b"]) == "a"
    turns.charge(["a"], 0.5)
    shares(turns, {"b": 0.05}, rounds=4)  # a is idle meanwhile

    used = shares(turns, {"a": 0.05, "b": 0.05}, rounds=5)

    assert used["a"] == 0


def test_what_is_owed_is_paid_while_others_have_their_turns() -> None:
    turns = Turns[str](QUANTUM)
    turns.charge(["a"], 0.5)
    shares(turns, {"b": 0.05}, rounds=20)

    assert shares(turns, {"a": 0.05, "b": 0.05}, rounds=2)["a"] > 0


def test_a_flow_that_was_gone_when_its_work_was_done_owes_it() -> None:
    turns = Turns[str](QUANTUM)
    assert turns.next(["a"]) == "a"
    shares(turns, {"b": 0.05}, rounds=10)
    turns.charge(["a"], 0.3)

    assert shares(turns, {"a": 0.05, "b": 0.05}, rounds=4)["a"] == 0


def test_who_is_alone_has_every_turn_whatever_it_owes() -> None:
    turns = Turns[str](QUANTUM)
    turns.charge(["a"], 1000.0)

    assert turns.next(["a"]) == "a"


def test_no_flow_owes_for_ever() -> None:
    turns = Turns[str](QUANTUM, most_owed_seconds=1.0)
    turns.charge(["a"], 1000.0)

    assert shares(turns, {"a": 0.05, "b": 0.05}, rounds=25)["a"] > 0


def test_each_flow_of_a_batch_bears_its_share_of_the_jobs() -> None:
    turns = Turns[str](QUANTUM)
    turns.charge(["a", "a", "a", "b"], 0.8)  # 0.6 and 0.2

    used = shares(turns, {"a": 0.05, "b": 0.05}, rounds=8)

    assert used["b"] == pytest.approx(0.4)


def test_what_was_charged_too_much_can_be_taken_back() -> None:
    turns = Turns[str](QUANTUM)
    turns.charge(["a"], 1.0)
    turns.charge(["b"], 0.04)
    turns.charge(["a"], -1.0)

    assert turns.next(["a", "b"]) == "a"
    turns.charge(["a"], -100.0)
    assert shares(turns, {"a": 0.05, "b": 0.05}, rounds=10)["b"] >= 0.2, "but nothing is saved up by it"


def test_flows_that_are_gone_are_forgotten() -> None:
    turns = Turns[int](QUANTUM)
    for number in range(1000):
        turns.next([number])
        turns.charge([number], 0.01)
        turns.next([-1])
        turns.charge([-1], 0.06)

    assert len(turns._saved) < 50
