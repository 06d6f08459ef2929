"""A patient client of several API processes that serve the same: whom it cannot reach, it asks again."""

from __future__ import annotations

import asyncio
import hashlib
import io
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from random import Random
from types import TracebackType
from typing import Any, Self

import httpx
import numpy as np

from chaos.history import History, Seen
from chaos.orders import TARGET
from jobs.job import State

PATH = "/api/v1/explanations"
CONNECTIONS = 600
TIMEOUT_SECONDS = 20.0
RETRY_SECONDS = (0.05, 0.3)
LONGEST_RETRY_SECONDS = 1.0
TRY_AGAIN = frozenset({429, 503})


class Client:
    """Sends each request to one of the `addresses`, to another one if that does not answer; notes looks."""

    def __init__(self, addresses: Sequence[str], history: History, random: Random) -> None:
        self._addresses, self._history, self._random = addresses, history, random
        self._clients: list[httpx.AsyncClient] = []
        self._stack = AsyncExitStack()
        self.ended: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
        for address in self._addresses:
            client = httpx.AsyncClient(
                base_url=address, timeout=TIMEOUT_SECONDS, limits=limits, trust_env=False
            )
            self._clients.append(await self._stack.enter_async_context(client))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def ready(self, *, workers: int) -> None:
        """Wait until every API process knows of so many workers."""
        for client in self._clients:
            while True:
                if await _workers_known_to(client) >= workers:
                    break
                await asyncio.sleep(RETRY_SECONDS[0])

    # Any: the words of httpx, and JSON.
    async def post(self, path: str, **words: Any) -> list[str]:
        """The ids of what was accepted; none after an answer that nobody should get."""
        answer = await self._ask("POST", path, **words)
        if answer.status_code not in (200, 202):
            return []
        document = answer.json()
        return [one["id"] for one in document.get("explanations", [document])]

    async def look(self, job: str, *, wait_seconds: int = 0) -> Seen:
        """What the API says of a job now, or when it has ended, if that is within `wait_seconds`."""
        headers = {"Prefer": f"wait={wait_seconds}"} if wait_seconds else {}
        if job in self.ended:
            headers["If-None-Match"] = self.ended[job]
        answer = await self._ask("GET", f"{PATH}/{job}", headers=headers)
        seen = self._seen(job, answer)
        self._history.seen.append(seen)
        return seen

    async def look_at_map(self, job: str) -> None:
        """Note the map of a job that is done."""
        answer = await self._ask("GET", f"{PATH}/{job}/heatmap", params={"format": "npy", "target": TARGET})
        last = await self.look(job)
        values = np.load(io.BytesIO(answer.content)).ravel() if answer.status_code == 200 else ()
        relevance = tuple(map(float, values))
        self._history.seen.append(Seen(last.at, job, last.state, last.code, last.etag, relevance=relevance))

    # Any: the words of httpx.
    async def _ask(self, verb: str, path: str, **words: Any) -> httpx.Response:
        """The first answer that is neither an outage nor a refusal for lack of room."""
        while True:
            pause = self._random.uniform(*RETRY_SECONDS)
            try:
                answer = await self._random.choice(self._clients).request(verb, path, **words)
            except httpx.TransportError:
                await asyncio.sleep(pause)
                continue
            if answer.status_code not in TRY_AGAIN:
                if answer.status_code not in (200, 202, 304, 404):
                    self._history.surprises.append(f"{verb} {path}: {answer.status_code} {answer.text[:300]}")
                return answer
            wished = float(answer.headers.get("retry-after", pause))
            await asyncio.sleep(min(wished, LONGEST_RETRY_SECONDS) * self._random.random())

    def _seen(self, job: str, answer: httpx.Response) -> Seen:
        now = time.monotonic()
        if answer.status_code == 304:
            return Seen(now, job, State.DONE, etag=answer.headers["etag"])
        if answer.status_code != 200:
            return Seen(now, job, None)
        document = answer.json()
        state = State(document["state"])
        if state is State.DONE:
            self.ended[job] = answer.headers["etag"]
            return Seen(now, job, state, etag=self.ended[job], logit=document["targets"][0]["logit"])
        if state is State.FAILED:
            return Seen(now, job, state, document["error"]["code"], _digest(answer.content))
        return Seen(now, job, state)


async def _workers_known_to(client: httpx.AsyncClient) -> int:
    try:
        answer = await client.get("/readyz")
    except httpx.TransportError:
        return 0
    return int(answer.json()["workers"]) if answer.is_success else 0


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
