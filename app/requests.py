"""One submission out of a request, whether it came as multipart, as JSON or as a raw image body."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from pydantic_core import from_json
from starlette.datastructures import ImmutableMultiDict, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from jobs.errors import InvalidRequest, Problem, TooLarge, UnknownFormat

FORM_BYTES = 1024 * 1024  # what may lie around the image: fields, boundaries, headers
MAX_PARTS = 64
LISTS = frozenset({"target", "metrics"})
JSON_FIELDS = frozenset({"params", "specs"})

Fields = dict[str, Any]  # Any: JSON values, checked later by a model


@dataclass(frozen=True)
class BodyLimits:
    """How large an image file may be, and how long its body may take."""

    image_bytes: int
    seconds: float

    @property
    def json_bytes(self) -> int:
        """An image in base64 is a third longer."""
        return self.image_bytes * 4 // 3 + FORM_BYTES


@dataclass
class Submission:
    """What a client sent: the image file as bytes, the fields as JSON values, and what could not be read."""

    image: bytes | None = None
    fields: Fields = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, name: str, message: str) -> None:
        """Note that a field is wrong."""
        self.problems.append(Problem(field=name, message=message))


async def read_submission(request: Request, limits: BodyLimits, known: Collection[str]) -> Submission:
    """Read the image and the `known` fields; fields may stand in the query with every kind of body.

    Raises `TooLarge`, `UnknownFormat` for a body that is none of the three kinds, `InvalidRequest` for one
    that cannot be parsed or does not arrive in time.
    """
    submission = Submission()
    try:
        async with asyncio.timeout(limits.seconds):
            await _read_body(request, limits, submission, known)
    except TimeoutError:
        raise _broken(f"did not arrive within {limits.seconds:g} s") from None
    _take_texts(request.query_params, submission, known)
    if submission.image is None and not any(problem.field == "image" for problem in submission.problems):
        submission.wrong("image", "is required")
    return submission


async def _read_body(
    request: Request, limits: BodyLimits, submission: Submission, known: Collection[str]
) -> None:
    kind = request.headers.get("content-type", "application/octet-stream").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        await _read_form(request, limits, submission, known)
    elif kind == "application/json":
        _read_json(await _read_bytes(request, limits.json_bytes), submission, known)
    elif kind.startswith("image/") or kind == "application/octet-stream":
        submission.image = await _read_bytes(request, limits.image_bytes) or None
    else:
        raise UnknownFormat(
            "Send the image as multipart/form-data, in application/json as base64, or as an image/* body.",
            problems=(Problem(field="image", message="has a content type that is not read here"),),
        )


async def _read_form(
    request: Request, limits: BodyLimits, submission: Submission, known: Collection[str]
) -> None:
    async with aclosing(_limited(request, limits.image_bytes + FORM_BYTES)) as stream:
        parser = MultiPartParser(
            request.headers, stream, max_files=1, max_fields=MAX_PARTS, max_part_size=FORM_BYTES
        )
        parser.spool_max_size = limits.image_bytes + FORM_BYTES  # images never touch the disk
        try:
            form = await parser.parse()
        except (MultiPartException, UnicodeError, LookupError) as error:
            raise _broken(f"is not readable as multipart: {error}") from None
    try:
        image = form.get("image")
        if isinstance(image, UploadFile):
            submission.image = await image.read() or None
        texts = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
        files = [name for name, value in form.multi_items() if not isinstance(value, str) and name != "image"]
    finally:
        await form.close()
    for name in files:
        submission.wrong(name, "is not a field that takes a file; the file's part is named `image`")
    if any(name == "image" for name, _ in texts):
        submission.wrong("image", "must be a file part, with a filename")
    _check_size(submission.image, limits)
    _take_texts(ImmutableMultiDict([pair for pair in texts if pair[0] != "image"]), submission, known)


def _read_json(body: bytes, submission: Submission, known: Collection[str]) -> None:
    try:
        document = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise _broken(f"is not readable as JSON: {error}") from None
    if not isinstance(document, dict):
        raise _broken("must be a JSON object")
    image = document.pop("image", None)
    if len(body) - (len(image) if isinstance(image, str) else 0) > FORM_BYTES:
        raise _too_large(FORM_BYTES, what="The fields besides the image", field="body")
    if image is not None:
        _take_base64(image, submission)
    for name in sorted(document.keys() - set(known)):
        submission.wrong(name, f"is not a field of this request; there are: image, {', '.join(known)}")
    submission.fields.update({name: document[name] for name in known if name in document})


def _take_base64(text: object, submission: Submission) -> None:
    if not isinstance(text, str):
        submission.wrong("image", "must be a string of base64")
        return
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        submission.image = base64.b64decode("".join(text.split()), validate=True) or None
    except (binascii.Error, ValueError):
        submission.wrong("image", "must be a string of base64")


def _take_texts(texts: ImmutableMultiDict[str, str], submission: Submission, known: Collection[str]) -> None:
    """Take fields that came as text; a field that is there already is named as given twice."""
    for name in texts:
        values = texts.getlist(name)
        if name not in known:
            there_are = f"there are: image, {', '.join(known)}"
            submission.wrong(name, f"is not a field of this request; {there_are}")
        elif name in submission.fields or (len(values) > 1 and name not in LISTS):
            submission.wrong(name, "is given twice")
        else:
            try:
                submission.fields[name] = values if name in LISTS else _value(name, values[0])
            except ValueError as error:
                submission.wrong(name, f"must be JSON: {error}")


def _value(name: str, text: str) -> object:
    if name == "seed":
        return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else text
    if name == "method":
        return text.replace(" ", "+")  # in a query a bare + reads as a space, which no name has
    return from_json(text, allow_inf_nan=False) if name in JSON_FIELDS else text


async def _read_bytes(request: Request, limit: int) -> bytes:
    async with aclosing(_limited(request, limit)) as stream:
        return b"".join([chunk async for chunk in stream])


async def _limited(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    """The body as it arrives; refused as soon as it is announced, or turns out, to be longer than `limit`."""
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:18]) > limit:
        raise _too_large(limit)
    taken = 0
    async with aclosing(request.stream()) as stream:
        async for chunk in stream:
            taken += len(chunk)
            if taken > limit:
                raise _too_large(limit)
            yield chunk


def _check_size(image: bytes | None, limits: BodyLimits) -> None:
    if image is not None and len(image) > limits.image_bytes:
        raise _too_large(limits.image_bytes)


def _too_large(limit: int, *, what: str = "The upload", field: str = "image") -> TooLarge:
    message = f"may be at most {limit} bytes long"
    return TooLarge(f"{what} {message}.", problems=(Problem(field=field, message=message),))


def _broken(message: str) -> InvalidRequest:
    return InvalidRequest(f"The body {message}.", problems=(Problem(field="body", message=message),))
