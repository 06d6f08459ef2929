"""Which claimed jobs run together, and whose turn it is: without a clock and without Redis."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from jobs.catalogue import Catalogue, Need
from jobs.job import Flow, Lane
from jobs.queue import Claim
from workers.sizes import BATCH_SECONDS, Kind, Sizes, Tally, kind_of
from workers.turns import SLICE_SECONDS, Turns

AFFINITY_SECONDS = 2.0  # no job waits longer than this for the sake of the model that ran last

Needs = Mapping[str, frozenset[Need]]
Key = tuple[str, frozenset[Need], str]


@dataclass(frozen=True)
class Waiting:
    """A claimed job that is not with the child yet: its age, what runs with it, and since when it waits.

    A suspect runs alone, and so does a survey.
    """

    claim: Claim
    age: tuple[int, int]
    flow: Flow
    key: Key
    kind: Kind
    alone: bool
    since_seconds: float
    tries: int = 0  # since it is a suspect: others have theirs before it has another

    @property
    def place(self) -> tuple[int, tuple[int, int]]:
        """Whoever has the least comes first."""
        return self.tries, self.age


@dataclass(frozen=True)
class Batch:
    """Jobs that share a pass through one model; `full` says that no later arrival could join them.

    Either all of them are cheap, each less than a slice of the device, or none is. The batch is as urgent as
    the most urgent of its jobs, and could have been sent since the first of them came.
    """

    claims: tuple[Claim, ...]
    full: bool
    cheap: bool = True
    lane: Lane = Lane.INTERACTIVE
    since_seconds: float = 0.0


class Planner:
    """Forms batches of equal compatibility key: same weights and same needs; suspects and surveys alone.

    Tenants and lanes have their turns by the seconds of the device that their jobs took. In a flow each key
    is a queue of its own, so arrivals in the order A, B, A, B make one batch of A and one of B. Jobs of
    others that are compatible fill what is left. Cheap jobs and costly ones have turns apart, as they have
    places in the child: who waits long for the one kind is not kept from the other.
    """

    def __init__(self, needs: Needs, max_batch: int, max_bytes: int) -> None:
        """`max_bytes` limits the pixels of a batch of two or more, references among them, equal ones once."""
        self.sizes = Sizes()
        self.max_batch = max_batch
        self._needs = needs
        self._max_bytes = max_bytes
        self._turns = {cheap: Turns[Flow](SLICE_SECONDS) for cheap in (True, False)}
        self._last_model = ""

    def admit(self, claim: Claim, now_seconds: float, *, suspect: bool = False) -> Waiting:
        """Let a job wait; a suspect has a key of its own, so that a crash can only be its doing.

        So has a survey, which has images enough for a batch.
        """
        job = claim.job
        needs = _as_one_pass(self._needs.get(job.method.name, frozenset()))
        alone = suspect or bool(job.survey)
        key = job.model.own_key, needs, job.id if alone else ""
        return Waiting(claim, _age(claim.entry), claim.flow, key, kind_of(claim), alone, now_seconds)

    def plan(
        self, waiting: Iterable[Waiting], now_seconds: float, *, cheap: bool, busy: Collection[Flow] = ()
    ) -> Batch | None:
        """The next batch of the cheap jobs that wait, or of the others, but none of a flow that is busy.

        None if nobody waits. The answer is the same until something changes.
        """
        allowed = [
            one
            for one in waiting
            if one.flow not in busy and self.sizes.is_cheap(one.kind, one.claim) == cheap
        ]
        by_age = sorted(allowed, key=lambda one: one.place)
        flow = self._turns[cheap].next(dict.fromkeys(one.flow for one in by_age))
        if flow is None:
            return None
        first = self._first([one for one in by_age if one.flow == flow], now_seconds)
        mates = [one for one in by_age if one.key == first.key]
        mates.sort(key=lambda one: (one.flow != flow, one.claim.lane is not first.claim.lane))
        return self._fill(mates, cheap=cheap)

    def begin(self, batch: Batch) -> float:
        """The batch is on its way; each of its jobs is charged the seconds that are returned, in advance.

        Without it a flow would be chosen again and again until its first batch is answered.
        """
        self._last_model = batch.claims[0].job.model.own_key
        advance = min(self.sizes.predict(batch.claims), BATCH_SECONDS) / len(batch.claims)
        for claim in batch.claims:
            self.charge(claim, advance, cheap=batch.cheap)
        return advance

    def charge(self, claim: Claim, seconds: float, *, cheap: bool) -> None:
        """One job has taken more of the device than was charged, or less."""
        self._turns[cheap].charge([claim.flow], seconds)

    def _first(self, flow: Sequence[Waiting], now_seconds: float) -> Waiting:
        """The oldest job, or for a while the oldest one of the model that ran last."""
        oldest = flow[0]
        if now_seconds - oldest.since_seconds >= AFFINITY_SECONDS:
            return oldest
        return next((one for one in flow if one.key[0] == self._last_model), oldest)

    def _fill(self, mates: Sequence[Waiting], *, cheap: bool) -> Batch:
        """As many as fit, in this order."""
        turn, tally = mates[0], Tally(self.sizes)
        batch: list[Waiting] = []
        images: dict[str, int] = {}
        is_closed = turn.alone
        for one in mates:
            if len(batch) == self.max_batch or _is_too_long_a_guest(one, turn, tally):
                break
            with_it = images | {image.key: image.n_bytes for image in one.claim.job.images}
            if batch and (sum(with_it.values()) > self._max_bytes or not tally.takes(one.kind, one.claim)):
                is_closed = True
                break
            images = with_it
            tally.add(one.kind, one.claim)
            batch.append(one)
        is_full = len(batch) == self.max_batch or sum(images.values()) >= self._max_bytes
        is_urgent = any(one.claim.lane is Lane.INTERACTIVE for one in batch)
        return Batch(
            tuple(one.claim for one in batch),
            full=is_closed or is_full or tally.seconds >= BATCH_SECONDS,
            cheap=cheap,
            lane=Lane.INTERACTIVE if is_urgent else Lane.BULK,
            since_seconds=min(one.since_seconds for one in batch),
        )


def needs_of(catalogue: Catalogue) -> Needs:
    """What each method of the menu asks of the network."""
    return {card.name: frozenset(card.needs) for card in catalogue.methods}


def _is_too_long_a_guest(one: Waiting, turn: Waiting, tally: Tally) -> bool:
    """Bulk may join an interactive batch for as long as that takes no more than a slice."""
    is_guest = turn.claim.lane is Lane.INTERACTIVE and one.claim.lane is Lane.BULK
    return is_guest and not tally.takes(one.kind, one.claim, most_seconds=SLICE_SECONDS)


def _as_one_pass(needs: frozenset[Need]) -> frozenset[Need]:
    """The needs of a pass that serves these: one that records gradients at layers has their outputs, too."""
    return needs | {Need.LAYER_GRADIENTS} if needs == {Need.ACTIVATIONS} else needs


def _age(entry: str) -> tuple[int, int]:
    """Sorts stream entries (`<milliseconds>-<number>`) of all queues by the time of their submission."""
    milliseconds, _, number = entry.partition("-")
    return int(milliseconds), int(number or 0)
