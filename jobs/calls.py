"""Calls to webhooks: made by scripts that change jobs and analyses, kept in Redis until they are delivered.

A call is at least once: whoever dies with one in hand loses it to another, who cannot know how far it came.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from redis.asyncio import Redis

from jobs import moves
from jobs.connection import reachable
from jobs.errors import InvalidRequest, Problem, Unavailable
from jobs.job import Webhook
from jobs.keys import Keys
from jobs.lua import run, run_all
from jobs.moves.webhooks import MAX_WEBHOOKS

LOG = logging.getLogger(__name__)
FULL_SECONDS = 60  # after which there may be room for calls


class CallKind(StrEnum):
    """What a call tells of."""

    STARTED = "running"
    PROGRESS = "progress"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class WebhookCall:
    """A call that was taken, about the job or the analysis of an id.

    `at` is when it was made (of progress 0), in seconds since 1970.
    """

    id: str
    kind: CallKind
    at: str
    tries: int
    webhook: Webhook
    visible_until: str

    @property
    def words(self) -> str:
        """The call as Redis keeps it, but for when it is due."""
        return f"{self.id} {self.kind} {self.at} {self.tries} {self.webhook.model_dump_json()}"

    @property
    def message_id(self) -> str:
        """Equal on every try of a call; progress has no tries, and is another message each time."""
        at = self.visible_until if self.kind is CallKind.PROGRESS else self.at
        words = f"{self.id} {self.kind} {at} {self.webhook.model_dump_json()}"
        return "msg_" + hashlib.sha256(words.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Delay:
    """To try a call again in some seconds; `counts` says that it was tried now."""

    call: WebhookCall
    seconds: float
    counts: bool = False


class WebhookCalls:
    """The calls of one deployment. Every method raises `Unavailable` while Redis is out of reach."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self.redis = redis
        self.keys = keys

    async def collect(self, *, count: int, visible_seconds: float) -> list[WebhookCall]:
        """Take calls that are due, each for so long; what is not settled by then is due again.

        What cannot be read is given up.
        """
        call = moves.collect(self.keys, count=count, visible_seconds=visible_seconds)
        with reachable():
            visible_until, *due = await run(self.redis, call) or [b""]
            found = [(words.decode(), _read(words.decode(), visible_until.decode())) for words in due]
            unreadable = [words for words, each in found if each is None]
            ends = [moves.settle(self.keys, words, visible_until.decode()) for words in unreadable]
            await run_all(self.redis, ends)
        return [each for _, each in found if each is not None]

    async def end(self, call: WebhookCall) -> None:
        """The call is over, delivered or given up."""
        with reachable():
            await run(self.redis, moves.settle(self.keys, call.words, call.visible_until))

    async def put_off(self, delays: Sequence[Delay]) -> None:
        """Try calls again later."""
        scripts = [
            moves.settle(
                self.keys,
                delay.call.words,
                delay.call.visible_until,
                again=replace(delay.call, tries=delay.call.tries + delay.counts).words,
                seconds=delay.seconds,
            )
            for delay in delays
        ]
        with reachable():
            await run_all(self.redis, scripts)

    async def waiting(self) -> int:
        """How many calls are due, taken or put off."""
        with reachable():
            return await self.redis.zcard(self.keys.calls)


def check_room(verdict: bytes, what: str) -> None:
    """Raise what the verdict of a script says about the webhook of a request, if it says anything.

    `InvalidRequest` when what was asked for, in a word, calls as many as it may, `Unavailable` while too many
    calls wait.
    """
    if verdict == b"webhooks-full":
        problem = Problem(field="webhook", message=f"is one too many: {what} calls at most {MAX_WEBHOOKS}")
        raise InvalidRequest(f"There are as many webhooks as {what} may have.", problems=(problem,))
    if verdict == b"calls-full":
        raise Unavailable("Too many calls to webhooks are waiting.", retry_after=FULL_SECONDS)


def _read(words: str, visible_until: str) -> WebhookCall | None:
    """None for what this version cannot read."""
    try:
        name, kind, at, tries, text = words.split(" ", 4)
        webhook = Webhook.model_validate_json(text)
        float(at)
        return WebhookCall(name, CallKind(kind), at, int(tries), webhook, visible_until)
    except ValueError:
        LOG.warning("a call to a webhook cannot be read and is given up: %s", words[:100])
        return None
