"""A service to talk to: the one that runs at an address, or a private one for the length of a command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from app.session import private_service
from jobs.errors import InvalidRequest, Problem, Unavailable
from jobs.job import FINISHED

Document = dict[str, Any]  # Any: JSON as the API sends it

TIMEOUT_SECONDS = 30.0


class Service:
    """The calls that the command line makes."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def get(self, path: str, **query: str | int | float) -> httpx.Response:
        """Raises `InvalidRequest` with the service's own words when it refuses."""
        return _checked(self._client.get(path, params=query))

    def explain(
        self, image: bytes, fields: dict[str, str | list[str]], progress: Callable[[float], None]
    ) -> Document:
        """Post one image and wait for its end; `progress` gets the share that is done, 0 to 1."""
        response = self._client.post("/api/v1/explanations", files={"image": image}, data=fields)
        document: Document = _checked(response).json()
        while document["state"] not in FINISHED:
            progress(document["progress"])
            answer = self._client.get(f"/api/v1/explanations/{document['id']}", headers={"Prefer": "wait=1"})
            document = _checked(answer).json()
        progress(1.0)
        return document


@contextmanager
def service(server: str | None, key: str | None, *options: str) -> Iterator[Service]:
    """The running service, or a private one started with `options`."""
    if server:
        with _client(server, key) as client:
            yield Service(client)
    else:
        with private_service(options) as address, _client(address, key) as client:
            yield Service(client)


def _client(address: str, key: str | None) -> httpx.Client:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.Client(base_url=address, headers=headers, timeout=TIMEOUT_SECONDS, trust_env=False)


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    problem = response.json()
    detail = f"{response.status_code} {problem['detail']}"
    if "retry-after" in response.headers:
        raise Unavailable(detail, retry_after=int(response.headers["retry-after"]))
    raise InvalidRequest(
        detail,
        problems=tuple(Problem.model_validate(wrong) for wrong in problem.get("errors", ())),
    )
