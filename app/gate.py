"""The gate before every route: no path is reached by strangers, but for the few that are public."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.access import Access, is_loopback
from app.errors import problem_response
from jobs.errors import Unauthorised

PUBLIC = frozenset({"/livez", "/readyz"})


class Gate:
    """ASGI middleware that puts the caller of a request into its scope, or answers 401."""

    def __init__(self, app: ASGIApp, access: Access, public: frozenset[str] = PUBLIC) -> None:
        self.app = app
        self.access = access
        self.public = public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in self.public:
            headers = Headers(scope=scope)
            try:
                self._check_host(headers.get("host", ""))
                scope["caller"] = self.access.caller(headers.get("authorization"))
            except Unauthorised as error:
                await problem_response(error)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _check_host(self, host: str) -> None:
        """Without keys a page of another site could reach us by a name that it points at loopback."""
        name = host[: host.find("]") + 1] if host.startswith("[") else host.partition(":")[0]
        if self.access.open and not is_loopback(name):
            raise Unauthorised("Without API keys the service answers to loopback names only.")
