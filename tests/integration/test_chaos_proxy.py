"""The bad line between a client and a real Redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from chaos.proxy import Proxy


@pytest.fixture
async def line(redis_url: str) -> AsyncIterator[tuple[Proxy, Redis]]:
    """A proxy, and a client behind it that tries nothing twice."""
    proxy = Proxy(Path(urlsplit(redis_url).path))
    async with (
        proxy.listen() as url,
        Redis.from_url(url, retry=None, single_connection_client=True) as client,
    ):
        yield proxy, client


async def test_what_goes_through_is_unchanged(line: tuple[Proxy, Redis]) -> None:
    _, client = line
    words = bytes(range(256)) * 1000

    assert await client.echo(words) == words


async def test_a_cut_breaks_the_connection_and_the_next_one_works(line: tuple[Proxy, Redis]) -> None:
    proxy, client = line
    assert await client.ping()

    proxy.cut()
    with pytest.raises((RedisConnectionError, OSError)):
        await client.ping()

    assert await client.ping()


async def test_what_is_held_comes_later(line: tuple[Proxy, Redis]) -> None:
    proxy, client = line
    assert await client.ping()

    begin = time.monotonic()
    holding = asyncio.create_task(proxy.hold(seconds=0.2))
    await asyncio.sleep(0)
    assert await client.ping()
    await holding

    assert time.monotonic() - begin >= 0.2


async def test_what_is_slowed_waits_on_both_ways(line: tuple[Proxy, Redis]) -> None:
    proxy, client = line
    assert await client.ping()

    begin = time.monotonic()
    slowing = asyncio.create_task(proxy.slow(delay_seconds=0.1, seconds=0.3))
    await asyncio.sleep(0)
    assert await client.ping()
    await slowing

    assert time.monotonic() - begin >= 0.2
