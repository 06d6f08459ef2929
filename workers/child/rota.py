"""Which of the open batches has the device next: pure, without a clock and without threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.job import Flow
from workers.turns import Turns

QUANTUM_SECONDS = 0.02  # about one cheap batch: a flow that has had one waits no longer than this
AHEAD_SECONDS = 0.5  # of fresh batches in a row, before those that go on for long have their half


@dataclass
class _Open:
    flows: Sequence[Flow]  # of each job
    seconds: float = 0.0
    turn: int = 0  # when it had the device last


class Rota:
    """The flows share the device by deficit round robin, each batch charged to the flows of its jobs.

    Within a flow the fresh batches, which had less than a slice so far, go before those that go on for long,
    so that what is cheap is done at once. While there are both, the fresh ones may be ahead by so much and
    then have half of the time: a flood of them starves nobody. Those that go on for long alternate.
    """

    def __init__(self, slice_seconds: float) -> None:
        self._slice_seconds = slice_seconds
        self._flows = Turns[Flow](QUANTUM_SECONDS)
        self._open: dict[int, _Open] = {}
        self._credit: dict[Flow, float] = {}  # seconds that fresh batches may still be ahead
        self._turns = 0

    def __len__(self) -> int:
        return len(self._open)

    def open(self, batch: int, flows: Sequence[Flow]) -> None:
        """A batch wants the device; `flows` has one entry for each job."""
        self._open[batch] = _Open(flows)

    def close(self, batch: int) -> None:
        """It wants the device no more."""
        for flow in set(self._open.pop(batch).flows):
            if not any(flow in one.flows for one in self._open.values()):
                self._credit.pop(flow, None)

    def charge(self, batch: int, seconds: float) -> None:
        """It had the device for so long."""
        one = self._open[batch]
        for flow in set(one.flows):
            self._weigh(flow, seconds, fresh=self._is_fresh(one))
        self._flows.charge(one.flows, seconds)
        self._turns += 1
        one.seconds, one.turn = one.seconds + seconds, self._turns

    def seconds(self, batch: int) -> float:
        """How long it has had the device in all."""
        return self._open[batch].seconds

    def next(self) -> int | None:
        """The batch whose slice is next; None if none is open."""
        flow = self._flows.next(dict.fromkeys(flow for one in self._open.values() for flow in one.flows))
        if flow is None:
            return None
        fresh, long = self._kinds(flow)
        if fresh and (not long or self._credit.get(flow, AHEAD_SECONDS) > 0):
            return fresh[0]
        return min(long, key=lambda number: self._open[number].turn)

    def presses(self, batch: int) -> bool:
        """Whether another batch is open that is fresh, and should not wait for the end of a slice."""
        return any(self._is_fresh(one) for number, one in self._open.items() if number != batch)

    def _weigh(self, flow: Flow, seconds: float, *, fresh: bool) -> None:
        """What fresh batches have while a long one waits, others of the flow have before they may again."""
        _, long = self._kinds(flow)
        if long:
            credit = self._credit.get(flow, AHEAD_SECONDS) + (-seconds if fresh else seconds)
            self._credit[flow] = min(max(credit, -AHEAD_SECONDS), AHEAD_SECONDS)

    def _kinds(self, flow: Flow) -> tuple[list[int], list[int]]:
        """The fresh and the long ones of a flow, the oldest first."""
        mine = [(number, self._is_fresh(one)) for number, one in self._open.items() if flow in one.flows]
        return [number for number, fresh in mine if fresh], [number for number, fresh in mine if not fresh]

    def _is_fresh(self, one: _Open) -> bool:
        return one.seconds < self._slice_seconds
