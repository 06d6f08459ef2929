"""A service to talk to: the one that runs at an address, or a private one for the length of a command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from app.session import private_service
from jobs.errors import Unavailable
from jobs.job import FINISHED
from rationale.calls import error_of
from rationale.sending import TIMEOUT_SECONDS, client_words

Document = dict[str, Any]  # Any: JSON as the API sends it


class Away(Unavailable):
    """The service does not answer at all."""


class Service:
    """The calls that the command line makes."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def get(self, path: str, **query: str | int | float) -> httpx.Response:
        """Raises the error that the service names when it refuses, and `Away` when it does not answer."""
        return self._call("GET", path, params=query)

    def look(self, path: str, wait: int) -> Document:
        """A document once its work is finished, or as it is after `wait` seconds; raises like `get`."""
        headers = {"Prefer": f"wait={wait}"} if wait else {}
        timeout = TIMEOUT_SECONDS + wait
        document: Document = self._call("GET", path, headers=headers, timeout=timeout).json()
        return document

    def post(self, path: str) -> httpx.Response:
        """A post without a body; raises like `get`."""
        return self._call("POST", path)

    def delete(self, path: str) -> None:
        """Raises like `get`."""
        self._call("DELETE", path)

    def explain(
        self,
        files: dict[str, bytes],
        fields: dict[str, str | list[str]],
        progress: Callable[[float], None],
    ) -> Document:
        """Post files and wait for the end; `progress` gets the share that is done, 0 to 1.

        A job that has failed by the time that the post is answered is raised as what it failed of.
        """
        posted = self._call("POST", "/api/v1/explanations", files=files, data=fields)
        document: Document = posted.json()
        while document["state"] not in FINISHED:
            progress(document["progress"])
            path = f"/api/v1/explanations/{document['id']}"
            document = self.look(path, 1)
        progress(1.0)
        return document

    # Any: the words of httpx.
    def _call(self, verb: str, path: str, **words: Any) -> httpx.Response:
        try:
            return _checked(self._client.request(verb, path, **words))
        except httpx.TransportError as error:
            raise Away(f"{self._client.base_url} does not answer: {error}", retry_after=1) from error


@contextmanager
def service(
    server: str | None, key: str | None, *, models: Path | None, device: str | None
) -> Iterator[Service]:
    """The running service, or a private one with these models on this device."""
    with address(server, models=models, device=device) as found, running_service(found, key) as running:
        yield running


@contextmanager
def address(server: str | None, *, models: Path | None, device: str | None) -> Iterator[str]:
    """Where the running service is, or a private one with these models on this device."""
    if server:
        yield server
        return
    given = {"models": models, "device": device}
    with private_service([f"--{name}={value}" for name, value in given.items() if value]) as found:
        yield found


@contextmanager
def running_service(server: str, key: str | None) -> Iterator[Service]:
    """The service that runs at an address."""
    with httpx.Client(**client_words(server, key)) as client:
        yield Service(client)


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    raise error_of(response)
