"""A receiver of webhooks: a TLS server on loopback with a certificate of the test's own authority."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme

HOST = "localhost"


@dataclass(frozen=True)
class Received:
    """One call as it came."""

    headers: dict[str, str]
    body: bytes
    server_name: str | None

    @property
    def said(self) -> dict[str, Any]:  # Any: JSON
        document: dict[str, Any] = json.loads(self.body)
        return document

    def is_signed_by(self, secret: str) -> bool:
        """Verified as docs/operations.md tells receivers to."""
        content = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + self.body
        key = base64.b64decode(secret.removeprefix("whsec_"))
        right = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
        return f"v1,{right}" in self.headers["webhook-signature"].split(" ")


@dataclass
class Receiver:
    """Answers `status`, or what `answers` has first, and nothing before `hold` if there is one."""

    port: int
    authority: trustme.CA
    status: int = 200
    head: str = ""
    answers: list[int] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    hold: asyncio.Event | None = None
    is_endless: bool = False
    names: list[str | None] = field(default_factory=list)

    @property
    def place(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def url(self) -> str:
        return f"https://{self.place}/hook?token=x"

    @property
    def trust(self) -> ssl.SSLContext:
        """What a client that knows the authority believes."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context

    def write_authority(self, path: Path) -> Path:
        self.authority.cert_pem.write_to_path(path)
        return path

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}
            body = await reader.readexactly(int(headers["content-length"]))
            self.received.append(Received(headers, body, self.names[-1]))
            if self.hold is not None:
                await self.hold.wait()
            status = self.answers.pop(0) if self.answers else self.status
            length = 10**9 if self.is_endless else 0
            writer.write(f"HTTP/1.1 {status} -\r\n{self.head}Content-Length: {length}\r\n\r\n".encode())
            await writer.drain()
            while self.is_endless:
                writer.write(bytes(65536))
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def receiving(name: str = HOST, authority: trustme.CA | None = None) -> AsyncIterator[Receiver]:
    """A receiver at 127.0.0.1 with a certificate for a name, of an authority of its own or a given one."""
    authority = authority or trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    receiver = Receiver(0, authority)
    context.sni_callback = _noting(receiver.names)
    server = await asyncio.start_server(receiver.answer, "127.0.0.1", 0, ssl=context)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        if receiver.hold is not None:
            receiver.hold.set()
        server.close()


def _noting(names: list[str | None]) -> Callable[[ssl.SSLObject | ssl.SSLSocket, str, ssl.SSLContext], None]:
    def note(_connection: ssl.SSLObject | ssl.SSLSocket, name: str, _context: ssl.SSLContext) -> None:
        names.append(name)

    return note
