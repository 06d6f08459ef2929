"""Calls to webhooks are made by the script that changes their job, and kept until they are settled."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from jobs.calls import CallKind, Delay, WebhookCall, WebhookCalls
from jobs.errors import Failure, InternalError, InvalidRequest, Unavailable
from jobs.job import Job, Terms, Webhook, WebhookEvent
from jobs.keys import Keys
from jobs.moves import webhooks
from jobs.queue import Claim, JobQueue
from tests.samples import MAP, PIXELS, sample_job, sample_model, sample_result
from tests.waiting import wait_until_async

ALL = tuple(WebhookEvent)


@pytest.fixture
def calls(redis: Redis, keys: Keys) -> WebhookCalls:
    return WebhookCalls(redis, keys)


def hook(number: int = 0) -> Webhook:
    return Webhook(tenant="clinic", key="0" * 12, url=f"https://example.org/{number}")


async def submitted(queue: JobQueue, job: Job, *events: WebhookEvent, number: int = 0) -> None:
    asked = events or (WebhookEvent.COMPLETED,)
    await queue.submit(job, PIXELS, terms=Terms(webhook=hook(number), webhook_events=asked))


async def claimed(queue: JobQueue) -> Claim:
    [claim] = await queue.claim("worker", [sample_model()], count=1, block_seconds=1)
    return claim


async def due(calls: WebhookCalls, *, seconds: float = 60.0) -> list[WebhookCall]:
    return await calls.collect(count=100, visible_seconds=seconds)


async def committed(queue: JobQueue, claim: Claim) -> None:
    await queue.commit([(claim, sample_result(claim.job), {"2": MAP})])


@pytest.mark.parametrize("ending", ["done", "failed", "cancelled", "erased", "too late"])
async def test_every_ending_makes_one_call(
    queue: JobQueue, calls: WebhookCalls, redis: Redis, keys: Keys, ending: str
) -> None:
    job = sample_job()
    await submitted(queue, job)
    claim = await claimed(queue)
    if ending == "too late":
        await redis.hset(keys.job(job.id), "start_by", "1")
    await queue.start([claim])
    match ending:
        case "done":
            await committed(queue, claim)
        case "failed":
            await queue.fail(claim, Failure.of(InternalError("It broke.")), dead_letter=False)
        case "cancelled":
            await queue.cancel(job.tenant, job.id)
        case "erased":
            await queue.erase(job.tenant, job.id)
    [call] = await due(calls)
    kinds = {"erased": CallKind.CANCELLED, "too late": CallKind.FAILED}
    assert call.kind is (kinds.get(ending) or CallKind(ending))
    assert (call.id, call.webhook, call.tries) == (job.id, hook(), 0)
    assert not await redis.exists(keys.webhooks(job.id))


async def test_a_start_is_told_to_those_who_ask(queue: JobQueue, calls: WebhookCalls) -> None:
    job = sample_job()
    await submitted(queue, job, WebhookEvent.STARTED, WebhookEvent.COMPLETED)
    await submitted(queue, job, number=1)
    claim = await claimed(queue)
    await queue.start([claim])
    assert [(call.kind, call.webhook) for call in await due(calls)] == [(CallKind.STARTED, hook())]
    await committed(queue, claim)
    assert sorted(call.webhook.url for call in await due(calls)) == [hook(0).url, hook(1).url]


async def test_progress_makes_one_call_for_all_that_came_in_half_a_second(
    queue: JobQueue, calls: WebhookCalls
) -> None:
    await submitted(queue, sample_job(), WebhookEvent.PROGRESS)
    claim = await claimed(queue)
    await queue.start([claim])
    for number in range(20):
        await queue.report(claim, number / 20)
    assert await due(calls) == []
    assert await calls.waiting() == 1
    found: list[WebhookCall] = []

    async def is_due() -> bool:
        await queue.report(claim, 0.99)  # it is not put off by what comes after it
        found.extend(await due(calls))
        return bool(found)

    await wait_until_async(is_due)
    assert [call.kind for call in found] == [CallKind.PROGRESS]
    await calls.end(found[0])
    await queue.report(claim, 1.0)
    await committed(queue, claim)
    assert await calls.waiting() == 0  # nobody asked for the end, and progress is of no use any more


async def test_who_asks_again_for_more_is_one_webhook(queue: JobQueue, calls: WebhookCalls) -> None:
    job = sample_job()
    await submitted(queue, job, WebhookEvent.STARTED)
    await submitted(queue, job, WebhookEvent.COMPLETED)
    claim = await claimed(queue)
    await queue.start([claim])
    await committed(queue, claim)
    assert [call.kind for call in await due(calls)] == [CallKind.STARTED, CallKind.DONE]


async def test_what_is_done_already_is_told_at_once_and_each_time(
    queue: JobQueue, calls: WebhookCalls
) -> None:
    job = sample_job()
    await queue.submit(job, PIXELS)
    await committed(queue, await claimed(queue))
    await submitted(queue, job)
    await submitted(queue, job)
    first, second = await due(calls)
    assert first.kind is second.kind is CallKind.DONE
    assert first.message_id != second.message_id


async def test_a_job_that_is_asked_for_anew_has_no_webhooks_of_before(
    queue: JobQueue, calls: WebhookCalls
) -> None:
    job = sample_job()
    await submitted(queue, job)
    await queue.fail(await claimed(queue), Failure.of(InternalError("It broke.")), dead_letter=False)
    await calls.end((await due(calls))[0])
    await queue.submit(job, PIXELS)
    await committed(queue, await claimed(queue))
    assert await due(calls) == []


async def test_a_job_calls_a_bounded_number(queue: JobQueue) -> None:
    job = sample_job()
    for number in range(webhooks.MAX_WEBHOOKS):
        await submitted(queue, job, number=number)
    await submitted(queue, job, number=0)
    with pytest.raises(InvalidRequest) as refusal:
        await submitted(queue, job, number=99)
    assert [problem.field for problem in refusal.value.problems] == ["webhook"]


async def test_webhooks_are_refused_while_too_many_calls_wait(
    queue: JobQueue, redis: Redis, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "MAX_CALLS", 1)
    await submitted(queue, sample_job())
    await committed(queue, await claimed(queue))
    job = sample_job()
    with pytest.raises(Unavailable):
        await submitted(queue, job)
    assert not await redis.exists(keys.job(job.id))
    await queue.submit(job, PIXELS)


async def one_call(queue: JobQueue, calls: WebhookCalls, *, seconds: float = 60.0) -> WebhookCall:
    await submitted(queue, sample_job())
    await committed(queue, await claimed(queue))
    [call] = await due(calls, seconds=seconds)
    return call


async def test_a_call_in_hand_is_nobody_elses_until_its_time_is_over(
    queue: JobQueue, calls: WebhookCalls
) -> None:
    first = await one_call(queue, calls, seconds=0.2)
    assert await due(calls) == []
    taken: list[WebhookCall] = []

    async def is_due_again() -> bool:
        taken.extend(await due(calls))
        return bool(taken)

    await wait_until_async(is_due_again)
    assert taken[0].message_id == first.message_id
    await calls.put_off([Delay(first, 0.0, counts=True)])  # too late: it is another's
    await calls.end(first)
    assert await calls.waiting() == 1
    await calls.end(taken[0])
    assert await calls.waiting() == 0


async def test_a_call_that_was_put_off_is_the_same_message_with_one_more_try(
    queue: JobQueue, calls: WebhookCalls
) -> None:
    call = await one_call(queue, calls)
    await calls.put_off([Delay(call, 0.0, counts=True)])
    [again] = await due(calls)
    assert again == replace(call, tries=1, visible_until=again.visible_until)
    assert again.message_id == call.message_id
    await calls.put_off([Delay(again, 60.0)])
    assert await due(calls) == []


async def test_two_processes_never_take_the_same_call(queue: JobQueue, calls: WebhookCalls) -> None:
    for _ in range(20):
        await submitted(queue, sample_job())
        await committed(queue, await claimed(queue))
    halves = await asyncio.gather(*(calls.collect(count=7, visible_seconds=60) for _ in range(4)))
    assert len({call.id for half in halves for call in half}) == sum(map(len, halves)) == 20


async def test_words_that_cannot_be_read_are_given_up(
    queue: JobQueue, calls: WebhookCalls, redis: Redis, keys: Keys
) -> None:
    call = await one_call(queue, calls)
    await calls.put_off([Delay(call, 0.0)])
    await redis.zadd(keys.calls, {"not a call": 1, call.words.replace(call.at, "soon"): 2})
    assert [each.id for each in await due(calls)] == [call.id]
    assert await calls.waiting() == 1
