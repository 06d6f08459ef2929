"""Runs the Lua scripts: by their digest, many in one round trip, loaded again when Redis forgot them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

Argument = str | bytes | int | float
# Any: Lua answers numbers, bytes and nested lists of them.
Answer = Any
SHARED = ("shared", "webhooks", "pace", "enqueue")


@dataclass(frozen=True)
class Script:
    """The text of a script, what scripts share before it, and the digest that Redis knows it by."""

    name: str
    text: bytes
    digest: str


@dataclass(frozen=True)
class Call:
    """One run of a script with its keys and arguments."""

    script: Script
    keys: tuple[str, ...]
    arguments: tuple[Argument, ...]

    @property
    def words(self) -> tuple[Argument, ...]:
        return ("EVALSHA", self.script.digest, len(self.keys), *self.keys, *self.arguments)


@cache
def load(name: str) -> Script:
    """The script `scripts/<name>.lua` of this package."""
    folder = files("jobs") / "scripts"
    text = b"\n".join((folder / f"{part}.lua").read_bytes() for part in (*SHARED, name))
    return Script(name, text, hashlib.sha1(text, usedforsecurity=False).hexdigest())


async def run(redis: Redis, call: Call) -> Answer:
    """The answer of one script."""
    try:
        return await redis.execute_command(*call.words)  # type: ignore[no-untyped-call]
    except NoScriptError:
        await redis.script_load(call.script.text)
        return await redis.execute_command(*call.words)  # type: ignore[no-untyped-call]


async def run_all(redis: Redis, calls: Sequence[Call]) -> list[Answer]:
    """The answers of many scripts in their order, in one round trip; each is atomic, the row is not."""
    if not calls:
        return []
    answers = await _pipelined(redis, calls)
    forgotten = [index for index, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
    if forgotten:
        for script in {calls[index].script for index in forgotten}:
            await redis.script_load(script.text)
        again = await _pipelined(redis, [calls[index] for index in forgotten])
        for index, answer in zip(forgotten, again, strict=True):
            answers[index] = answer
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers


async def _pipelined(redis: Redis, calls: Sequence[Call]) -> list[Answer]:
    async with redis.pipeline(transaction=False) as pipeline:
        for call in calls:
            pipeline.execute_command(*call.words)
        return await pipeline.execute(raise_on_error=False)
