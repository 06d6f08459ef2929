"""Whom to call, and what is done with the calls, which the scripts that change things have made."""

from __future__ import annotations

from collections.abc import Sequence

from jobs.job import Webhook, WebhookEvent
from jobs.keys import Keys
from jobs.lua import Argument, Call, load

MAX_WEBHOOKS = 8  # of one job or analysis
MAX_CALLS = 100_000  # that wait, of all tenants; a receiver that is away may hold up many


def wanted(webhook: Webhook | None, events: Sequence[WebhookEvent]) -> tuple[Argument, ...]:
    """The words of `keep_webhook` and `lacks_room` for the webhook of a request, if it has one."""
    return (webhook.model_dump_json() if webhook else "", " ".join(events), MAX_WEBHOOKS, MAX_CALLS)


def collect(keys: Keys, *, count: int, visible_seconds: float) -> Call:
    """Take calls that are due; whoever does not settle them in time loses them to another."""
    return Call(load("collect"), (keys.calls,), (count, visible_seconds, keys.lifetimes.result))


def settle(keys: Keys, call: str, visible_until: str, *, again: str = "", seconds: float = 0.0) -> Call:
    """End a call, or put it off by some seconds under the words `again`."""
    words = (call, visible_until, again, seconds, keys.lifetimes.result)
    return Call(load("settle"), (keys.calls,), words)
