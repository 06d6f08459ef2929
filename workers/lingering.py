"""How long a batch that could still grow is held back; pure."""

from __future__ import annotations

from jobs.job import Lane
from workers.batching import Batch

LINGER_SECONDS = {Lane.INTERACTIVE: 0.005, Lane.BULK: 0.05}


def linger_seconds(batch: Batch, *, idle: bool, waited_seconds: float) -> float:
    """How much longer to wait for mates of a batch, 0 to send it now.

    Nobody waits while the device has work, for it fills the next batch by itself, and one job alone does not
    wait: a client that sends one request after the other would pay for company that never comes.
    `waited_seconds` is for how long the batch could have been sent.
    """
    if not idle or batch.full or len(batch.claims) < 2:
        return 0.0
    return max(0.0, LINGER_SECONDS[batch.lane] - waited_seconds)
