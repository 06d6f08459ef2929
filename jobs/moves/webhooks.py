"""What is done with the calls to webhooks, which the scripts that change jobs have made."""

from __future__ import annotations

from jobs.keys import Keys
from jobs.lua import Call, load


def collect(keys: Keys, *, count: int, visible_seconds: float) -> Call:
    """Take calls that are due; whoever does not settle them in time loses them to another."""
    return Call(load("collect"), (keys.calls,), (count, visible_seconds, keys.lifetimes.result))


def settle(keys: Keys, call: str, visible_until: str, *, again: str = "", seconds: float = 0.0) -> Call:
    """End a call, or put it off by some seconds under the words `again`."""
    words = (call, visible_until, again, seconds, keys.lifetimes.result)
    return Call(load("settle"), (keys.calls,), words)
