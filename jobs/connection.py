"""The one place that says how this project connects to Redis, and what it means when Redis is away."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ClusterDownError, OutOfMemoryError, ReadOnlyError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from jobs.errors import Unavailable

CONNECTIONS = 64
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

    More than `CONNECTIONS` calls at once wait for each other, up to `timeout_seconds`.
    Broken connections are tried again for about half a second, answers that do not come in
    `timeout_seconds` are not. Blocking reads must therefore wait less than `timeout_seconds`.
    The library's health checks stay off: before a handshake that Redis refuses they repeat each other for
    minutes. A dead connection is found by keep-alive or by the next command, which is then tried again.
    """
    backoff = ExponentialBackoff(cap=RETRY_CAP_SECONDS, base=RETRY_BASE_SECONDS)
    pool: BlockingConnectionPool = BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=timeout_seconds,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=min(1.0, timeout_seconds),
        retry=Retry(backoff, RETRIES, supported_errors=(RedisConnectionError,)),
    )
    kind = pool.connection_class
    pool.connection_class = type(kind.__name__, (_Plain, kind), {})
    return Redis.from_pool(pool)


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
