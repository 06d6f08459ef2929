"""Delivers calls to webhooks from every API process; who dies with a call in hand loses it to another."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress

import httpx
from redis.exceptions import RedisError

from app.access import Access, ApiKey
from app.telemetry import Telemetry
from app.webhooks.bodies import Messages
from app.webhooks.pacing import MOST_AGE_SECONDS, MOST_TRIES, Hosts, wait_seconds
from app.webhooks.sending import Outcome, Sender
from app.webhooks.urls import place_of
from jobs.calls import CallKind, Delay, WebhookCall, WebhookCalls
from jobs.ending import end_all
from jobs.errors import Unavailable, Unreadable

LOOK_SECONDS = 0.25
OUTAGE_SECONDS = 1.0
FIRST_WAIT_SECONDS = 5.0
MOST_IN_FLIGHT = 64

LOG = logging.getLogger(__name__)


class Courier:
    """Takes the calls that are due and tries them, many at once and few to each host."""

    def __init__(
        self,
        calls: WebhookCalls,
        messages: Messages,
        access: Access,
        sender: Sender,
        telemetry: Telemetry,
        *,
        first_wait_seconds: float = FIRST_WAIT_SECONDS,
    ) -> None:
        self._calls = calls
        self._messages = messages
        self._access = access
        self._sender = sender
        self._telemetry = telemetry
        self._first_wait_seconds = first_wait_seconds
        self._hosts = Hosts(first_wait_seconds)
        self._tries: set[asyncio.Task[None]] = set()
        self._loop: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self) -> None:
        """Begin; returns at once, even while Redis is out of reach."""
        self._loop = asyncio.create_task(self._run(), name="webhooks")

    async def stop(self) -> None:
        """End; calls that are in hand are due again when their visibility ends."""
        self._stopping = True  # a cancellation alone may get lost in a client's `wait_for`
        await end_all({self._loop} if self._loop else set())
        await end_all(self._tries)

    async def _run(self) -> None:
        while not self._stopping:
            try:
                found = await self._look()
            except (Unavailable, RedisError, OSError):
                await asyncio.sleep(OUTAGE_SECONDS)
            except Exception:
                LOG.exception("looking for calls to webhooks broke off")
                await asyncio.sleep(OUTAGE_SECONDS)
            else:
                await asyncio.sleep(0 if found else LOOK_SECONDS)

    async def _look(self) -> int:
        """Begin to try what is due, as far as there is room; answers how many calls were found."""
        room = MOST_IN_FLIGHT - len(self._tries)
        if room <= 0:
            return 0
        found = await self._calls.collect(count=room, visible_seconds=2 * self._sender.seconds + 1)
        delays = []
        for call in found:
            seconds = self._hosts.delay_seconds(_host(call))
            if not seconds:
                self._begin(call)
            elif _is_young(call):
                delays.append(Delay(call, seconds))
            else:
                await self._give_up(call, Outcome.UNREACHABLE)
        await self._calls.put_off(delays)
        return len(found)

    def _begin(self, call: WebhookCall) -> None:
        self._hosts.begin(_host(call))
        task = asyncio.create_task(self._try(call))
        self._tries.add(task)
        task.add_done_callback(self._tries.discard)

    async def _try(self, call: WebhookCall) -> None:
        outcome = None
        try:
            with suppress(Unavailable, RedisError):  # then it comes back when its visibility ends
                outcome = await self._outcome(call)
                await self._settle(call, outcome)
        finally:
            reached = None if outcome is None else outcome is not Outcome.UNREACHABLE
            self._hosts.end(_host(call), reached=reached)

    async def _outcome(self, call: WebhookCall) -> Outcome:
        key = self._access.key(call.webhook.key)
        if key is None or not _is_allowed(call, key):
            return Outcome.REFUSED
        try:
            found = await self._messages.message(call)
            if found is None:
                return Outcome.DELIVERED
            return await self._sender.send(call, key.webhook_secrets, found.model_dump_json().encode())
        except Unreadable:
            return Outcome.REFUSED
        except (Unavailable, RedisError):
            raise
        except Exception:
            # A defect counts as a try, else the call would come back for ever.
            LOG.exception("a call to a webhook broke off")
            return Outcome.BUSY

    async def _settle(self, call: WebhookCall, outcome: Outcome) -> None:
        again = outcome in {Outcome.BUSY, Outcome.UNREACHABLE} and _may_go_on(call)
        self._telemetry.called(outcome.name.lower())
        if again:
            seconds = wait_seconds(call.tries + 1, self._first_wait_seconds)
            await self._calls.put_off([Delay(call, seconds, counts=True)])
        elif outcome is Outcome.DELIVERED:
            await self._calls.end(call)
        else:
            await self._give_up(call, outcome)

    async def _give_up(self, call: WebhookCall, outcome: Outcome) -> None:
        await self._calls.end(call)
        if call.kind is not CallKind.PROGRESS:
            LOG.warning("gave up to call %s about %s: %s", _host(call), call.id, outcome.name.lower())


def _may_go_on(call: WebhookCall) -> bool:
    return call.tries + 1 < MOST_TRIES and _is_young(call)


def _is_young(call: WebhookCall) -> bool:
    """Progress, which has no time, never is: it is tried once, and the next call says more."""
    return time.time() - float(call.at) < MOST_AGE_SECONDS


def _is_allowed(call: WebhookCall, key: ApiKey) -> bool:
    """A host may be taken away, and a key given to another tenant, while a call waits."""
    return (
        key.tenant == call.webhook.tenant and _host(call) in key.webhook_hosts and bool(key.webhook_secrets)
    )


def _host(call: WebhookCall) -> str:
    return place_of(httpx.URL(call.webhook.url))
