"""Conducting causal analyses: holders may die, workers may be late; no finished layer is asked for twice."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from redis.asyncio import Redis

from app.analyses.work import MOST_ASKED, RESULT
from jobs.analyses import Analyses
from jobs.analysis import Analysis
from jobs.causal import CausalGraph, Treatment
from jobs.errors import Failure, OutOfMemory
from jobs.graphs import Graphs
from jobs.job import Job, State
from jobs.keys import Keys
from jobs.pictures import ImageSet
from jobs.queue import Claim
from tests.api import LABELS, model_card
from tests.integration.institute import Institute, Silent, picture
from tests.surveys import ASKED_LAYERS, NECESSARY, SECONDS, SKELETON
from tests.waiting import wait_until_async

MODEL = model_card().ref
PARAMS = {"target": 2, "images": "of-class"}
PLAN = {
    "model": MODEL.model_dump(),
    "params": PARAMS,
    "target": 2,
    "label": LABELS[2],
    "classes": {"nodule": 2},
}
IMAGES = ImageSet(
    id="s", tenant="clinic", pictures=tuple(picture(n, "nodule" if n < 3 else "odd") for n in range(5))
)
PARTS = len(SKELETON.layers) + 1  # the skeleton, all layers but the classes, the result


@pytest.fixture
def institute(redis: Redis, keys: Keys) -> Institute:
    analysis = Analysis(id="g", tenant="clinic", kind="causal-graph", image_set="s", params=PLAN)
    return Institute(redis, keys, IMAGES, analysis)


async def graph_of(institute: Institute) -> CausalGraph:
    [content] = await institute.analyses.parts("g", [RESULT])
    assert content is not None
    return CausalGraph.model_validate_json(content)


async def members(institute: Institute) -> list[str]:
    names = cast(set[bytes], await institute.redis.smembers(institute.keys.analysis_jobs("g")))
    return [name.decode() for name in names]


def layers_asked(jobs: list[Job]) -> list[str]:
    return [job.method.params["layer"] for job in jobs if job.method.name == "causal-layer"]


async def test_a_graph_grows_from_the_class_down(institute: Institute, redis: Redis, keys: Keys) -> None:
    await institute.submit()
    async with institute.conductor(), institute.working() as worker:
        await institute.until(State.DONE)
    graph = await graph_of(institute)
    assert (graph.model, graph.target, graph.label, graph.images) == (MODEL, 2, "nodule", 3)
    assert graph.treatment == Treatment()
    assert [layer.name for layer in graph.layers] == list(NECESSARY)
    assert {layer.name: layer.necessary for layer in graph.layers} == NECESSARY
    assert graph.seconds == SECONDS * len(ASKED_LAYERS)
    assert [question.layer for question in worker.script.asked] == list(ASKED_LAYERS)
    assert [question.targets for question in worker.script.asked] == [
        {"classes": (2,)},
        {"high": (0,)},
        {"middle": (0, 3), "high": (0,)},
    ]
    skeleton, *layers = worker.seen
    assert [image.key for image in skeleton.survey] == ["i0"]
    assert all([image.key for image in job.survey] == ["i0", "i1", "i2"] for job in layers)
    assert all(job.image == job.survey[0] and not job.targets for job in worker.seen)
    assert await redis.zrange(keys.flows(MODEL.key), 0, -1) == [b"bulk clinic"]
    record = await institute.record()
    assert (record.done, record.parts, record.progress) == (PARTS, PARTS, 1.0)
    names = [name async for name in redis.scan_iter(match=f"{{{keys.namespace}}}:*")]
    left = {name.decode().partition("}:")[2].partition(":")[0] for name in names}
    assert not left & {"job", "result", "maps", "events"}, "nothing of the surveys is left"
    assert await redis.smembers(keys.image_users("i0")) == {b"set:s"}
    kept = Graphs(redis, keys)
    assert await kept.of("clinic", MODEL, 2) == graph
    assert await kept.all("clinic", MODEL) == {2: graph}
    assert await kept.of("other", MODEL, 2) is None


async def test_one_that_dies_loses_it_and_no_finished_layer_is_asked_for_again(
    institute: Institute, redis: Redis, keys: Keys
) -> None:
    dying = Silent(redis, keys)
    await institute.submit()
    async with institute.working() as worker, institute.conductor(analyses=dying):
        await wait_until_async(lambda: worker.script.asked, what="a layer was asked for")
        worker.hold = asyncio.Event()
        await wait_until_async(lambda: worker.held, what="the next one runs")
        dying.dead = True
        score = await redis.zscore(keys.analyses, "g")
        async with institute.conductor():

            async def taken_over() -> bool:
                return await redis.zscore(keys.analyses, "g") != score

            await wait_until_async(taken_over)
            worker.hold.set()
            await institute.until(State.DONE)
    assert layers_asked(worker.seen) == list(ASKED_LAYERS)
    assert max(institute.asked().values()) == 1


async def test_progress_shows_within_a_survey_and_never_falls(
    institute: Institute, redis: Redis, keys: Keys
) -> None:
    institute.worker.script.nodes_at_once = 2
    seen: list[float] = []

    async def part_of(count: float) -> None:
        async def shown() -> bool:
            seen.append((await institute.record()).progress)
            return seen[-1] == pytest.approx(count / PARTS, abs=1e-6)

        await wait_until_async(shown, what=f"{count} parts are shown")

    async def next_held(count: int) -> Claim:
        await wait_until_async(lambda: len(worker.held) == count, what="the next survey runs")
        first, worker.hold = worker.hold, asyncio.Event()
        assert first is not None
        holds.append(first)
        return worker.held[-1]

    holds: list[asyncio.Event] = []
    institute.worker.hold = asyncio.Event()
    await institute.submit()
    async with institute.working() as worker:
        async with institute.conductor():
            await next_held(1)  # the skeleton: how many parts there are is not known
            assert (await institute.record()).progress == 0
            holds[0].set()
            early = await next_held(2)
            await part_of(1.5)
            await institute.queue.report(early, 0.75)
            await part_of(1.75)
        async with institute.conductor():  # another takes it over
            holds[1].set()
            again = await next_held(3)  # the survey was late, and goes on from its beginning
            await part_of(1.75)
            await institute.queue.release([again])  # as if its worker had died
            worker.hold = None
            holds[2].set()
            await institute.until(State.DONE)
            await part_of(PARTS)
    assert seen == sorted(seen)
    assert [len(question.known) for question in worker.script.asked][:2] == [0, 2]
    assert all(share < 1 for share in seen[:-1])


@pytest.mark.parametrize("at_once", [1, 4])
async def test_a_worker_that_is_late_is_asked_to_go_on(institute: Institute, at_once: int) -> None:
    institute.worker.script.nodes_at_once = at_once
    await institute.submit()
    async with institute.conductor(), institute.working() as worker:
        await institute.until(State.DONE)
    surveys = {1: 3 + 4 + 6, 4: 1 + 1 + 2}[at_once]
    assert len(worker.script.asked) == surveys
    assert [len(question.known) for question in worker.script.asked if question.layer == "low"] == list(
        range(0, 6, at_once)
    )
    graph = await graph_of(institute)
    assert {layer.name: layer.necessary for layer in graph.layers} == NECESSARY
    assert graph.forwards == 3 + 4 + 6
    assert graph.seconds == SECONDS * surveys


async def test_a_worker_that_does_not_get_on_ends_it(institute: Institute) -> None:
    institute.worker.script.nodes_at_once = 0
    await institute.submit()
    async with institute.conductor(), institute.working() as worker:
        await institute.until(State.FAILED)
    assert len(worker.script.asked) == 1
    failure = (await institute.record()).failure
    assert failure is not None
    assert "high was late" in failure.detail


async def test_a_survey_that_fails_ends_it_and_asked_again_it_goes_on(institute: Institute) -> None:
    await institute.submit()
    async with institute.conductor() as conductor, institute.working() as worker:
        await wait_until_async(lambda: worker.script.asked, what="a layer was asked for")
        worker.failure = Failure.of(OutOfMemory("too large for the device"))
        await institute.until(State.FAILED)
        assert (await institute.record()).failure == worker.failure
        asked, worker.failure = list(worker.script.asked), None
        await institute.analyses.submit(institute.analysis)
        conductor.nudge()
        await institute.until(State.DONE)
    finished = len(asked)
    assert [question.layer for question in worker.script.asked] == list(ASKED_LAYERS)
    assert worker.script.asked[:finished] == asked


async def test_a_survey_that_is_cancelled_again_and_again_ends_it(institute: Institute) -> None:
    await institute.submit()
    cancelled = 0
    async with institute.conductor():
        while cancelled < MOST_ASKED:
            for name in await members(institute):
                cancelled += await institute.queue.cancel("clinic", name)
            await asyncio.sleep(0)
        await institute.until(State.FAILED)
    failure = (await institute.record()).failure
    assert failure is not None
    assert "cancelled" in failure.detail


async def test_two_that_ask_the_same_at_once_are_both_answered(institute: Institute) -> None:
    await institute.submit()
    twin = institute.analysis.model_copy(update={"id": "h"})
    await institute.analyses.submit(twin)
    async with institute.conductor(), institute.working():
        await institute.until(State.DONE)
        institute.analysis = twin
        await institute.until(State.DONE)


class ErasedMeanwhile(Analyses):
    """Analyses that are erased between the moment when a job is queued and that when it is noted."""

    async def own(self, analysis: Analysis, job_id: str) -> bool:
        assert await self.erase(analysis.tenant, analysis.id) == []
        return await super().own(analysis, job_id)


async def test_nothing_is_left_of_a_survey_that_was_queued_while_its_analysis_was_erased(
    institute: Institute, redis: Redis, keys: Keys
) -> None:
    await institute.submit()
    async with institute.conductor(analyses=ErasedMeanwhile(redis, keys)):

        async def erased() -> bool:
            return await institute.analyses.record("clinic", "g") is None

        await wait_until_async(erased)
    names = [name async for name in redis.scan_iter(match=keys.job("*"))]
    assert not names, "its survey would keep a picture for a day"
    assert await redis.smembers(keys.image_users("i0")) == {b"set:s"}


async def test_a_graph_that_was_erased_cannot_be_put_to_use(institute: Institute) -> None:
    plan = {**PLAN, "params": {"graph": "g" * 32}}
    institute.analysis = institute.analysis.model_copy(update={"kind": "causal-fidelity", "params": plan})
    await institute.submit()
    async with institute.conductor():
        await institute.until(State.FAILED)
    failure = (await institute.record()).failure
    assert failure is not None
    assert [problem.field for problem in failure.problems] == ["params.graph"]
    assert not institute.worker.seen


async def test_a_kind_that_this_version_does_not_know_is_left_to_others(
    institute: Institute, caplog: pytest.LogCaptureFixture
) -> None:
    institute.analysis = institute.analysis.model_copy(update={"kind": "tea-leaves"})
    await institute.submit()
    async with institute.conductor():
        await wait_until_async(lambda: "another version" in caplog.text)
    assert (await institute.record()).state is State.RUNNING
