"""The staged API behind a real socket, for clients that are programs of their own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn

from app.protocol import BoundedProtocol
from tests.api import Stage
from tests.waiting import wait_until_async


@asynccontextmanager
async def served(stage: Stage) -> AsyncIterator[str]:
    """The address at which the app of a stage answers; its lifespan is the stage's."""
    config = uvicorn.Config(stage.app, lifespan="off", log_level="critical", http=BoundedProtocol, ws="none")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        task = asyncio.create_task(server.serve(sockets=[listener]))
        await wait_until_async(lambda: server.started)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await task
