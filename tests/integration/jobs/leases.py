"""Ways to make a lease lapse without waiting for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from jobs.queue import Claim

LetLapse = Callable[[Claim], Awaitable[None]]
