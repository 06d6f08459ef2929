"""Other models over HTTP: named in a form or in JSON, completed to the weights that are served."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from jobs.keys import Keys
from tests.api import EXPLANATIONS, FORM, Stage, model_card, png, staged, worker_card

WAIT = {"Prefer": "wait=10"}
FIELD = "metric_params.model-consensus.models"


@pytest.fixture
async def stage(redis_url: str, keys: Keys, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(redis_url, keys, tmp_path) as running:
        strange = model_card("strange", "c").model_copy(update={"labels": ("a", "b")})
        card = worker_card(model_card("other", "b"), strange, name="second")
        await running.worker.registry.announce(card)
        yield running


async def post(stage: Stage, *models: str) -> httpx.Response:
    params = json.dumps({"model-consensus": {"models": models}})
    return await stage.post(metrics="model-consensus", metric_params=params)


async def test_a_form_and_json_are_one_explanation_with_exact_weights(stage: Stage) -> None:
    form = await post(stage, "other")
    document = {
        **FORM,
        "image": base64.b64encode(png()).decode(),
        "metrics": ["model-consensus"],
        "metric_params": {"model-consensus": {"models": [f"other@{'b' * 12}"]}},
    }
    text = await stage.client.post(EXPLANATIONS, json=document, headers=WAIT)

    assert [form.status_code, text.status_code] == [200, 200], form.text
    assert form.json()["id"] == text.json()["id"]
    [job] = stage.worker.seen
    assert job.metrics[0].params == {"models": [f"other@{'b' * 12}"]}


@pytest.mark.parametrize(
    ("models", "words"),
    [
        (["nobody"], "nobody is not known; there are: other"),
        (["tiny"], "tiny is the model that is explained; there are: other"),
        (["strange", "other"], "strange has other labels than tiny; there are: other"),
        (["other@123456789abc"], f"but other@{'b' * 12} is; there are: other"),
    ],
)
async def test_what_is_wrong_is_named_where_it_is(stage: Stage, models: list[str], words: str) -> None:
    response = await post(stage, *models)

    assert response.status_code == 422
    [error] = response.json()["errors"]
    assert error["field"] == FIELD
    assert error["message"].endswith(words)
    assert not stage.worker.seen


async def test_who_has_left_is_not_asked(stage: Stage, redis: Redis) -> None:
    assert (await post(stage, "other")).status_code == 200
    await stage.worker.registry.retire("second")
    stage.app.state.services.menu._read_at = -1e9

    [error] = (await post(stage, "other")).json()["errors"]

    assert error["message"] == "other is served by no worker now; there are: none just now"
