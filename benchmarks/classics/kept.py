"""Rows that were measured before: a run that was broken off goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

Figures = Mapping[str, float]


def folder() -> Path:
    """`rationale/benchmarks` in the user's cache; delete it after a change that no version tells of."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "rationale" / "benchmarks"


def kept(name: str, key: Mapping[str, object], measure: Callable[[], Figures]) -> Figures:
    """The figures under this name and key from the cache, or measured now and put there."""
    words = json.dumps(key, sort_keys=True, default=str)
    path = folder() / f"{name}-{hashlib.sha256(words.encode()).hexdigest()[:16]}.json"
    if path.is_file():
        found: Figures = json.loads(path.read_text(encoding="utf-8"))
        return found
    figures = measure()
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}")
    unfinished.write_text(json.dumps(figures), encoding="utf-8")
    unfinished.replace(path)
    return figures
