"""The child's loop, in a thread, with a runner that does as it is told."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from threading import Event

import pytest

from jobs.catalogue import ModelCard
from jobs.job import Job, Lane, Opened
from jobs.result import Outcome
from tests.samples import MAP, MASK_PIXELS, PIXELS, REFERENCE_PIXELS, sample_job, sample_result
from tests.waiting import wait_until_async
from workers import device, reporter
from workers.child.inbox import Inbox
from workers.onlooker import Onlooker
from workers.pipe import (
    Abandoned,
    Answers,
    Cancel,
    ChildEnd,
    Footprint,
    ParentEnd,
    PipeBrokenError,
    Progress,
    Ready,
    Turn,
    Upward,
    Work,
)

LANES = (Lane.INTERACTIVE,)


class Interrupted(Exception):
    """Nobody wants the batch any more."""


class Broken(Exception):
    """The device is broken for good."""


@dataclass(frozen=True)
class Answer:
    outcome: Outcome
    maps: dict[str, bytes] = field(default_factory=dict)


@dataclass
class Runner:
    """Calls the checkpoint until `go` is set, then answers, or raises; `short` jobs are answered at once.

    While `checks` is not set it waits without the checkpoint.
    """

    device: str = "thread"
    go: Event = field(default_factory=Event)
    error: Exception | None = None
    checks: Event = field(default_factory=Event)
    short: set[str] = field(default_factory=set)
    spent: dict[str, float] = field(default_factory=dict)
    seen: list[list[bytes]] = field(default_factory=list)
    beside: list[tuple[bytes | None, bytes | None]] = field(default_factory=list)

    def cards(self) -> tuple[ModelCard, ...]:
        return ()

    def run(self, batch: Sequence[Opened], onlooker: Onlooker) -> Sequence[Answer]:
        self.seen.append([one.pixels for one in batch])
        self.beside += [(one.reference, one.mask) for one in batch]
        onlooker.measured(Footprint(largest=len(batch), peak_bytes=7))
        while batch[0].job.id not in self.short and not self.go.wait(0.005):
            if self.checks.is_set():
                onlooker.checkpoint(0.5)
            self.spent[batch[0].job.id] = onlooker.spent()
        if self.error:
            raise self.error
        return [
            Answer(Outcome(id=one.job.id, result=sample_result(one.job)), {"2": MAP, "0": b""})
            for one in batch
        ]


@dataclass
class Bench:
    """A parent's end, and the loop at the other one."""

    parent: ParentEnd
    runner: Runner
    loop: asyncio.Task[None]

    async def next(self) -> Upward:
        """The next frame that is no progress and no turn."""
        return (await self.next_with_blobs())[0]

    async def next_with_blobs(self) -> tuple[Upward, list[bytes]]:
        while isinstance((received := await self.parent.receive())[0], Progress | Turn):
            pass
        return received


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    ours, theirs = socket.socketpair()
    pipe, runner = ChildEnd(theirs), Runner()
    runner.checks.set()
    loop = asyncio.create_task(asyncio.to_thread(device.serve, pipe, runner, Interrupted))
    parent = await ParentEnd.over(ours)
    assert await parent.receive() == (Ready(models=(), device="thread"), [])
    yield Bench(parent, runner, loop)
    parent.close()
    await asyncio.gather(loop, return_exceptions=True)
    pipe.close()


def work(number: int, *jobs: Job) -> Work:
    return Work(
        batch=number,
        jobs=jobs,
        images=((0,),) * len(jobs),
        lanes=LANES * len(jobs),
    )


async def test_batches_are_answered_in_their_order(bench: Bench) -> None:
    jobs = [sample_job() for _ in range(3)]
    bench.runner.go.set()

    await bench.parent.send(work(1, *jobs[:2]), [PIXELS])
    await bench.parent.send(work(2, jobs[2]), [PIXELS])

    first, maps = await bench.next_with_blobs()
    assert isinstance(first, Answers)
    assert [outcome.id for outcome in first.outcomes] == [job.id for job in jobs[:2]]
    assert first.footprint == Footprint(largest=2, peak_bytes=7)
    assert (first.batch, first.maps, maps) == (1, (("2", "0"), ("2", "0")), [MAP, b""] * 2)
    assert (await bench.next()).model_dump(include={"batch"}) == {"batch": 2}
    assert bench.runner.seen == [[PIXELS, PIXELS], [PIXELS]]


