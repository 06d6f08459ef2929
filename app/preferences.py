"""What a client prefers: how long it waits for an answer (RFC 7240), and in which form it wants it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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


def preferred_form(accept: str, types: Mapping[str, str], also: Mapping[str, str] | None = None) -> str:
    """The form that `Accept` gives the highest weight, then the one that it names most closely.

    The first of those that are equal; the first of all when it wants none of them. `types` are the media
    types of the forms; `also` are other names of some of these.
    """
    weights = {}
    for part in accept.split(","):
        kind, *parameters = (word.strip() for word in part.split(";"))
        weights[kind.lower()] = _weight(parameters)
    for other, kind in (also or {}).items():
        if other in weights:
            weights.setdefault(kind, weights[other])

    def rank(form: str) -> tuple[float, int]:
        kind = types[form]
        ranges = (kind, f"{kind.partition('/')[0]}/*", "*/*")
        return next(
            ((weights[each], -place) for place, each in enumerate(ranges) if each in weights), (0.0, 0)
        )

    return max(types, key=rank)


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0
