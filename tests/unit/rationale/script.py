"""A service that answers from a script, and both clients asked alike."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
from PIL import Image

from rationale import AsyncClient, Client
from tests.samples import sample_job, sample_result

URL = "http://service"
KINDS = ["sync", "async"]
MAP = np.arange(6, dtype=np.float32).reshape(2, 3)

Answer = httpx.Response | httpx.TransportError
# Any: JSON, and whatever a call returns.
Json = Any


def document(state: str = "done", **more: Json) -> Json:
    """The document of an explanation of two classes."""
    result = json.loads(sample_result(sample_job()).model_dump_json())
    [target] = result["targets"]
    targets = [
        {
            **target,
            "index": index,
            "label": label,
            "links": {"heatmap": f"/maps/{index}", "overlay": f"/overlays/{index}"},
        }
        for index, label in ((2, "nodule"), (0, "none"))
    ]
    done = {name: result[name] for name in ("predictions", "trust", "timings", "provenance")}
    return {
        "id": "abc",
        "state": state,
        "progress": 0.5,
        "model": {"id": "m", "digest": "sha256:0"},
        "method": {"name": "grad-cam", "version": 1, "params": {}},
        **({**done, "targets": targets} if state == "done" else {}),
        **more,
    }


def problem(status: int, code: str, *, retry_after: int | None = None, **errors: str) -> httpx.Response:
    """A refusal in the words of the service."""
    wrong = [{"field": name, "message": message} for name, message in errors.items()]
    body = {"title": "No", "status": status, "detail": f"because of {code}", "code": code, "errors": wrong}
    headers = {"content-type": "application/problem+json"}
    if retry_after is not None:
        headers["retry-after"] = str(retry_after)
    return httpx.Response(status, content=json.dumps(body), headers=headers)


def png(colour: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (3, 2), colour).save(file, "PNG")
    return file.getvalue()


@dataclass
class Script:
    """Answers explanations from a list, one after the other, the last for ever; maps and pictures always."""

    answers: list[Answer]
    seen: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        kind, _, index = request.url.path.removeprefix("/").partition("/")
        if kind == "maps":
            file = io.BytesIO()
            np.save(file, MAP * int(index))
            return httpx.Response(200, content=file.getvalue())
        if kind == "overlays":
            return httpx.Response(200, content=png(int(index)))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, httpx.TransportError):
            raise answer
        return answer

    async def aio(self, request: httpx.Request) -> httpx.Response:
        """The same in an event loop."""
        return self(request)

    @property
    def asked(self) -> list[httpx.Request]:
        """What was asked but for maps and pictures."""
        return [request for request in self.seen if request.url.path.startswith("/api/")]


async def ask(
    kind: str, script: Script, name: str, *words: Json, key: str | None = None, **more: Json
) -> Json:
    """One call of the client of a kind; what it yields becomes a list."""
    if kind == "sync":
        with Client(URL, key, transport=httpx.MockTransport(script)) as client:
            answer = getattr(client, name)(*words, **more)
            return list(answer) if name == "explain_many" else answer
    async with AsyncClient(URL, key, transport=httpx.MockTransport(script.aio)) as client:
        answer = getattr(client, name)(*words, **more)
        return [one async for one in answer] if name == "explain_many" else await answer


def said(answer: Json, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=answer)


def pauses_of(patch: Callable[[str, Json], None]) -> list[float]:
    """The pauses that clients make from now on; none of them takes any time."""
    pauses: list[float] = []

    async def asleep(seconds: float) -> None:
        pauses.append(seconds)

    patch("rationale.client.pause", pauses.append)
    patch("rationale.aio.pause", asleep)
    return pauses