async def test_each_job_is_opened_with_its_own_pictures(bench: Bench) -> None:
    jobs = sample_job(reference="r"), sample_job(), sample_job(mask="m"), sample_job(reference="i", mask="m")
    bench.runner.go.set()

    sent = Work(batch=1, jobs=jobs, images=((1, 0), (1,), (0, 2), (0, 1, 2)), lanes=LANES * 4)
    await bench.parent.send(sent, [PIXELS, REFERENCE_PIXELS, MASK_PIXELS])
    await bench.next()

    assert bench.runner.seen == [[REFERENCE_PIXELS, REFERENCE_PIXELS, PIXELS, PIXELS]]
    assert bench.runner.beside == [
        (PIXELS, None),
        (None, None),
        (None, MASK_PIXELS),
        (REFERENCE_PIXELS, MASK_PIXELS),
    ]


async def test_progress_is_told_now_and_then(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporter, "PROGRESS_SECONDS", 0.01)
    await bench.parent.send(work(1, sample_job()), [PIXELS])

    while isinstance(message := (await bench.parent.receive())[0], Turn):
        pass

    assert message == Progress(batch=1, fraction=0.5)
    bench.runner.go.set()


async def test_a_batch_is_abandoned_when_all_its_jobs_are_cancelled(bench: Bench) -> None:
    one, two = sample_job(), sample_job()
    await bench.parent.send(work(1, one, two), [PIXELS])

    bench.parent.tell(Cancel(batch=1, jobs=(one.id,)))
    bench.parent.tell(Cancel(batch=1, jobs=(two.id,)))

    assert await bench.next() == Abandoned(batch=1)


async def test_a_batch_that_was_cancelled_while_it_waited_is_not_begun(bench: Bench) -> None:
    one, two = sample_job(), sample_job()
    bench.runner.checks.clear()  # the first batch keeps the device
    await bench.parent.send(work(1, one), [PIXELS])
    await wait_until_async(lambda: bench.runner.seen)
    await bench.parent.send(work(2, two), [PIXELS])
    bench.parent.tell(Cancel(batch=2, jobs=(two.id,)))
    bench.runner.go.set()

    assert isinstance(await bench.next(), Answers)
    assert await bench.next() == Abandoned(batch=2)
    assert len(bench.runner.seen) == 1


async def test_a_batch_that_is_cancelled_while_others_have_the_device_is_abandoned(bench: Bench) -> None:
    one, two = sample_job(), sample_job()
    await bench.parent.send(work(1, one), [PIXELS])
    await bench.parent.send(work(2, two), [PIXELS])
    await wait_until_async(lambda: len(bench.runner.seen) == 2)
    bench.parent.tell(Cancel(batch=1, jobs=(one.id,)))
    assert await bench.next() == Abandoned(batch=1)
    bench.parent.tell(Cancel(batch=2, jobs=(two.id,)))
    assert await bench.next() == Abandoned(batch=2)


async def test_the_child_says_whose_turn_it_is(bench: Bench) -> None:
    await bench.parent.send(work(1, sample_job()), [PIXELS])
    await bench.parent.send(work(2, sample_job()), [PIXELS])

    turns: list[int] = []
    while turns[-3:] != [1, 2, 1]:
        message, _ = await bench.parent.receive()
        turns += [message.batch] if isinstance(message, Turn) else []
    bench.runner.go.set()

    assert {(await bench.next()).model_dump()["batch"], (await bench.next()).model_dump()["batch"]} == {1, 2}


