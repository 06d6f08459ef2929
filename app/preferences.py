"""What a client prefers (RFC 7240): how long it waits for an answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_WAIT = re.compile(r'^wait\s*=\s*"?(\d{1,9})"?$', re.IGNORECASE)


@dataclass(frozen=True)
class Preference:
    """Seconds to wait, and the headers that say what was kept of the client's wish."""

    wait_seconds: float
    headers: dict[str, str]


def read_preference(prefer: Sequence[str], *, max_wait_seconds: float) -> Preference:
    """Read `Prefer` headers; the first wish counts, and what is not understood is ignored."""
    words = [word.split(";")[0].strip() for line in prefer for word in line.split(",")]
    applied = []
    wait_seconds = 0.0
    if any(word.lower() == "respond-async" for word in words):
        applied.append("respond-async")
    wish = next((match for word in words if (match := _WAIT.match(word))), None)
    if wish:
        wait_seconds = min(float(wish[1]), max_wait_seconds)
        applied.append(f"wait={wait_seconds:g}")
    headers = {"Vary": "Prefer"}
    if applied:
        headers["Preference-Applied"] = ", ".join(applied)
    return Preference(wait_seconds, headers)
