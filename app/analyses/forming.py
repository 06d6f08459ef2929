"""Puts results into other forms than JSON, beside the loop that answers requests."""

from __future__ import annotations

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from app.analyses.kind import Form

THREADS = 2


class Forming:
    """A few threads for all requests."""

    def __init__(self) -> None:
        self._threads = CapacityLimiter(THREADS)

    async def made(self, form: Form, content: bytes) -> bytes:
        """A result, which is JSON, in a form."""
        return await run_sync(form.made, content, limiter=self._threads)
