"""Calls about analyses are made by the script that changes the analysis: each once, none without it."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from jobs.analyses import Analyses, AnalysisHold
from jobs.analysis import Analysis
from jobs.calls import CallKind, WebhookCall, WebhookCalls
from jobs.errors import Failure, ImageGone, InvalidRequest, Unavailable
from jobs.job import Subject, Webhook, WebhookEvent
from jobs.keys import Keys
from jobs.moves import webhooks
from tests.waiting import wait_until_async

ANALYSIS = Analysis(id="a", tenant="clinic", kind="evaluation", image_set="s", parts=4, params={"seed": 7})
ALL = tuple(WebhookEvent)
GONE = Failure.of(ImageGone("erased"))


@pytest.fixture
def analyses(redis: Redis, keys: Keys) -> Analyses:
    return Analyses(redis, keys)


@pytest.fixture
def calls(redis: Redis, keys: Keys) -> WebhookCalls:
    return WebhookCalls(redis, keys)


def hook(number: int = 0) -> Webhook:
    url = f"https://example.org/{number}"
    return Webhook(tenant="clinic", key="0" * 12, url=url, about=Subject.ANALYSIS)


async def begun(analyses: Analyses, *, seconds: float = 60.0) -> AnalysisHold:
    [hold] = await analyses.collect(count=9, seconds=seconds)
    assert await analyses.begun(hold) == ANALYSIS
    return hold


async def due(calls: WebhookCalls) -> list[WebhookCall]:
    return await calls.collect(count=100, visible_seconds=60.0)


@pytest.mark.parametrize("ending", ["done", "failed", "erased", "erased early"])
async def test_every_ending_makes_one_call(
    analyses: Analyses, calls: WebhookCalls, redis: Redis, keys: Keys, ending: str
) -> None:
    await analyses.submit(ANALYSIS, hook())
    if ending == "erased early":
        await analyses.erase("clinic", "a")
    else:
        hold = await begun(analyses)
        if ending == "erased":
            await analyses.erase("clinic", "a")
        failure = GONE if ending == "failed" else None
        assert await analyses.end(hold, ANALYSIS, failure) is (ending != "erased")
        assert not await analyses.end(hold, ANALYSIS, failure)
    [call] = await due(calls)
    assert call.kind is (CallKind.CANCELLED if "erased" in ending else CallKind(ending))
    assert (call.id, call.webhook, call.tries) == ("a", hook(), 0)
    assert not await redis.exists(keys.webhooks("a"))
    await analyses.erase("clinic", "a")
    assert await calls.waiting() == 1, "what has ended is not cancelled"


async def test_a_start_is_told_once_whoever_takes_it_over(analyses: Analyses, calls: WebhookCalls) -> None:
    await analyses.submit(ANALYSIS, hook(), ALL)
    await analyses.submit(ANALYSIS, hook(1))
    hold = await begun(analyses)
    await analyses.held_on(hold, ANALYSIS, 0.0)
    again = await begun(analyses)
    [start] = await due(calls)
    assert (start.kind, start.webhook) == (CallKind.STARTED, hook())
    await analyses.end(again, ANALYSIS, None)
    ends = await due(calls)
    assert {(call.kind, call.webhook) for call in ends} == {(CallKind.DONE, hook(n)) for n in (0, 1)}


async def test_progress_makes_one_call_for_all_that_came_in_half_a_second(
    analyses: Analyses, calls: WebhookCalls
) -> None:
    await analyses.submit(ANALYSIS, hook(), [WebhookEvent.PROGRESS])
    hold = await begun(analyses)
    await analyses.report(ANALYSIS, {"0": 0.25})
    assert await due(calls) == []
    await analyses.report(ANALYSIS, {"0": 0.5})
    assert await calls.waiting() == 1
    found: list[WebhookCall] = []

    async def is_due() -> bool:
        found.extend(await due(calls))
        return bool(found)

    await wait_until_async(is_due)
    await calls.end(found[0])
    assert not await analyses.report(ANALYSIS, {"0": 0.5})
    assert await calls.waiting() == 0, "it is no further"
    await analyses.report(ANALYSIS, {"0": 0.75})
    await analyses.end(hold, ANALYSIS, None)
    assert await calls.waiting() == 0, "nobody asked for the end, and progress is of no use any more"
    assert [call.kind for call in found] == [CallKind.PROGRESS]


async def test_what_is_done_already_is_told_at_once_and_each_time(
    analyses: Analyses, calls: WebhookCalls, redis: Redis, keys: Keys
) -> None:
    await analyses.submit(ANALYSIS)
    await analyses.end(await begun(analyses), ANALYSIS, None)
    await analyses.submit(ANALYSIS, hook())
    await analyses.submit(ANALYSIS, hook())
    first, second = await due(calls)
    assert first.kind is second.kind is CallKind.DONE
    assert first.message_id != second.message_id
    assert not await redis.exists(keys.webhooks("a"))


async def test_one_that_is_taken_up_again_has_no_webhooks_of_before(
    analyses: Analyses, calls: WebhookCalls
) -> None:
    await analyses.submit(ANALYSIS, hook())
    await analyses.end(await begun(analyses), ANALYSIS, GONE)
    await calls.end((await due(calls))[0])
    await analyses.submit(ANALYSIS)
    await analyses.end(await begun(analyses), ANALYSIS, None)
    assert await due(calls) == []


async def test_an_analysis_calls_a_bounded_number(analyses: Analyses) -> None:
    for number in range(webhooks.MAX_WEBHOOKS):
        await analyses.submit(ANALYSIS, hook(number))
    await analyses.submit(ANALYSIS, hook())
    with pytest.raises(InvalidRequest) as refusal:
        await analyses.submit(ANALYSIS, hook(99))
    assert [problem.field for problem in refusal.value.problems] == ["webhook"]


async def test_webhooks_are_refused_while_too_many_calls_wait(
    analyses: Analyses, calls: WebhookCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "MAX_CALLS", 1)
    await analyses.submit(ANALYSIS, hook())
    await analyses.erase("clinic", "a")
    assert await calls.waiting() == 1
    with pytest.raises(Unavailable):
        await analyses.submit(ANALYSIS, hook())
    assert await analyses.record("clinic", "a") is None
    await analyses.submit(ANALYSIS)


async def test_its_webhooks_live_as_long_as_it_does(analyses: Analyses, redis: Redis, keys: Keys) -> None:
    await analyses.submit(ANALYSIS, hook())
    hold = await begun(analyses)
    await redis.expire(keys.webhooks("a"), 100)
    await analyses.held_on(hold, ANALYSIS, 60.0)
    assert await redis.ttl(keys.webhooks("a")) > 1000


def test_a_call_about_an_explanation_is_what_it_always_was() -> None:
    """Else one that is under way while processes are replaced would be another message."""
    webhook = Webhook(tenant="clinic", key="0" * 12, url="https://example.org/0")
    call = WebhookCall("j", CallKind.DONE, "1.5", 0, webhook, "2.5")
    assert call.words == (
        'j done 1.5 0 {"tenant":"clinic","key":"000000000000","url":"https://example.org/0"}'
    )
    assert "analysis" in hook().model_dump_json()
