"""Conducting evaluations: who holds one may die, freeze or be refused; its cells are asked for once."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import cast
from unittest.mock import AsyncMock

import pytest
from redis.asyncio import Redis

from app.evaluation.rows import unpacked
from app.evaluator.study import EVALUATION, Study
from jobs.analysis import Analysis
from jobs.errors import Unavailable
from jobs.job import MethodRef, State
from jobs.keys import Keys
from jobs.pictures import ImageSet
from jobs.queue import Claim, Limits
from tests.api import model_card, result_of
from tests.integration.institute import Institute, Silent, picture
from tests.samples import PIXELS, sample_job
from tests.waiting import wait_until_async

SECRET = b"not a secret at all"
PICTURES = 5
METHODS = ("saliency", "grad-cam")
CELLS = PICTURES * len(METHODS)
VISIBLE_SECONDS = 1.0


IMAGES = ImageSet(id="s", tenant="clinic", pictures=tuple(map(picture, range(PICTURES))))
STUDY = Study(
    models=(model_card().ref,),
    methods=tuple(MethodRef(name=name, version=1) for name in METHODS),
    metrics=(),
    seed=0,
    uses_masks=False,
)
ANALYSIS = Analysis(
    id="a",
    tenant="clinic",
    kind=EVALUATION,
    image_set="s",
    parts=CELLS,
    params=STUDY.model_dump(mode="json"),
)


@pytest.fixture
def institute(redis: Redis, keys: Keys) -> Institute:
    return Institute(redis, keys, IMAGES, ANALYSIS)


async def test_all_cells_are_done_with_few_in_flight(institute: Institute, keys: Keys, redis: Redis) -> None:
    await institute.submit()
    async with institute.conductor(in_flight=3):
        await institute.until(State.RUNNING)
        key = model_card().ref.key

        async def waiting() -> bool:
            return (await institute.queue.depth([model_card().ref]))[key] == 3

        await wait_until_async(waiting)
        assert await redis.scard(keys.analysis_jobs("a")) == 3
        async with institute.working():
            await institute.until(State.DONE)
    assert institute.asked() == Counter(dict.fromkeys(institute.asked(), 1))
    assert len(institute.asked()) == CELLS
    flows = await redis.zrange(keys.flows(model_card().ref.key), 0, -1)
    assert flows == [b"bulk clinic"]
    contents = await institute.analyses.parts("a", list(map(str, range(CELLS))))
    assert None not in contents
    assert [unpacked(content) for content in contents if content] == [[]] * CELLS  # there are no metrics


async def test_its_progress_counts_what_its_jobs_have_done(institute: Institute) -> None:
    models = [model_card().ref]
    await institute.submit()
    async with institute.conductor(in_flight=3):
        claims: list[Claim] = []
        while len(claims) < 3:
            claims += await institute.queue.claim("hand", models, count=3, block_seconds=1)
        await institute.queue.start(claims)
        for claim, share in zip(claims, (0.5, 0.25, 0.75), strict=True):
            await institute.queue.report(claim, share)

        async def shown() -> bool:
            return (await institute.record()).progress == pytest.approx(1.5 / CELLS)

        await wait_until_async(shown, what="what is done of three jobs counts")
        await institute.queue.release([claims[2]])  # it begins again
        await institute.queue.report(claims[0], 1.0)
        await institute.queue.commit([(claim, *result_of(claim.job)) for claim in claims[:2]])
        await institute.until_done(2)
        assert (await institute.record()).progress >= 2 / CELLS
        async with institute.working():
            await institute.until(State.DONE)
    assert (await institute.record()).progress == 1


async def test_one_that_ends_gives_back_what_it_has_and_another_goes_on(institute: Institute) -> None:
    await institute.submit()
    async with institute.working() as worker:
        async with institute.conductor():
            await institute.until_done(2)
            worker.hold = asyncio.Event()
        worker.hold.set()
        [hold] = await institute.analyses.collect(count=9, seconds=0.0)
        assert hold.id == "a"
        async with institute.conductor():
            await institute.until(State.DONE)
    assert max(institute.asked().values()) == 1
    assert len(institute.asked()) == CELLS


async def test_one_that_dies_loses_it_and_no_finished_cell_is_done_again(
    institute: Institute, redis: Redis, keys: Keys
) -> None:
    dying = Silent(redis, keys)
    await institute.submit()
    async with institute.working() as worker, institute.conductor(analyses=dying):
        await institute.until_done(2)
        worker.hold = asyncio.Event()
        dying.dead = True
        score = await redis.zscore(keys.analyses, "a")
        async with institute.conductor():

            async def taken_over() -> bool:
                return await redis.zscore(keys.analyses, "a") != score

            await wait_until_async(taken_over)
            worker.hold.set()
            await institute.until(State.DONE)
    assert max(institute.asked().values()) == 1
    assert len(institute.asked()) == CELLS


async def test_two_do_two_evaluations_and_never_the_same(institute: Institute) -> None:
    await institute.submit()
    other = ANALYSIS.model_copy(
        update={"id": "b", "params": STUDY.model_copy(update={"seed": 1}).model_dump(mode="json")}
    )
    await institute.analyses.submit(other)
    async with institute.working(), institute.conductor(), institute.conductor():
        await institute.until(State.DONE)

        async def done() -> bool:
            record = await institute.analyses.record("clinic", "b")
            return record is not None and record.state is State.DONE

        await wait_until_async(done)
    assert len(institute.asked()) == 2 * CELLS
    assert max(institute.asked().values()) == 1


async def test_a_full_queue_is_waited_out(redis: Redis, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.analyses.work.LONGEST_WAIT_SECONDS", 0.05)
    institute = Institute(redis, keys, IMAGES, ANALYSIS, Limits(tenant_jobs=1))
    await institute.submit()
    stranger = sample_job(model=model_card().ref)
    await institute.queue.submit(stranger, PIXELS)
    async with institute.conductor():
        await institute.until(State.RUNNING)
        assert await redis.scard(keys.analysis_jobs("a")) == 0
        async with institute.working():
            await institute.until(State.DONE)
    assert len(institute.asked()) == CELLS + 1


async def test_an_outage_is_waited_out(institute: Institute, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.analyses.work.LONGEST_WAIT_SECONDS", 0.01)
    away = Unavailable("away", retry_after=1)
    note, submit = institute.analyses.note, institute.queue.submit
    failing = [away] * 3
    monkeypatch.setattr(institute.analyses, "note", AsyncMock(side_effect=_after(failing.copy(), note)))
    monkeypatch.setattr(institute.queue, "submit", AsyncMock(side_effect=_after(failing.copy(), submit)))
    await institute.submit()
    async with institute.conductor(), institute.working():
        await institute.until(State.DONE)
    assert max(institute.asked().values()) == 1


async def test_a_job_that_somebody_else_cancels_is_asked_for_again(institute: Institute) -> None:
    await institute.submit()
    async with institute.conductor(in_flight=1):
        jobs: set[str] = set()

        async def queued() -> bool:
            jobs.update(name.decode() for name in await _members(institute))
            return bool(jobs)

        await wait_until_async(queued)
        [job] = jobs
        assert await institute.queue.cancel("clinic", job)
        async with institute.working():
            await institute.until(State.DONE)
    assert institute.asked()[job] == 1
    assert len(institute.asked()) == CELLS


async def test_a_defect_ends_it_with_a_word(
    institute: Institute, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await institute.submit()
    monkeypatch.setattr(institute.store, "record", AsyncMock(side_effect=ZeroDivisionError))
    async with institute.conductor():
        await institute.until(State.FAILED)
    failure = (await institute.record()).failure
    assert failure is not None
    assert failure.code == "internal-error"
    assert "broke off" in caplog.text


async def test_one_of_another_version_is_left_alone_and_holds_up_no_other(
    institute: Institute, redis: Redis, keys: Keys, caplog: pytest.LogCaptureFixture
) -> None:
    await institute.analyses.submit(ANALYSIS.model_copy(update={"id": "b"}))
    await redis.hset(keys.analysis("b"), "analysis", "{}")
    await institute.submit()
    async with institute.working(), institute.conductor():
        await institute.until(State.DONE)
        await wait_until_async(lambda: "another version" in caplog.text)
    assert await redis.zscore(keys.analyses, "b") is not None


async def test_with_nothing_to_do_it_asks_redis_once_a_look(
    institute: Institute, monkeypatch: pytest.MonkeyPatch
) -> None:
    collect = AsyncMock(return_value=[])
    monkeypatch.setattr(institute.analyses, "collect", collect)
    run = AsyncMock()
    monkeypatch.setattr("jobs.analyses.run", run)
    async with institute.conductor() as conductor:
        await wait_until_async(lambda: collect.await_count >= 3)
        before = collect.await_count
        conductor.nudge()
        await wait_until_async(lambda: collect.await_count > before)
    run.assert_not_awaited()


async def test_working_on_a_set_renews_it(institute: Institute, redis: Redis, keys: Keys) -> None:
    await institute.submit()
    for name in (keys.image_set("s"), keys.image("i0"), keys.image_users("i4")):
        await redis.expire(name, 100)
    async with institute.conductor():
        await institute.until(State.RUNNING)

        async def renewed() -> bool:
            return await redis.ttl(keys.image_set("s")) > 1000

        await wait_until_async(renewed)
    assert await redis.ttl(keys.image_users("i4")) > 1000


def _after(failures: list[Unavailable], call: object) -> object:
    async def answer(*words: object, **named: object) -> object:
        if failures:
            raise failures.pop()
        return await call(*words, **named)  # type: ignore[operator]

    return answer


async def _members(institute: Institute) -> set[bytes]:
    return cast(set[bytes], await institute.redis.smembers(institute.keys.analysis_jobs("a")))
