"""The HTTP server around the app: one socket, clean signals, and a word when it is ready."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import FrameType

import httpx
import uvicorn
import uvloop

from app.main import create_app
from app.settings import ApiSettings

GRACE_SECONDS = 5
POLL_SECONDS = 0.1


def run_api(
    settings: ApiSettings,
    *,
    beside: tuple[Callable[[], Awaitable[None]], ...] = (),
    ready: Callable[[str], None],
) -> None:
    """Serve until SIGINT or SIGTERM, which end the call by `SystemExit`; port 0 takes a free one.

    `beside` runs in the same loop; `ready` gets the address once `/readyz` says yes.
    Raises OSError when the address cannot be taken.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    with (
        socket.create_server((settings.host, settings.port), backlog=1024) as listener,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(_run(settings, listener, beside, ready))


async def _run(
    settings: ApiSettings,
    listener: socket.socket,
    beside: tuple[Callable[[], Awaitable[None]], ...],
    ready: Callable[[str], None],
) -> None:
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(settings),
            http="httptools",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )
    address = _address(listener)
    tasks = [asyncio.ensure_future(run()) for run in beside]
    tasks.append(asyncio.ensure_future(_announce(address, ready)))
    try:
        await server.serve(sockets=[listener])
    finally:
        for task in tasks:
            task.cancel()


async def _announce(address: str, ready: Callable[[str], None]) -> None:
    async with httpx.AsyncClient(base_url=address, trust_env=False) as client:
        while True:
            with suppress(httpx.HTTPError):
                if (await client.get("/readyz")).status_code == httpx.codes.OK:
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
