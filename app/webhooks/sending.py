"""One try of one call: over TLS, to an address that was looked at, and for a bounded time."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Sequence
from enum import Enum, auto
from importlib.metadata import version
from pathlib import Path
from types import TracebackType

import httpx
from pydantic import SecretStr

from app.webhooks.addresses import Forbidden, Resolve, addresses_of, resolve
from app.webhooks.signing import signed
from app.webhooks.urls import HTTPS_PORT
from jobs.calls import WebhookCall

MOST_ADDRESSES = 4  # of one host that a try goes to
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})


class Outcome(Enum):
    """How a try ended."""

    DELIVERED = auto()
    BUSY = auto()  # the receiver asks to come again
    UNREACHABLE = auto()  # nobody answers there now
    REFUSED = auto()  # to come again would be no use


class Sender:
    """Posts signed messages. It follows no redirect, asks no proxy and reads no answer."""

    def __init__(
        self, *, seconds: float, private: bool, trust: ssl.SSLContext, resolve: Resolve = resolve
    ) -> None:
        self.seconds = seconds
        self._private = private
        self._resolve = resolve
        # A kept connection was verified for one name and would be used for every name of its address.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        timeout = httpx.Timeout(seconds, connect=seconds / 2)
        self._client = httpx.AsyncClient(verify=trust, trust_env=False, timeout=timeout, limits=limits)

    async def __aenter__(self) -> Sender:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def send(self, call: WebhookCall, secrets: Sequence[SecretStr], body: bytes) -> Outcome:
        """Try once."""
        try:
            async with asyncio.timeout(self.seconds):
                return _outcome(await self._post(call, secrets, body))
        except (httpx.HTTPError, OSError, TimeoutError, UnicodeError, Forbidden):
            return Outcome.UNREACHABLE

    async def _post(self, call: WebhookCall, secrets: Sequence[SecretStr], body: bytes) -> int:
        url = httpx.URL(call.webhook.url)
        host = url.raw_host.decode("ascii")
        found = await addresses_of(host, url.port or HTTPS_PORT, self._resolve, private=self._private)
        headers = {
            "Host": url.netloc.decode("ascii"),
            "Connection": "close",
            "Content-Type": "application/json",
            "User-Agent": f"rationale/{version('rationale')}",
            **signed(secrets, call.message_id, int(time.time()), body),
        }
        turn = call.tries % len(found)
        for address in [*found[turn:], *found[:turn]][:MOST_ADDRESSES]:
            # The connection goes to the very address that was checked; TLS is still verified for the name.
            there = url.copy_with(host=str(address))
            request = self._client.build_request(
                "POST", there, content=body, headers=headers, extensions={"sni_hostname": host}
            )
            try:
                response = await self._client.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
            await response.aclose()
            return response.status_code
        raise OSError(f"{host} takes no connection")


def trusted(authorities: Path | None) -> ssl.SSLContext:
    """Whom to believe: these authorities, or the public ones; raises OSError or ssl.SSLError."""
    if authorities is None:
        return httpx.create_ssl_context(trust_env=False)
    return ssl.create_default_context(cafile=authorities)


def _outcome(status: int) -> Outcome:
    if httpx.codes.is_success(status):
        return Outcome.DELIVERED
    return Outcome.BUSY if status in RETRIED else Outcome.REFUSED
