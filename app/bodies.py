"""Request bodies as they arrive: no longer than they may be, in time, and never on disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from pydantic_core import from_json
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from jobs.errors import InvalidRequest, Problem, TooLarge, UnknownFormat

FORM_BYTES = 1024 * 1024  # what may lie around the files: fields, boundaries, headers


@dataclass(frozen=True)
class FilePart:
    """A file of a form under the name that the client gave it, which may be empty."""

    name: str
    content: bytes


@asynccontextmanager
async def arriving(seconds: float) -> AsyncIterator[None]:
    """Around the reading of a body; raises `InvalidRequest` when it does not arrive in time."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise broken(f"did not arrive within {seconds:g} s") from None


async def read_bytes(request: Request, limit: int, *, field: str = "body") -> bytes:
    """The whole body; raises `TooLarge`, which names `field`."""
    async with aclosing(_limited(request, limit, field)) as stream:
        return b"".join([chunk async for chunk in stream])


async def read_json(request: Request, seconds: float) -> dict[str, Any]:  # Any: JSON values
    """The JSON object of a body without files; raises `TooLarge`, `UnknownFormat` and `InvalidRequest`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        message = "must be application/json"
        raise UnknownFormat(f"The body {message}.", problems=(Problem(field="body", message=message),))
    async with arriving(seconds):
        body = await read_bytes(request, FORM_BYTES)
    return json_object(body)


async def read_parts(
    request: Request, limit: int, *, max_files: int, max_texts: int, text_bytes: int = FORM_BYTES
) -> list[tuple[str, str | FilePart]]:
    """The parts of a multipart body of at most `limit` bytes, in their order, by the names of their fields.

    Raises `TooLarge`, and `InvalidRequest` for what cannot be parsed or has too many parts.
    """
    async with aclosing(_limited(request, limit, "body")) as stream:
        parser = MultiPartParser(
            request.headers, stream, max_files=max_files, max_fields=max_texts, max_part_size=text_bytes
        )
        parser.spool_max_size = limit  # files never touch the disk
        try:
            form = await parser.parse()
        except (MultiPartException, UnicodeError, LookupError) as error:
            raise broken(f"is not readable as multipart: {error}") from None
    try:
        return [(name, await _part(value)) for name, value in form.multi_items()]
    finally:
        await form.close()


def json_object(body: bytes) -> dict[str, Any]:  # Any: JSON values
    """The object that a body is in JSON; raises `InvalidRequest`."""
    try:
        document = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise broken(f"is not readable as JSON: {error}") from None
    if not isinstance(document, dict):
        raise broken("must be a JSON object")
    return document


def too_large(limit: int, *, field: str, what: str = "") -> TooLarge:
    """The error of what has more than `limit` bytes; it is called by its field unless there are words."""
    what = what or f"The {field}"
    message = f"may be at most {limit} bytes long"
    return TooLarge(f"{what} {message}.", problems=(Problem(field=field, message=message),))


def broken(message: str) -> InvalidRequest:
    """The error of a body that cannot be read; the message goes on after "The body"."""
    return InvalidRequest(f"The body {message}.", problems=(Problem(field="body", message=message),))


async def _part(value: str | UploadFile) -> str | FilePart:
    if isinstance(value, str):
        return value
    content = await value.read()
    await value.close()  # else a large form is in memory twice
    return FilePart(value.filename or "", content)


async def _limited(request: Request, limit: int, field: str) -> AsyncGenerator[bytes, None]:
    """The body as it arrives; refused as soon as it is announced, or turns out, to be longer than `limit`."""
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:18]) > limit:
        raise too_large(limit, field=field)
    taken = 0
    async with aclosing(request.stream()) as stream:
        async for chunk in stream:
            taken += len(chunk)
            if taken > limit:
                raise too_large(limit, field=field)
            yield chunk
