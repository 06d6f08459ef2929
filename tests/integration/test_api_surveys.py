"""Surveys beside the API: they are in its queue and among its dead letters, and nobody's explanations."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.access import Scope
from jobs.errors import Failure, WorkerCrashed
from jobs.fingerprint import named_job
from jobs.job import Job, MethodRef, Opened, State
from jobs.keys import Keys
from jobs.store import JobStore
from tests.api import EXPLANATIONS, Stage, bearer, model_card, staged
from tests.samples import sample_findings, sample_survey, survey_pixels

IMAGES = ("a", "b", "c")


@pytest.fixture
async def stage(redis_url: str, keys: Keys, tmp_path: Path) -> AsyncIterator[Stage]:
    file = tmp_path / "keys.json"
    bearer(file, "clinic")
    async with staged(redis_url, keys, tmp_path, work=False, keys_file=file) as running:
        yield running


@pytest.fixture
def store(stage: Stage) -> JobStore:
    queue = stage.worker.queue
    return JobStore(queue.redis, queue.keys)


async def submitted(stage: Stage) -> Job:
    images = sample_survey(*IMAGES).survey
    job = named_job(
        b"secret",
        tenant="clinic",
        model=model_card().ref,
        method=MethodRef(name="headcount", version=1),
        image=images[0],
        survey=images,
    )
    assert (await stage.worker.queue.submit(job, survey_pixels(IMAGES[0]))).created
    return job


async def test_no_path_of_an_explanation_leads_to_a_survey(stage: Stage, store: JobStore) -> None:
    headers = bearer(stage.settings.keys_file, "clinic")  # type: ignore[arg-type]  # it is set above
    job = await submitted(stage)
    [claim] = await stage.worker.queue.claim("w", [job.model], count=1, block_seconds=1)
    result = sample_findings(Opened(job, b"a", survey=(b"a", b"b", b"c")))
    assert await stage.worker.queue.commit([(claim, result, {})]) == [True]

    paths = [path for path in stage.app.openapi()["paths"] if path.startswith(f"{EXPLANATIONS}/")]
    assert len(paths) == 4
    for path in paths:
        for verb in stage.app.openapi()["paths"][path]:
            place = path.replace("{explanation_id}", job.id)
            answer = await stage.client.request(verb, place, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (404, "not-found"), (verb, path)

    record = await store.record("clinic", job.id)
    assert record is not None
    assert (record.state, record.job) == (State.DONE, job)
    assert await store.result("clinic", job.id) == result
    assert await store.result("other", job.id) is None


async def test_a_survey_keeps_and_erases_the_pixels_of_its_first_image_alone(
    stage: Stage, store: JobStore
) -> None:
    job = await submitted(stage)
    queue = stage.worker.queue
    assert await queue.redis.smembers(queue.keys.image_users("a")) == {job.id.encode()}
    assert not await queue.redis.exists(*(queue.keys.image_users(key) for key in IMAGES[1:]))

    assert await queue.erase("clinic", job.id)

    assert await store.record("clinic", job.id) is None
    assert await store.pixels_of(IMAGES) == {}


async def test_an_operator_sees_a_survey_that_was_given_up_and_queues_it_again(
    stage: Stage, store: JobStore
) -> None:
    file = stage.settings.keys_file
    assert file is not None
    headers = bearer(file, "ops", Scope.OPERATOR)
    job = await submitted(stage)
    [claim] = await stage.worker.queue.claim("w", [job.model], count=1, block_seconds=1)
    failure = Failure.of(WorkerCrashed("It took its worker down three times."))
    assert await stage.worker.queue.fail(claim, failure, dead_letter=True)

    [letter] = (await stage.client.get("/api/v1/dead-letters", headers=headers)).json()["letters"]
    assert (letter["explanation"], letter["method"]["name"]) == (job.id, "headcount")
    retried = await stage.client.post(letter["links"]["retry"], headers=headers)

    assert (retried.status_code, retried.json()["explanation"]) == (202, job.id)
    [claim] = await stage.worker.queue.claim("w", [job.model], count=1, block_seconds=1)
    assert claim.job == job
