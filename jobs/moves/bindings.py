"""What becomes of a name that a client gave to its request."""

from __future__ import annotations

from jobs.keys import Keys
from jobs.lua import Call, load


def reserve(keys: Keys, name: str, fingerprint: str) -> Call:
    """Reserve a name for the request of this fingerprint."""
    return Call(load("reserve"), (keys.binding(name),), (fingerprint, keys.lifetimes.reserved))


def bind(keys: Keys, name: str, fingerprint: str, jobs: str) -> Call:
    """Bind a name to the jobs that its request became."""
    return Call(load("bind"), (keys.binding(name),), (fingerprint, jobs, keys.lifetimes.result))


def abandon(keys: Keys, name: str, fingerprint: str) -> Call:
    """Give a reservation up."""
    return Call(load("abandon"), (keys.binding(name),), (fingerprint,))
