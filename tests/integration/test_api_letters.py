"""Dead letters over HTTP: for operators only, of all tenants, and without what is the tenants' own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from app.access import Scope, create_key
from jobs.errors import Failure, WorkerCrashed
from jobs.keys import Keys
from tests.api import EXPLANATIONS, FORM, Stage, bearer, model_card, png, staged

LETTERS = "/api/v1/dead-letters"
FAILURE = Failure.of(WorkerCrashed("It took its worker down three times."))


@pytest.fixture
def clinic(tmp_path: Path) -> dict[str, str]:
    return bearer(tmp_path / "keys.json", "clinic")


@pytest.fixture
def operator(tmp_path: Path) -> dict[str, str]:
    key = create_key(tmp_path / "keys.json", name="on call", tenant="ops", scope=Scope.OPERATOR)
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
async def stage(redis_url: str, keys: Keys, tmp_path: Path, clinic: dict[str, str]) -> AsyncIterator[Stage]:
    file = tmp_path / "keys.json"
    async with staged(redis_url, keys, tmp_path, work=False, keys_file=file) as running:
        yield running


async def given_up(stage: Stage, headers: dict[str, str], seed: int = 0) -> str:
    """Where an explanation is that ended with a dead letter."""
    posted = await stage.client.post(
        EXPLANATIONS, content=png(seed), params=FORM, headers=headers | {"Content-Type": "image/png"}
    )
    assert posted.status_code == 202, posted.text
    queue = stage.worker.queue
    [claim] = await queue.claim("gpu-3", [model_card().ref], count=1, block_seconds=0)
    await queue.crash(claim)
    assert await queue.fail(claim, FAILURE, dead_letter=True)
    return posted.headers["location"]


async def first_letter(stage: Stage, headers: dict[str, str]) -> httpx.Response:
    page = await stage.client.get(LETTERS, headers=headers)
    return await stage.client.get(page.json()["letters"][0]["links"]["self"], headers=headers)


async def test_a_letter_tells_an_operator_what_happened(
    stage: Stage, clinic: dict[str, str], operator: dict[str, str]
) -> None:
    place = await given_up(stage, clinic)
    letter = (await first_letter(stage, operator)).json()
    assert place.endswith(letter["explanation"])
    assert (letter["tenant"], letter["model"]) == ("clinic", model_card().ref.key)
    assert letter["reason"] == {"code": "worker-crashed", "detail": FAILURE.detail}
    assert (letter["attempts"], letter["worker"], letter["method"]["name"]) == (1, "gpu-3", "saliency")
    assert letter["method"]["params"], "with its completed parameters"
    assert (await stage.client.get(place, headers=operator)).status_code == 404, (
        "it is still the tenant's own"
    )


async def test_others_are_turned_away(stage: Stage, clinic: dict[str, str]) -> None:
    await given_up(stage, clinic)
    paths = [path for path in stage.app.openapi()["paths"] if path.startswith(LETTERS)]
    assert len(paths) == 4
    for path in paths:
        for verb in stage.app.openapi()["paths"][path]:
            answer = await stage.client.request(verb, path.replace("{letter_id}", "1-0"), headers=clinic)
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), (verb, path)
    assert len(await stage.worker.queue.dead_letters()) == 1


async def test_pages_lead_through_all_letters(
    stage: Stage, clinic: dict[str, str], operator: dict[str, str]
) -> None:
    places = [await given_up(stage, clinic, seed) for seed in range(5)]
    path: str | None = f"{LETTERS}?limit=2"
    seen = []
    while path:
        page = (await stage.client.get(path, headers=operator)).json()
        assert page["total"] == 5
        seen += [letter["explanation"] for letter in page["letters"]]
        path = page["next"]
    assert seen == [place.rpartition("/")[2] for place in reversed(places)]


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 1001}, {"before": "yesterday"}])
async def test_a_page_that_cannot_be_is_refused(
    stage: Stage, operator: dict[str, str], query: dict[str, str]
) -> None:
    answer = await stage.client.get(LETTERS, params=query, headers=operator)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, next(iter(query)))


async def test_a_retried_job_is_done_under_its_own_name(
    stage: Stage, clinic: dict[str, str], operator: dict[str, str]
) -> None:
    place = await given_up(stage, clinic)
    link = (await first_letter(stage, operator)).json()["links"]["retry"]
    answer = await stage.client.post(link, headers=operator)
    assert (answer.status_code, answer.json()["state"]) == (202, "queued")
    assert (await stage.client.get(place, headers=clinic)).json()["state"] == "queued"
    assert (await stage.client.get(LETTERS, headers=operator)).json() == {
        "letters": [],
        "total": 0,
        "next": None,
    }
    again = await stage.client.post(link, headers=operator)
    assert (again.status_code, again.json()["code"]) == (404, "not-found")


async def test_what_stands_in_the_way_of_a_retry_is_said(
    stage: Stage, clinic: dict[str, str], operator: dict[str, str]
) -> None:
    await given_up(stage, clinic)
    letter = (await first_letter(stage, operator)).json()
    await stage.client.post(
        EXPLANATIONS, content=png(), params=FORM, headers=clinic | {"Content-Type": "image/png"}
    )
    busy = await stage.client.post(letter["links"]["retry"], headers=operator)
    assert (busy.status_code, busy.json()["code"]) == (409, "not-retriable")
    await stage.worker.queue.redis.delete(stage.worker.queue.keys.job(letter["explanation"]))
    gone = await stage.client.post(letter["links"]["retry"], headers=operator)
    assert (gone.status_code, gone.json()["code"]) == (410, "gone")


@pytest.mark.parametrize("name", ["1-1", "nonsense", "1", "99999999999999999999-0", "-"])
async def test_a_letter_that_is_not_there_is_not_found(
    stage: Stage, operator: dict[str, str], name: str
) -> None:
    for verb, path in (("GET", name), ("DELETE", name), ("POST", f"{name}:retry")):
        answer = await stage.client.request(verb, f"{LETTERS}/{path}", headers=operator)
        assert answer.status_code == 404, (verb, path)


async def test_all_are_retried_and_all_are_dropped(
    stage: Stage, clinic: dict[str, str], operator: dict[str, str]
) -> None:
    for seed in range(3):
        await given_up(stage, clinic, seed)
    answer = await stage.client.post(f"{LETTERS}:retry", headers=operator)
    assert answer.json() == {"retried": 3, "gone": 0, "not_failed": 0, "unreadable": 0}
    queue = stage.worker.queue
    for claim in await queue.claim("gpu-3", [model_card().ref], count=9, block_seconds=0):
        await queue.fail(claim, FAILURE, dead_letter=True)
    letter = (await first_letter(stage, operator)).json()
    assert (await stage.client.delete(letter["links"]["self"], headers=operator)).status_code == 204
    assert (await stage.client.get(LETTERS, headers=operator)).json()["total"] == 2
    assert (await stage.client.delete(LETTERS, headers=operator)).status_code == 204
    assert (await stage.client.get(LETTERS, headers=operator)).json()["total"] == 0


async def test_without_keys_everybody_is_an_operator(redis_url: str, keys: Keys, tmp_path: Path) -> None:
    async with staged(redis_url, keys, tmp_path, work=False) as stage:
        assert (await stage.client.get(LETTERS)).status_code == 200
