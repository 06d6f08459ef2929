"""Names of requests: reserved, bound, given up, and never shared by different requests."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from jobs.bindings import Bindings
from jobs.errors import IdempotencyKeyReused, QueueFull, Unavailable
from jobs.keys import Keys

FULL = QueueFull("Full.", retry_after=1)


@pytest.fixture
def bindings(redis: Redis, keys: Keys) -> Bindings:
    return Bindings(redis, keys)


async def refuse(bindings: Bindings, error: Exception) -> None:
    with pytest.raises(type(error)):
        async with bindings.attempt("name", "one"):
            raise error


async def check_reused(bindings: Bindings) -> None:
    with pytest.raises(IdempotencyKeyReused):
        async with bindings.attempt("name", "other"):
            raise AssertionError("not reached")


async def test_what_was_bound_is_found_by_the_same_request_alone(
    bindings: Bindings, redis: Redis, keys: Keys
) -> None:
    async with bindings.attempt("name", "one") as attempt:
        assert attempt.jobs == ()
        assert 0 < await redis.ttl(keys.binding("name")) <= keys.lifetimes.reserved
        await attempt.bind(["a", "b"])
    assert keys.lifetimes.reserved < await redis.ttl(keys.binding("name")) <= keys.lifetimes.result
    async with bindings.attempt("name", "one") as attempt:
        assert attempt.jobs == ("a", "b")
    await check_reused(bindings)


async def test_a_refused_request_leaves_its_name_free(bindings: Bindings, redis: Redis, keys: Keys) -> None:
    await refuse(bindings, FULL)
    assert not await redis.exists(keys.binding("name"))
    async with bindings.attempt("name", "other") as attempt:
        await attempt.bind(["a"])


async def test_a_name_stays_reserved_while_an_equal_request_goes_on(bindings: Bindings) -> None:
    async with bindings.attempt("name", "one") as attempt:
        await refuse(bindings, FULL)
        await check_reused(bindings)
        await attempt.bind(["a"])
    async with bindings.attempt("name", "one") as repeat:
        assert repeat.jobs == ("a",)


async def test_a_failure_after_the_binding_does_not_undo_it(bindings: Bindings) -> None:
    with pytest.raises(ValueError, match="late"):
        async with bindings.attempt("name", "one") as attempt:
            await attempt.bind(["a"])
            raise ValueError("late")
    async with bindings.attempt("name", "one") as repeat:
        assert repeat.jobs == ("a",)


async def test_a_request_whose_end_nobody_knows_keeps_its_name(bindings: Bindings) -> None:
    await refuse(bindings, Unavailable("Away.", retry_after=1))
    await check_reused(bindings)
    async with bindings.attempt("name", "one") as attempt:
        assert attempt.jobs == ()


async def test_who_comes_late_after_its_reservation_lapsed_is_told(
    bindings: Bindings, redis: Redis, keys: Keys
) -> None:
    async with bindings.attempt("name", "one") as late:
        await redis.delete(keys.binding("name"))
        async with bindings.attempt("name", "other") as quick:
            await quick.bind(["b"])
        with pytest.raises(IdempotencyKeyReused):
            await late.bind(["a"])
