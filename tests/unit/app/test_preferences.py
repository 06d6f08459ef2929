"""`Prefer` is read as RFC 7240 has it."""

from __future__ import annotations

import pytest

from app.preferences import read_preference


@pytest.mark.parametrize(
    ("prefer", "seconds", "applied"),
    [
        ([], 0, None),
        (["wait=10"], 10, "wait=10"),
        (["WAIT = 10"], 10, "wait=10"),
        (['wait="5"'], 5, "wait=5"),
        (["respond-async, wait=10"], 10, "respond-async, wait=10"),
        (["respond-async", "wait=3"], 3, "respond-async, wait=3"),
        (["respond-async"], 0, "respond-async"),
        (["handling=lenient; x=y, wait=4; foo=bar"], 4, "wait=4"),
        (["wait=2, wait=9"], 2, "wait=2"),
        (["wait=999999999"], 60, "wait=60"),
        (["wait=-1", "wait=1e3", "wait=", "wait", "wait=99999999999999999999", ""], 0, None),
    ],
)
def test_waiting_is_read_and_told(prefer: list[str], seconds: float, applied: str | None) -> None:
    preference = read_preference(prefer, max_wait_seconds=60)
    assert preference.wait_seconds == seconds
    assert preference.headers.get("Preference-Applied") == applied
    assert preference.headers["Vary"] == "Prefer"