async def test_a_batch_is_answered_while_a_longer_one_is_computed(bench: Bench) -> None:
    long, short = sample_job(), sample_job()
    bench.runner.short.add(short.id)
    await bench.parent.send(work(1, long), [PIXELS])
    await wait_until_async(lambda: bench.runner.seen)
    await bench.parent.send(work(2, short), [PIXELS])

    answers = await bench.next()
    assert isinstance(answers, Answers)
    assert answers.batch == 2
    bench.runner.go.set()
    assert (await bench.next()).model_dump(include={"batch"}) == {"batch": 1}


async def test_what_a_batch_is_told_of_time_is_its_own(bench: Bench) -> None:
    """While the other one has the device, neither its seconds nor what is left of them go on."""
    await bench.parent.send(work(1, sample_job()), [PIXELS])
    await bench.parent.send(work(2, sample_job()), [PIXELS])
    begin = asyncio.get_running_loop().time()
    await wait_until_async(lambda: sum(bench.runner.spent.values()) > 0.5)
    bench.runner.go.set()
    answers = [await bench.next(), await bench.next()]
    took = asyncio.get_running_loop().time() - begin

    seconds = [answer.seconds for answer in answers if isinstance(answer, Answers)]
    assert len(seconds) == 2
    assert sum(seconds) <= took
    assert min(seconds) > 0.1, "each had its share"


async def test_one_wanted_job_keeps_its_batch_going(bench: Bench) -> None:
    wanted, other = sample_job(), sample_job()
    await bench.parent.send(work(1, wanted, other), [PIXELS])
    bench.parent.tell(Cancel(batch=1, jobs=(other.id,)))
    bench.runner.go.set()

    assert isinstance(await bench.next(), Answers)


async def test_a_cancel_that_comes_too_late_is_not_kept(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[int] = []
    forget = Inbox.forget

    def count(inbox: Inbox, work: Work) -> None:
        forget(inbox, work)
        kept.append(len(inbox._cancelled))

    monkeypatch.setattr(Inbox, "forget", count)
    bench.runner.go.set()
    for number in (1, 2, 3):
        job = sample_job()
        await bench.parent.send(work(number, job), [PIXELS])
        assert isinstance(await bench.next(), Answers)
        bench.parent.tell(Cancel(batch=number, jobs=(job.id,)))
    await bench.parent.send(work(4, sample_job()), [PIXELS])
    await bench.next()

    await wait_until_async(lambda: len(kept) == 4)
    assert kept[-1] == 0


async def test_a_child_that_cannot_read_its_pipe_ends(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    seen: list[type[BaseException]] = []
    monkeypatch.setattr(threading, "excepthook", lambda hook: seen.append(hook.exc_type))
    await bench.parent.send(work(1, sample_job()), [PIXELS])
    await wait_until_async(lambda: bench.runner.seen)
    monkeypatch.setattr(ChildEnd, "receive", fail)
    bench.parent.tell(Cancel(batch=7, jobs=()))

    assert await bench.next() == Abandoned(batch=1)
    await asyncio.wait_for(bench.loop, 5)
    assert seen == [MemoryError]


async def test_the_loop_ends_when_the_parent_goes_even_in_a_batch(bench: Bench) -> None:
    await bench.parent.send(work(1, sample_job()), [PIXELS])
    bench.parent.close()

    with pytest.raises(PipeBrokenError):
        await asyncio.wait_for(bench.loop, 5)


async def test_threads_of_a_child_spin_for_microseconds_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.delenv(name, raising=False)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "workers.device", "--no-phantoms", "--device", "cpu"),
            *("--fd", str(theirs.fileno())),
            pass_fds=(theirs.fileno(),),
            env=os.environ | {"OMP_DISPLAY_ENV": "verbose"},
            stderr=asyncio.subprocess.PIPE,
        )
        ours.shutdown(socket.SHUT_WR)
        _, words = await child.communicate()

    assert re.search(r"GOMP_SPINCOUNT = .?10000\b", words.decode()), words


async def test_an_unknown_error_ends_the_loop(bench: Bench) -> None:
    bench.runner.error = Broken("device-side assert")
    bench.runner.go.set()
    await bench.parent.send(work(1, sample_job()), [PIXELS])

    with pytest.raises(Broken):
        await asyncio.wait_for(bench.loop, 5)
