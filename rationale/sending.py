"""How calls are made over HTTP, and the words of a question, for both clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Required, TypedDict

import httpx

from rationale.calls import Call
from rationale.flows import Look, Targets
from rationale.images import Image

TIMEOUT_SECONDS = 30.0


class Asked(TypedDict, total=False):
    """The words of `rationale.flows.Question`; without `method` it is grad-cam."""

    model: Required[str]
    method: str
    target: Targets
    # Any: each method and metric has parameters of its own.
    params: Mapping[str, Any]
    metrics: Sequence[str]
    metric_params: Mapping[str, Mapping[str, Any]]
    reference: Image | None
    mask: Image | None
    seed: int
    lane: str | None
    deadline: float | None
    overlay: Look


def client_words(url: str, key: str | None) -> dict[str, Any]:  # Any: the words of httpx
    """What an httpx client of a service is made with."""
    return {
        "base_url": url,
        "headers": {"Authorization": f"Bearer {key}"} if key else {},
        "timeout": TIMEOUT_SECONDS,
        "trust_env": False,
    }


def words_of(call: Call) -> dict[str, Any]:  # Any: the words of httpx
    """What httpx is to send; a call that asks the service to wait may take longer."""
    words: dict[str, Any] = {
        "headers": dict(call.headers),
        "timeout": httpx.Timeout(TIMEOUT_SECONDS + call.patience_seconds),
    }
    if call.query:
        words["params"] = dict(call.query)
    if call.files:
        words["files"] = {name: (name, content) for name, content in call.files.items()}
        words["data"] = dict(call.fields)
    return words
