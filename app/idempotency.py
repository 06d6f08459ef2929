"""`Idempotency-Key`: a request that is sent again is answered as the first one was, and not done again."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from app.contract import Json, header
from app.requests import Submission
from jobs.bindings import Attempt, Bindings
from jobs.errors import InvalidRequest, Problem
from jobs.fingerprint import request_fingerprint, request_name

HEADER = "Idempotency-Key"
REPLAYED = {"Idempotency-Replayed": "true"}
MAX_KEY = 255
THREAD_BYTES = 1_000_000  # files from here on are digested off the event loop

# A string of RFC 8941, as the draft asks for, or the same characters without their quotes.
PATTERN = r'^("([ !#-\[\]-~]|\\["\\]){1,255}"|[!#-~]([ -~]{0,253}[!-~])?)$'

KEY: Json = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "A string of your own. The request sent again with it finds the same explanation.",
    "schema": {"type": "string", "pattern": PATTERN},
}
REPLAY_HEADERS: Json = {
    "Idempotency-Replayed": header("`true` when the request with this key was accepted before.")
}


def read_key(lines: Sequence[str]) -> str | None:
    """The key of the header's lines, without quotes; raises `InvalidRequest`."""
    if not lines:
        return None
    if len(lines) > 1 or not re.fullmatch(PATTERN, lines[0]):
        message = f'must be one string of 1 to {MAX_KEY} printable characters, such as "7f3c-2"'
        raise InvalidRequest(
            f"The header {HEADER} {message}.", problems=(Problem(field=HEADER, message=message),)
        )
    if lines[0].startswith('"'):
        return re.sub(r'\\(["\\])', r"\1", lines[0][1:-1])
    return lines[0]


class Idempotency:
    """Knows requests again by their keys, within their tenant."""

    def __init__(self, bindings: Bindings, secret: bytes) -> None:
        self._bindings = bindings
        self._secret = secret

    @asynccontextmanager
    async def attempt(
        self, tenant: str, path: str, key: str | None, submission: Submission
    ) -> AsyncIterator[Attempt | None]:
        """The attempt that a submission is; None when it has no key or mistakes, which are never bound.

        Raises `IdempotencyKeyReused`.
        """
        if key is None or submission.problems:
            yield None
            return
        fingerprint = request_fingerprint(
            self._secret, path=path, fields=submission.fields, files=await _digests(submission.files)
        )
        name = request_name(self._secret, tenant=tenant, key=key)
        async with self._bindings.attempt(name, fingerprint) as attempt:
            yield attempt


async def _digests(files: Mapping[str, bytes]) -> dict[str, str]:
    if sum(map(len, files.values())) < THREAD_BYTES:
        return _digested(files)
    return await asyncio.to_thread(_digested, files)


def _digested(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
