"""From a form to a set: bounded in time, one of each tenant, and few at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import numpy as np
import pytest
from fastapi import Request
from starlette.types import Message

from app.image_sets import intake as module
from app.image_sets.intake import MOST_AT_ONCE, Intake, Taken
from app.image_sets.sent import SetLimits
from app.images import Darkroom
from app.uploads.decoder import Decoded, Decoder
from jobs.errors import InvalidRequest, TenantFull, Unavailable

FORM = b"""--b\r\nContent-Disposition: form-data; name="images"; filename="a.png"\r\n\r\nx\r\n--b--\r\n"""


class Decoding:
    """A decoder that may be held."""

    def __init__(self) -> None:
        self.free = asyncio.Event()

    async def decode(self, _data: bytes) -> Decoded:
        await self.free.wait()
        return Decoded(np.zeros((4, 6), np.uint8), ())


def request_of(*, ends: bool = True) -> Request:
    """A request with a form, or with a body that never ends."""

    async def receive() -> Message:
        if not ends:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": FORM, "more_body": False}

    headers = [(b"content-type", b"multipart/form-data; boundary=b")]
    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


def intake_of(decoding: Decoding, *, seconds: float = 60.0) -> Intake:
    limits = SetLimits(images=3, file_bytes=4000, body_bytes=1000, pixel_bytes=1000, seconds=seconds)
    return Intake(Darkroom(cast(Decoder, decoding), b"secret"), b"secret", limits)


@asynccontextmanager
async def reading(intake: Intake, *tenants: str) -> AsyncIterator[list[asyncio.Task[Taken]]]:
    """Sets of tenants that are being read; all of them wait for something."""

    async def read(tenant: str) -> Taken:
        async with intake.taken(tenant, request_of()) as taken:
            return taken

    tasks = [asyncio.create_task(read(tenant)) for tenant in tenants]
    for _ in range(20):
        await asyncio.sleep(0)
    yield tasks
    await asyncio.gather(*tasks)


@pytest.mark.parametrize(("ends", "words"), [(False, "did not arrive within"), (True, "to decode")])
async def test_neither_a_slow_client_nor_slow_pictures_take_for_ever(ends: bool, words: str) -> None:
    intake = intake_of(Decoding(), seconds=0.01)
    with pytest.raises(InvalidRequest, match=words):
        async with intake.taken("clinic", request_of(ends=ends)):
            pass


async def test_a_tenant_has_one_turn_at_a_time_and_another_when_it_is_over() -> None:
    decoding = Decoding()
    intake = intake_of(decoding)
    async with reading(intake, "clinic"):
        with pytest.raises(TenantFull):
            async with intake.taken("clinic", request_of()):
                pass
        decoding.free.set()
    async with intake.taken("clinic", request_of()) as taken:
        assert [picture.name for picture in taken.image_set.pictures] == ["a.png"]
        assert list(taken.pixels.values()) == [bytes(24)]


async def test_who_finds_no_room_waits_and_is_told_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    decoding = Decoding()
    intake = intake_of(decoding)
    async with reading(intake, *map(str, range(MOST_AT_ONCE + 1))) as tasks:
        assert not any(task.done() for task in tasks)
        monkeypatch.setattr(module, "WAIT_SECONDS", 0.01)
        with pytest.raises(Unavailable):
            async with intake.taken("clinic", request_of()):
                pass
        decoding.free.set()
    assert len({task.result().image_set.id for task in tasks}) == MOST_AT_ONCE + 1
