"""What a batch will take of the device, learned from those that it has computed: seconds and bytes; pure.

The parent asks before it sends a batch. Nothing is kept when it ends: a few batches tell it again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from jobs.queue import Claim
from workers.lines import Line
from workers.pipe import Footprint
from workers.turns import SLICE_SECONDS

BATCH_SECONDS = 1.0  # what does not fit into this runs in another batch
ROOM_SHARE = 0.8  # of the memory; the rest is for what a prediction misses
FIRST_SECONDS = 0.01  # for a forward pass of a model of which nothing is known
FIRST_JOBS = 8  # that run together when nobody knows what they take
GROWTH = 2  # times what has run together before
CALM_SECONDS = 60.0  # after a lack of memory; then one job more each time
SURPRISE = 4.0  # times what was expected is the most that is believed at once
KNOWN_POINTS = 4  # make an expectation

Kind = tuple[str, str, int]


@dataclass
class Habits:
    """What is known of one kind of job: seconds by forward passes, peak bytes by maps."""

    seconds: Line = field(default_factory=Line)
    peak_bytes: Line = field(default_factory=Line)
    batches: int = 0
    largest: int = 0
    cap: int | None = None
    calm_at: float = 0.0

    @property
    def most_jobs(self) -> int:
        """How many may run together: more than ever before, but no more than what lack of memory left."""
        grown = max(FIRST_JOBS, GROWTH * self.largest)
        return grown if self.cap is None else min(self.cap, grown)


class Sizes:
    """What is known of each kind of job, and how much room there is.

    A batch takes the overhead of its slowest kind, and for each of its jobs the forward passes. Its peak of
    memory is that of its most wasteful kind.
    """

    def __init__(self) -> None:
        self._habits: defaultdict[Kind, Habits] = defaultdict(Habits)
        self._models: defaultdict[str, Line] = defaultdict(_first_guess)
        self.room_bytes: int | None = None

    def habits(self, kind: Kind) -> Habits:
        """What is known of a kind so far."""
        return self._habits[kind]

    def seconds(self, kind: Kind) -> Line:
        """Seconds by forward passes of a kind; those of its model where it was never measured."""
        line = self._habits[kind].seconds
        return line if line.points else self._models[kind[0]]

    def is_cheap(self, kind: Kind, claim: Claim) -> bool:
        """Whether a job should take less of the device than one slice; of a survey that must be measured."""
        if claim.job.survey and not self._habits[kind].seconds.points:
            return False
        return self.seconds(kind).at(claim.cost) < SLICE_SECONDS

    def predict(self, claims: Iterable[Claim]) -> float:
        """How many seconds the device will work on these together."""
        tally = Tally(self)
        for claim in claims:
            tally.add(kind_of(claim), claim)
        return tally.seconds

    def learn(
        self, claims: Sequence[Claim], seconds: float, footprint: Footprint | None, now_seconds: float
    ) -> None:
        """A batch took this long, and this much memory.

        The first one of a kind teaches no time: it also paid for loading its model or reading the graph.
        """
        passes = _passes(claims)
        habits = [self._habits[kind] for kind in passes]
        if footprint is not None and footprint.largest < len(claims):
            _shrink(habits, footprint.largest, now_seconds)
            return
        if all(one.batches for one in habits):
            self._learn_seconds(passes, seconds, is_survey=bool(claims[0].job.survey))
        for one in habits:
            _grow(one, len(claims), now_seconds)
        if footprint is not None:
            self._learn_bytes(habits, claims, footprint)

    def _learn_seconds(self, passes: Mapping[Kind, float], seconds: float, *, is_survey: bool) -> None:
        """Each kind of a batch learns what it took beyond the overhead, by its share of what was expected.

        A survey may end early, so its forward passes say nothing of those of other kinds.
        """
        lines = {kind: self.seconds(kind) for kind in passes}
        overhead = max(line.fixed for line in lines.values())
        expected = {kind: lines[kind].each * passes[kind] for kind in passes}
        total = sum(expected.values())
        if all(self._habits[kind].seconds.points >= KNOWN_POINTS for kind in passes):
            seconds = min(seconds, SURPRISE * (overhead + total))
        overhead = min(overhead, seconds)
        for kind in passes:
            share = expected[kind] / total if total else 1 / len(passes)
            self._habits[kind].seconds.learn(passes[kind], overhead + (seconds - overhead) * share)
        model, *_ = next(iter(passes))
        if not is_survey:
            self._models[model].learn(sum(passes.values()), seconds)

    def _learn_bytes(self, habits: Sequence[Habits], claims: Sequence[Claim], footprint: Footprint) -> None:
        self.room_bytes = footprint.room_bytes
        if footprint.peak_bytes is None:
            return
        rows = sum(map(rows_of, claims))
        for one in habits:
            one.peak_bytes.learn(rows, footprint.peak_bytes, at_zero=footprint.held_bytes or 0)


class Tally:
    """A batch that is being put together: what it will take, and whether one job more is too much."""

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes
        self._kinds: set[Kind] = set()
        self._jobs = self._rows = 0
        self._overhead = self._work = 0.0

    @property
    def seconds(self) -> float:
        """What these jobs are expected to take."""
        return self._overhead + self._work

    def add(self, kind: Kind, claim: Claim) -> None:
        """This job is in."""
        line = self._sizes.seconds(kind)
        self._kinds.add(kind)
        self._jobs += 1
        self._rows += rows_of(claim)
        self._overhead = max(self._overhead, line.fixed)
        self._work += line.each * claim.cost

    def takes(self, kind: Kind, claim: Claim, *, most_seconds: float = BATCH_SECONDS) -> bool:
        """Whether this job can join; the first one always can."""
        if not self._jobs:
            return True
        line = self._sizes.seconds(kind)
        if max(self._overhead, line.fixed) + self._work + line.each * claim.cost > most_seconds:
            return False
        habits = [self._sizes.habits(one) for one in self._kinds | {kind}]
        if self._jobs >= min(one.most_jobs for one in habits):
            return False
        room_bytes = self._sizes.room_bytes
        if room_bytes is None:
            return True
        rows = self._rows + rows_of(claim)
        return max(one.peak_bytes.at(rows) for one in habits) <= ROOM_SHARE * room_bytes


def kind_of(claim: Claim) -> Kind:
    """Jobs of equal kinds differ in nothing but their forward passes; images count by powers of four.

    A survey's kind is its name and the number of its images.
    """
    job = claim.job
    if job.survey:
        return job.model.key, f"survey {job.method.name}", len(job.survey)
    what = " ".join((job.method.name, *(metric.name for metric in job.metrics)))
    return job.model.key, what, sum(image.n_bytes for image in job.images).bit_length() // 2


def rows_of(claim: Claim) -> int:
    """Maps that a job wants."""
    return max(1, len(claim.job.targets))


def _first_guess() -> Line:
    return Line(each=FIRST_SECONDS)


def _passes(claims: Iterable[Claim]) -> Mapping[Kind, float]:
    passes: defaultdict[Kind, float] = defaultdict(float)
    for claim in claims:
        passes[kind_of(claim)] += claim.cost
    return passes


def _grow(habits: Habits, jobs: int, now_seconds: float) -> None:
    """So many ran together, and memory sufficed."""
    habits.batches += 1
    habits.largest = max(habits.largest, jobs)
    if habits.cap is not None and jobs >= habits.cap and now_seconds >= habits.calm_at:
        habits.cap += 1


def _shrink(habits: Iterable[Habits], largest: int, now_seconds: float) -> None:
    """Memory ran out; that a job does not fit even alone says nothing about others."""
    if not largest:
        return
    for one in habits:
        one.cap = min(one.most_jobs, largest)
        one.calm_at = now_seconds + CALM_SECONDS
