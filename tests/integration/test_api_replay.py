"""Who was cut off from the events of an explanation comes back and misses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import httpx

from jobs.keys import Keys
from jobs.queue import Claim
from tests.api import EXPLANATIONS, Stage, result_of, staged
from tests.served import served

STATES = ["queued", "running", "progress", "progress", "progress", "progress", "done"]
SHARES = [0.2, 0.4, 0.6, 0.8]


@dataclass(frozen=True)
class Heard:
    """One event as it came over the wire."""

    name: str
    event_id: str
    data: str


class Line:
    """A connection of its own to the events of an explanation."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def next(self) -> Heard | None:
        """The next event; None at the end of the answer."""
        fields: dict[str, str] = {}
        while line := (await asyncio.wait_for(self.reader.readline(), 10)).decode():
            name, _, value = line.strip().partition(": ")
            if name in {"event", "data", "id", "retry"}:
                fields[name] = value
            elif not line.strip() and "event" in fields:
                return Heard(fields["event"], fields["id"], fields["data"])
        return None

    async def rest(self) -> list[Heard]:
        heard = []
        while one := await self.next():
            heard.append(one)
        return heard

    def cut(self) -> None:
        """Reset the connection, as a lost network does."""
        self.writer.transport.abort()


@asynccontextmanager
async def line_to(address: str, name: str, after: str | None = None) -> AsyncIterator[Line]:
    url = httpx.URL(address)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    last = f"Last-Event-ID: {after}\r\n" if after else ""
    head = f"GET {EXPLANATIONS}/{name}/events HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
    writer.write(f"{head}{last}\r\n".encode())
    assert b" 200 " in await reader.readline()
    try:
        yield Line(reader, writer)
    finally:
        writer.close()


async def posted(stage: Stage, seed: int = 0) -> tuple[str, Claim]:
    """The id of a new explanation, and a claim on its job."""
    name = (await stage.post(wait=0, seed=seed)).json()["id"]
    models = [model.ref for model in stage.worker.card.models]
    [claim] = await stage.worker.queue.claim("hand", models, count=1, block_seconds=1)
    return cast(str, name), claim


async def finish(stage: Stage, claim: Claim, shares: list[float]) -> None:
    for share in shares:
        await stage.worker.queue.report(claim, share)
    await stage.worker.queue.commit([(claim, *result_of(claim.job))])


async def test_a_line_that_was_cut_is_taken_up_without_gap_or_repeat(
    redis_url: str, keys: Keys, tmp_path: Path
) -> None:
    async with staged(redis_url, keys, tmp_path, work=False) as stage, served(stage) as address:
        name, claim = await posted(stage)
        async with line_to(address, name) as line:
            heard = [await line.next()]
            await stage.worker.queue.start([claim])
            await stage.worker.queue.report(claim, SHARES[0])
            heard += [await line.next(), await line.next()]
            line.cut()
        await stage.worker.queue.report(claim, SHARES[1])  # nobody hears it
        last = heard[-1]
        assert last is not None
        async with line_to(address, name, last.event_id) as line:
            heard.append(await line.next())
            await finish(stage, claim, SHARES[2:])
            heard += await line.rest()
    whole = [one for one in heard if one]
    assert [one.name for one in whole] == STATES
    assert len({one.event_id for one in whole}) == len(STATES)
    assert [
        share for share in SHARES if f'"progress":{share}' in "".join(one.data for one in whole)
    ] == SHARES
    assert '"targets":[{' in whole[-1].data


async def test_another_process_tells_the_rest_of_what_is_over(
    redis_url: str, keys: Keys, tmp_path: Path
) -> None:
    parts: dict[str, list[Heard]] = {}
    async with staged(redis_url, keys, tmp_path / "one", work=False) as stage, served(stage) as address:
        for cut_after in range(1, len(STATES)):
            name, claim = await posted(stage, seed=cut_after)
            async with line_to(address, name) as line:
                first = await line.next()
                await stage.worker.queue.start([claim])
                await finish(stage, claim, SHARES)
                told = [first, *[await line.next() for _ in range(cut_after - 1)]]
                line.cut()
            parts[name] = [one for one in told if one]
    async with staged(redis_url, keys, tmp_path / "two", work=False) as stage, served(stage) as address:
        for name, part in parts.items():
            async with line_to(address, name, part[-1].event_id) as line:
                heard = [*part, *await line.rest()]
            assert [one.name for one in heard] == STATES
            assert '"state":"done"' in heard[-1].data


async def test_who_has_seen_the_end_is_told_to_stay_away(redis_url: str, keys: Keys, tmp_path: Path) -> None:
    async with staged(redis_url, keys, tmp_path) as stage, served(stage) as address:
        name = await stage.done()
        async with line_to(address, name) as line:
            [end] = await line.rest()
        headers = {"Last-Event-ID": end.event_id}
        assert (await stage.client.get(f"{EXPLANATIONS}/{name}/events", headers=headers)).status_code == 204


async def test_an_id_that_is_none_is_refused_by_the_name_of_its_header(
    redis_url: str, keys: Keys, tmp_path: Path
) -> None:
    async with staged(redis_url, keys, tmp_path) as stage:
        path = f"{EXPLANATIONS}/{await stage.done()}/events"
        for wrong in ("x", "1", "1-", "-1-1", "1-1-1", "1" * 20 + "-0", "٣-٣", " "):
            answer = await stage.client.get(path, headers=[(b"Last-Event-ID", wrong.encode())])
            assert answer.status_code == 422
            assert [each["field"] for each in answer.json()["errors"]] == ["last-event-id"]


async def test_an_id_of_the_past_begins_with_what_the_log_has(
    redis_url: str, keys: Keys, tmp_path: Path
) -> None:
    async with staged(redis_url, keys, tmp_path, work=False) as stage, served(stage) as address:
        name, claim = await posted(stage)
        await stage.worker.queue.start([claim])
        for number in range(300):
            await stage.worker.queue.report(claim, number / 300)
        await finish(stage, claim, [])
        async with line_to(address, name, "1-1") as line:
            heard = await line.rest()
    assert 100 <= len(heard) <= 200
    assert [one.name for one in heard[1:]] == ["progress"] * (len(heard) - 2) + ["done"]


async def test_a_reader_that_was_slow_is_told_from_the_log(
    redis_url: str, keys: Keys, tmp_path: Path
) -> None:
    async with staged(redis_url, keys, tmp_path, work=False) as stage:
        name, claim = await posted(stage)
        await stage.worker.queue.start([claim])
        lookout = stage.app.state.services.lookout
        told = lookout.changes("local", name, 60.0)
        first = await anext(told)
        for number in range(90):  # more than a watch keeps unread, fewer than the log
            await stage.worker.queue.report(claim, number / 90)
        await finish(stage, claim, [])
        events = [first.change.event] + [each.change.event async for each in told if each]
    assert len(events) == len(set(events)) == 92
    assert events == sorted(events, key=lambda event: tuple(map(int, event.split("-"))))
