"""`rationale dead-letters` against a running service."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli import app
from jobs.keys import Keys
from tests.api import Stage, staged
from tests.integration.test_api_letters import given_up
from tests.served import served


@pytest.fixture
async def stage(redis_url: str, keys: Keys, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(redis_url, keys, tmp_path, work=False) as running:
        yield running


@pytest.fixture
async def address(stage: Stage) -> AsyncIterator[str]:
    async with served(stage) as address:
        yield address


async def dead_letters(address: str, *words: str) -> Result:
    line = ["dead-letters", words[0], "--server", address, *words[1:]]
    return await asyncio.to_thread(CliRunner(env={"COLUMNS": "200"}).invoke, app, line)


async def test_letters_are_listed_shown_and_retried(stage: Stage, address: str) -> None:
    place = await given_up(stage, {})
    listed = await dead_letters(address, "list")
    assert "1 of 1 dead letters" in listed.output
    assert "worker-crashed" in listed.output
    [letter] = json.loads((await dead_letters(address, "list", "--json")).output)["letters"]
    assert letter["id"] in listed.output
    shown = await dead_letters(address, "show", letter["id"])
    assert letter["explanation"] in shown.output and "gpu-3" in shown.output
    assert json.loads((await dead_letters(address, "show", letter["id"], "--json")).output) == letter
    retried = await dead_letters(address, "retry", letter["id"])
    assert retried.output == f"{letter['explanation']} is queued again\n"
    assert (await stage.client.get(place)).json()["state"] == "queued"


async def test_all_letters_are_retried_or_purged(stage: Stage, address: str) -> None:
    for seed in range(3):
        await given_up(stage, {}, seed)
    [first, *_] = await stage.worker.queue.dead_letters()
    assert (await dead_letters(address, "purge", first.letter)).exit_code == 0
    answer = json.loads((await dead_letters(address, "retry", "--all", "--json")).output)
    assert answer == {"retried": 2, "gone": 0, "not_failed": 0, "unreadable": 0}
    assert "0 jobs are queued again" in (await dead_letters(address, "retry", "--all")).output
    await given_up(stage, {}, 7)
    assert (await dead_letters(address, "purge", "--all")).exit_code == 0
    assert await stage.worker.queue.dead_letters() == []


@pytest.mark.parametrize("words", [["retry"], ["purge"], ["retry", "1-0", "--all"], ["show", "1-0"]])
async def test_a_mistake_is_said_in_a_sentence(address: str, words: list[str]) -> None:
    result = await dead_letters(address, *words)
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert "letter" in result.output
