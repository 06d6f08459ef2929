"""How tasks are ended for certain."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

AGAIN_SECONDS = 3.0  # longer than anybody takes who finishes something before it ends


async def end_all(tasks: Collection[asyncio.Task[Any]]) -> None:  # Any: what they answer
    """End tasks and wait for that; what they raise is dropped.

    A cancellation that arrives together with what a client waited for may get lost there, and the task goes
    on: it is cancelled again until it has ended.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=AGAIN_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)
