"""Which claimed jobs run together, and whose turn it is: pure, without a clock and without Redis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jobs.catalogue import Catalogue, Need
from jobs.queue import Claim

Needs = Mapping[str, frozenset[Need]]
Key = tuple[str, frozenset[Need], str]


@dataclass(frozen=True)
class Waiting:
    """A claimed job that is not with the child yet, with its age and its compatibility key."""

    claim: Claim
    age: tuple[int, int]
    key: Key
    suspect: bool


@dataclass(frozen=True)
class Batch:
    """Jobs that share a pass through one model; `full` says that no later arrival could join them."""

    claims: tuple[Claim, ...]
    full: bool


@dataclass(frozen=True)
class Planner:
    """Forms batches of equal compatibility key: same weights and same needs, or a suspect by itself.

    Each key is a queue of its own, so arrivals in the order A, B, A, B make one batch of A and one of B.
    The key that holds the oldest job has its turn. `max_bytes` limits the pixels of a batch of two or more,
    references among them, where equal images count once.
    """

    needs: Needs
    max_batch: int
    max_bytes: int

    def admit(self, claim: Claim, *, suspect: bool = False) -> Waiting:
        """Let a job wait; a suspect has a key of its own, so that a crash can only be its doing."""
        job = claim.job
        needs = _as_one_pass(self.needs.get(job.method.name, frozenset()))
        key = job.model.key, needs, job.id if suspect else ""
        return Waiting(claim, _age(claim.entry), key, suspect)

    def plan(self, waiting: Iterable[Waiting]) -> Batch | None:
        """The next batch of those that wait, or None if nobody does."""
        by_age = sorted(waiting, key=lambda one: one.age)
        if not by_age:
            return None
        turn = by_age[0]
        claims, closed = self._fill(one.claim for one in by_age if one.key == turn.key)
        return Batch(claims, full=closed or turn.suspect)

    def _fill(self, claims: Iterable[Claim]) -> tuple[tuple[Claim, ...], bool]:
        batch: list[Claim] = []
        images: dict[str, int] = {}
        for claim in claims:
            images.update((image.key, image.n_bytes) for image in claim.job.images)
            if batch and sum(images.values()) > self.max_bytes:
                return tuple(batch), True
            batch.append(claim)
            if len(batch) == self.max_batch:
                return tuple(batch), True
        return tuple(batch), sum(images.values()) >= self.max_bytes


def needs_of(catalogue: Catalogue) -> Needs:
    """What each method of the menu asks of the network."""
    return {card.name: frozenset(card.needs) for card in catalogue.methods}


def _as_one_pass(needs: frozenset[Need]) -> frozenset[Need]:
    """The needs of a pass that serves these: one that records gradients at layers has their outputs, too."""
    return needs | {Need.LAYER_GRADIENTS} if needs == {Need.ACTIVATIONS} else needs


def _age(entry: str) -> tuple[int, int]:
    """Sorts stream entries (`<milliseconds>-<number>`) of all queues by the time of their submission."""
    milliseconds, _, number = entry.partition("-")
    return int(milliseconds), int(number or 0)
