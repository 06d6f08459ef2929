"""Heat maps that are already known, beside a bare FastAPI route that returns the same bytes."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI, Response

from app.session import private_service
from benchmarks import load
from benchmarks.figures import Figure
from benchmarks.pictures import explanation_request, phantom_pngs
from jobs.lifeline import start_child

REQUESTS = 6000
CONNECTIONS = 16
ROUNDS = 3
BODY = "BENCHMARK_BODY"


def measure() -> list[Figure]:
    """The best of some rounds each, taken in turn."""
    request = explanation_request(
        phantom_pngs(1, first_seed=60_000)[0], model="phantom-resnet", method="grad-cam"
    )
    with private_service(durable=True) as ours:
        document = json.loads(load.run(ours, [request], connections=1).answers[0].body)
        picture = load.get(document["targets"][0]["links"]["heatmap"])
        body = load.run(ours, [picture], connections=1).answers[0].body
        with _bare(body) as peer:
            rates = [(_rate(ours, picture), _rate(peer, load.get("/picture"))) for _ in range(ROUNDS)]
    best_ours, best_peer = (max(side) for side in zip(*rates, strict=True))
    return [
        Figure(
            name=f"cached heat map ({len(body)} bytes of PNG) / bare FastAPI route",
            ours=f"{best_ours:.0f} requests/s",
            peer=f"{best_peer:.0f} requests/s",
            value=best_ours / best_peer,
            goal=0.4,
        )
    ]


def _rate(address: str, request: bytes) -> float:
    return load.run(address, [request] * REQUESTS, connections=CONNECTIONS).rate


@contextmanager
def _bare(body: bytes) -> Iterator[str]:
    """The peer in a process of its own, with the same server settings."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = os.environ | {BODY: base64.b64encode(body).decode()}
    process = start_child([sys.executable, "-m", __name__, str(port)], environment=environment)
    try:
        _wait_until_open(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _wait_until_open(port: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the bare server ended")


def _serve_bare(port: int) -> None:
    app = FastAPI()
    body = base64.b64decode(os.environ[BODY])

    @app.get("/picture")
    async def picture() -> Response:
        return Response(body, media_type="image/png")

    uvicorn.run(app, port=port, loop="uvloop", http="httptools", log_level="warning", access_log=False)


if __name__ == "__main__":
    _serve_bare(int(sys.argv[1]))
