"""The HTTP server around the app: one socket, clean signals, and a word when it is ready."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import cast

import httpx
import uvicorn
import uvloop
from fastapi import FastAPI

from app.main import create_app
from app.protocol import BoundedProtocol
from app.services import Services
from app.settings import ApiSettings

GRACE_SECONDS = 5
POLL_SECONDS = 0.1


class Server(uvicorn.Server):
    """Ends long answers before it waits for the short ones."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        cast(Services, cast(FastAPI, self.config.app).state.services).lookout.close()
        await super().shutdown(sockets)


def run_api(
    settings: ApiSettings,
    *,
    beside: tuple[Callable[[], Awaitable[None]], ...] = (),
    ready: Callable[[str], None],
    with_models: bool = False,
) -> None:
    """Serve until SIGINT or SIGTERM, which end the call by `SystemExit`; port 0 takes a free one.

    `beside` runs in the same loop; `ready` gets the address once the API is ready, or `with_models` once a
    worker serves one.
    Raises OSError when the address cannot be taken.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    with (
        socket.create_server((settings.host, settings.port), backlog=1024) as listener,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        announce = partial(_announce, _address(listener), ready, with_models=with_models)
        runner.run(_run(settings, listener, (*beside, announce)))


async def _run(
    settings: ApiSettings,
    listener: socket.socket,
    beside: tuple[Callable[[], Awaitable[None]], ...],
) -> None:
    server = Server(
        uvicorn.Config(
            create_app(settings),
            http=BoundedProtocol,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )
    tasks = [asyncio.ensure_future(run()) for run in beside]
    try:
        await server.serve(sockets=[listener])
    finally:
        for task in tasks:
            task.cancel()


async def _announce(address: str, ready: Callable[[str], None], *, with_models: bool) -> None:
    async with httpx.AsyncClient(base_url=address, trust_env=False) as client:
        while True:
            with suppress(httpx.HTTPError):
                answer = await client.get("/readyz")
                if answer.is_success and (answer.json()["models"] or not with_models):
                    break
            await asyncio.sleep(POLL_SECONDS)
    ready(address)


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not listened on
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _leave(_number: int, _frame: FrameType | None) -> None:
    # uvicorn shuts down first and then raises the signal again, so the blocks around `run_api` unwind.
    raise SystemExit(0)
