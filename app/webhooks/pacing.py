"""When to try again: each call by itself, and each host that cannot be reached for all of its calls."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

MOST_TRIES = 12
MOST_AGE_SECONDS = 20 * 3600.0  # the document outlives it
MOST_WAIT_SECONDS = 3 * 3600.0
MOST_REST_SECONDS = 300.0
GROWTH = 3.0
JITTER = (0.8, 1.2)
MOST_AT_ONCE = 8  # calls to one host
CROWD_SECONDS = 0.5


def wait_seconds(tries: int, first_seconds: float) -> float:
    """How long to wait after so many tries: three times as long each time, up to three hours."""
    return min(MOST_WAIT_SECONDS, first_seconds * GROWTH ** (tries - 1)) * random.uniform(*JITTER)  # noqa: S311 - no secret


@dataclass
class _Host:
    in_flight: int = 0
    failures: int = 0
    rests_until: float = 0.0


@dataclass
class Hosts:
    """Keeps those who do not answer from taking the time of those who do."""

    first_seconds: float
    clock: Callable[[], float] = monotonic
    _hosts: dict[str, _Host] = field(default_factory=dict)

    def delay_seconds(self, name: str) -> float:
        """How long a host is to be left alone; 0: it may be called now."""
        host = self._hosts.get(name, _Host())
        if (rest := host.rests_until - self.clock()) > 0:
            return rest * random.uniform(1.0, 2.0)  # noqa: S311 - no secret
        if host.in_flight >= (1 if host.failures else MOST_AT_ONCE):
            return CROWD_SECONDS * random.uniform(*JITTER)  # noqa: S311 - no secret
        return 0.0

    def begin(self, name: str) -> None:
        """A call to a host begins."""
        self._hosts.setdefault(name, _Host()).in_flight += 1

    def end(self, name: str, *, reached: bool | None) -> None:
        """It ended; None: nobody knows whether the host was reached."""
        host = self._hosts[name]
        host.in_flight -= 1
        if reached:
            host.failures, host.rests_until = 0, 0.0
        elif reached is False:
            rest = min(MOST_REST_SECONDS, self.first_seconds * 2**host.failures)
            host.failures += 1
            host.rests_until = self.clock() + rest
        if not host.in_flight and not host.failures:
            del self._hosts[name]
