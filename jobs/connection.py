"""The one place that says how this project connects to Redis, and what it means when Redis is away."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ClusterDownError, OutOfMemoryError, ReadOnlyError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from jobs.errors import Unavailable

CONNECTIONS = 64
POOL_SHARE = 0.25  # of the time for an answer, as long as a call may wait for a connection
RETRIES = 3
RETRY_BASE_SECONDS = 0.02
RETRY_CAP_SECONDS = 0.2
RETRY_AFTER_SECONDS = 2

# What Redis answers while it is full, cannot write its file, is busy or follows another server; an answer
# to a script has the word somewhere inside.
OUTAGE = re.compile(r"(?:^|-)(OOM|MISCONF|READONLY|MASTERDOWN|CLUSTERDOWN|NOREPLICAS|BUSY)\b")
CLOSED = "the handler is closed"  # in the words of uvloop
OUTAGES = (OutOfMemoryError, ReadOnlyError, ClusterDownError)


def connect(url: str, *, timeout_seconds: float = 5.0) -> Redis:
    """A client for `redis://`, `rediss://` or `unix://`; it connects when it is first used.

    More than `CONNECTIONS` calls at once wait for each other, up to a share of `timeout_seconds`, so that
    the wait for a Redis that accepts calls and never answers is bounded too.
    Broken connections are tried again for about half a second, answers that do not come in
    `timeout_seconds` are not. Blocking reads must therefore wait less than `timeout_seconds`.
    The library's health checks stay off: before a handshake that Redis refuses they repeat each other for
    minutes. A dead connection is found by keep-alive or by the next command, which is then tried again.
    """
    backoff = ExponentialBackoff(cap=RETRY_CAP_SECONDS, base=RETRY_BASE_SECONDS)
    pool: BlockingConnectionPool = BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=POOL_SHARE * timeout_seconds,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        retry=PromptRetry(backoff, RETRIES, supported_errors=(RedisConnectionError,)),
    )
    kind = pool.connection_class
    pool.connection_class = type(kind.__name__, (_Plain, kind), {})
    return Redis.from_pool(pool)


class PromptRetry(Retry):
    """Tries again what failed at once, and nothing that has already waited for an answer in vain.

    The library calls a handshake that is not answered a broken connection, and would wait for each try.
    """

    # Any: what `do` and `fail` answer, as the library has it.
    async def call_with_retry(
        self,
        do: Callable[[], Awaitable[Any]],
        fail: Callable[..., Any],
        is_retryable: Callable[[Exception], bool] | None = None,
        with_failure_count: bool = False,
    ) -> Any:
        async def once() -> Any:
            try:
                return await do()
            except RedisConnectionError as error:
                if not isinstance(error.__cause__, RedisTimeoutError | TimeoutError):
                    raise
                await (fail(error, 1) if with_failure_count else fail(error))  # it closes the connection
                raise RedisTimeoutError(str(error)) from error

        return await super().call_with_retry(once, fail, is_retryable, with_failure_count)


@contextmanager
def reachable() -> Iterator[None]:
    """Turns an outage of Redis into `Unavailable`; other errors of Redis are defects and pass."""
    try:
        yield
    except (RedisConnectionError, RedisTimeoutError, OSError) as error:
        raise _unavailable(error) from error
    except RedisError as error:
        if _is_outage(error):
            raise _unavailable(error) from error
        raise


class _Plain(AbstractConnection):
    """Says plainly that it has been closed: uvloop raises a RuntimeError where asyncio has an OSError."""

    async def send_packed_command(
        self, command: bytes | str | Iterable[bytes], check_health: bool = True
    ) -> None:
        try:
            await super().send_packed_command(command, check_health)
        except RuntimeError as error:
            if CLOSED not in str(error):
                raise
            raise RedisConnectionError("The connection was closed before a command was sent.") from error


def _is_outage(error: RedisError) -> bool:
    return isinstance(error, OUTAGES) or OUTAGE.search(str(error)) is not None


def _unavailable(error: Exception) -> Unavailable:
    return Unavailable(
        f"Redis is out of reach ({type(error).__name__}); try again shortly.", retry_after=RETRY_AFTER_SECONDS
    )
