"""Which errors of Redis are an outage, and which are defects."""

from __future__ import annotations

import pytest
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    DataError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from jobs.connection import reachable
from jobs.errors import Unavailable


@pytest.mark.parametrize(
    "error",
    [
        RedisConnectionError("gone"),
        RedisTimeoutError("slow"),
        ConnectionResetError("gone"),
        AuthenticationError("Authentication required."),
        BusyLoadingError("Redis is loading the dataset in memory"),
        OutOfMemoryError("command not allowed when used memory > 'maxmemory'."),
        ReadOnlyError("You can't write against a read only replica."),
        ResponseError("MISCONF Errors writing to the AOF file: No space left on device"),
        ResponseError("Error running script (call to f_1): @user_script:7: -OOM command not allowed"),
        ResponseError("BUSY Redis is busy running a script."),
    ],
)
def test_an_outage_becomes_unavailable(error: Exception) -> None:
    with pytest.raises(Unavailable) as outage, reachable():
        raise error
    assert outage.value.retry_after >= 1
    assert outage.value.__cause__ is error
    assert str(error) not in outage.value.detail


@pytest.mark.parametrize(
    "error",
    [ResponseError("WRONGTYPE Operation against a key"), DataError("wrong type"), ResponseError("ERR ROOM")],
)
def test_a_defect_stays_what_it_is(error: RedisError) -> None:
    with pytest.raises(type(error)), reachable():
        raise error
