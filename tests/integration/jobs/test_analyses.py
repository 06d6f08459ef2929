"""Analyses in Redis: accepted once, held by one at a time, kept part by part, erased for their tenant."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from redis.asyncio import Redis

from jobs.analyses import MOST_UNFINISHED, Analyses, AnalysisHold
from jobs.analysis import Analysis
from jobs.changes import read_change
from jobs.errors import Failure, ImageGone, TenantFull, Unreadable
from jobs.job import State
from jobs.keys import Keys
from tests.waiting import wait_until_async

GONE = Failure.of(ImageGone("erased"))


@pytest.fixture
def analyses(redis: Redis, keys: Keys) -> Analyses:
    return Analyses(redis, keys)


def analysis(name: str = "a", tenant: str = "clinic") -> Analysis:
    return Analysis(id=name, tenant=tenant, kind="evaluation", image_set="s", parts=4, params={"seed": 7})


async def taken(analyses: Analyses, *, seconds: float = 60.0) -> AnalysisHold:
    [hold] = await analyses.collect(count=9, seconds=seconds)
    return hold


async def state(analyses: Analyses, name: str = "a") -> State:
    record = await analyses.record("clinic", name)
    assert record is not None
    return record.state


async def left(redis: Redis, keys: Keys) -> set[str]:
    names = [name async for name in redis.scan_iter(match=f"{{{keys.namespace}}}:*")]
    return {cast(bytes, name).decode().partition("}:")[2] for name in names}


async def test_one_is_accepted_once_and_its_record_tells_where_it_stands(analyses: Analyses) -> None:
    assert await analyses.submit(analysis()) is State.QUEUED
    assert await analyses.submit(analysis()) is State.QUEUED
    hold = await taken(analyses)
    assert await analyses.begun(hold) == analysis()
    assert await analyses.submit(analysis()) is State.RUNNING
    await analyses.note(analysis(), "0", b"x", "j")
    record = await analyses.record("clinic", "a")
    assert record is not None
    assert (record.state, record.done, record.progress) == (State.RUNNING, 1, 0.25)
    assert record.started_at is not None
    assert record.started_at >= record.submitted_at
    assert await analyses.end(hold, analysis(), None)
    assert await analyses.submit(analysis()) is State.DONE
    assert await analyses.collect(count=9, seconds=60) == []
    assert await analyses.record("other", "a") is None


async def test_two_never_hold_one_and_what_is_not_held_on_to_is_lost(analyses: Analyses) -> None:
    await analyses.submit(analysis())
    first = await taken(analyses, seconds=0.2)
    assert await analyses.collect(count=9, seconds=60) == []
    longer = await analyses.held_on(first, analysis(), 0.2)
    assert longer is not None
    assert await analyses.held_on(first, analysis(), 60) is None  # an old hold is none
    found: list[AnalysisHold] = []

    async def is_due() -> bool:
        found.extend(await analyses.collect(count=9, seconds=60))
        return bool(found)

    await wait_until_async(is_due)
    assert await analyses.held_on(longer, analysis(), 60) is None
    assert not await analyses.end(longer, analysis(), None)
    assert await analyses.begun(found[0]) == analysis()
    assert await analyses.end(found[0], analysis(), None)


async def test_what_is_given_back_is_taken_at_once(analyses: Analyses) -> None:
    await analyses.submit(analysis())
    await analyses.held_on(await taken(analyses), analysis(), 0.0)
    assert (await taken(analyses)).id == "a"


async def test_parts_are_kept_once_each_and_their_jobs_are_known_until_then(
    analyses: Analyses, redis: Redis, keys: Keys
) -> None:
    await analyses.submit(analysis())
    assert not await analyses.own(analysis(), "j")  # it does not run yet
    await analyses.begun(await taken(analyses))
    assert await analyses.own(analysis(), "j")
    assert await analyses.own(analysis(), "k")
    assert await analyses.note(analysis(), "2", b"x", "j")
    assert await analyses.note(analysis(), "2", b"x", "j")
    assert await redis.smembers(keys.analysis_jobs("a")) == {b"k"}
    assert await analyses.known("a") == {"2"}
    assert await analyses.parts("a", ["0", "2"]) == [None, b"x"]


async def test_how_many_parts_there_are_may_come_out_on_the_way(analyses: Analyses) -> None:
    unknown = analysis().model_copy(update={"parts": None})
    await analyses.submit(unknown)
    await analyses.begun(await taken(analyses))
    await analyses.note(unknown, "0", b"x")
    record = await analyses.record("clinic", "a")
    assert record is not None
    assert (record.parts, record.done, record.progress) == (None, 1, 0.0)
    assert not await analyses.report(unknown, {"1": 0.5})
    await analyses.note(unknown, "1", b"x", parts=8)
    record = await analyses.record("clinic", "a")
    assert record is not None
    assert (record.parts, record.done, record.progress) == (8, 2, 0.25)


async def progress(analyses: Analyses) -> float:
    record = await analyses.record("clinic", "a")
    assert record is not None
    return record.progress


async def test_progress_counts_what_is_done_of_parts_never_falls_and_is_whole_at_the_end(
    analyses: Analyses, redis: Redis, keys: Keys
) -> None:
    await analyses.submit(analysis())
    assert not await analyses.report(analysis(), {"0": 0.5})  # it does not run yet
    hold = await taken(analyses)
    await analyses.begun(hold)
    async with redis.pubsub() as told:
        await told.subscribe(keys.changes)
        assert await analyses.report(analysis(), {"0": 0.5, "1": 0.25})
        assert await progress(analyses) == 0.75 / 4
        assert not await analyses.report(analysis(), {"1": 0.5})
        assert await progress(analyses) == 0.75 / 4
        await analyses.note(analysis(), "0", b"x", "j")
        assert await progress(analyses) == 1 / 4
        assert await analyses.report(analysis(), {"0": 0.75, "1": 0.5})  # what is kept counts as one part
        assert await progress(analyses) == 1.5 / 4
        assert not await analyses.report(analysis(), {"1": 0.5})
        messages = [await told.get_message(timeout=5) for _ in range(3)][1:]  # after the subscription
        assert await told.get_message() is None
    assert [message and read_change(message["data"][2:], None).progress for message in messages] == [
        0.75 / 4,
        1.5 / 4,
    ]
    for part in "123":
        await analyses.note(analysis(), part, b"x", "j")
    await analyses.report(analysis(), {})
    assert 0.9 < await progress(analyses) < 1
    await analyses.end(hold, analysis(), None)
    assert await progress(analyses) == 1


async def test_taken_up_again_it_is_as_far_as_its_parts(analyses: Analyses) -> None:
    await analyses.submit(analysis())
    hold = await taken(analyses)
    await analyses.begun(hold)
    await analyses.note(analysis(), "0", b"x", "j")
    await analyses.report(analysis(), {"1": 0.5})
    await analyses.end(hold, analysis(), GONE)
    assert await progress(analyses) == 1.5 / 4
    await analyses.submit(analysis())
    assert await progress(analyses) == 1 / 4


async def test_one_that_failed_goes_on_with_what_is_missing(analyses: Analyses) -> None:
    await analyses.submit(analysis())
    hold = await taken(analyses)
    await analyses.begun(hold)
    await analyses.own(analysis(), "k")
    await analyses.note(analysis(), "2", b"x", "j")
    await analyses.end(hold, analysis(), GONE)
    record = await analyses.record("clinic", "a")
    assert record is not None
    assert (record.state, record.failure) == (State.FAILED, GONE)
    assert not await analyses.note(analysis(), "3", b"x", "j")
    assert await analyses.submit(analysis()) is State.QUEUED
    record = await analyses.record("clinic", "a")
    assert record is not None
    assert (record.done, record.failure, record.finished_at) == (1, None, None)
    assert await analyses.erase("clinic", "a") == ["k"]


async def test_erasing_leaves_nothing_and_tells_of_the_jobs(
    analyses: Analyses, redis: Redis, keys: Keys
) -> None:
    await analyses.submit(analysis())
    hold = await taken(analyses)
    await analyses.begun(hold)
    await analyses.own(analysis(), "j")
    await analyses.note(analysis(), "0", b"x", "i")
    assert await analyses.erase("other", "a") is None
    assert await analyses.erase("clinic", "a") == ["j"]
    assert await left(redis, keys) == set()
    assert await analyses.erase("clinic", "a") is None
    assert await analyses.held_on(hold, analysis(), 60) is None
    assert await analyses.begun(hold) is None
    assert not await analyses.own(analysis(), "k")
    assert not await analyses.note(analysis(), "1", b"x", "k")
    assert await left(redis, keys) == set()


async def test_a_tenant_has_few_that_are_not_finished(analyses: Analyses) -> None:
    for number in range(MOST_UNFINISHED):
        await analyses.submit(analysis(str(number)))
    with pytest.raises(TenantFull):
        await analyses.submit(analysis("more"))
    assert await analyses.submit(analysis("0")) is State.QUEUED
    assert await analyses.submit(analysis("theirs", "other")) is State.QUEUED
    await analyses.erase("clinic", "0")
    assert await analyses.submit(analysis("more")) is State.QUEUED


async def test_taken_by_many_at_once_each_has_one_holder(analyses: Analyses) -> None:
    for number in range(MOST_UNFINISHED):
        await analyses.submit(analysis(str(number)))
    holds = await asyncio.gather(*(analyses.collect(count=3, seconds=60) for _ in range(20)))
    names = [hold.id for some in holds for hold in some]
    assert sorted(names) == sorted(map(str, range(MOST_UNFINISHED)))


async def test_one_that_another_version_has_written_is_said_to_be(
    analyses: Analyses, redis: Redis, keys: Keys
) -> None:
    await analyses.submit(analysis())
    await redis.hset(keys.analysis("a"), "analysis", "{}")
    with pytest.raises(Unreadable):
        await analyses.record("clinic", "a")
    with pytest.raises(Unreadable):
        await analyses.begun(await taken(analyses))
