"""What the API counts, and how Prometheus reads it."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Telemetry:
    """The counters of one app; two apps in one process do not share them."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self._requests = Counter(
            "rationale_requests", "HTTP requests answered.", labels, registry=self._registry
        )
        self._seconds = Histogram(
            "rationale_request_seconds",
            "Seconds to the last byte of an answer.",
            ("method", "route"),
            buckets=BUCKETS,
            registry=self._registry,
        )
        self._depth = Gauge(
            "rationale_queue_depth", "Unfinished jobs by model.", ("model",), registry=self._registry
        )
        self._drain = Gauge(
            "rationale_queue_drain_seconds",
            "Predicted seconds until all that is queued is done, by model.",
            ("model",),
            registry=self._registry,
        )
        self._workers = Gauge("rationale_live_workers", "Workers with a heartbeat.", registry=self._registry)
        self._calls = Counter(
            "rationale_webhook_tries",
            "Calls to webhooks that were tried, by how it ended.",
            ("outcome",),
            registry=self._registry,
        )
        self._waiting_calls = Gauge(
            "rationale_webhook_calls", "Calls to webhooks that are not over.", registry=self._registry
        )
        self._dead = Gauge("rationale_dead_letters", "Jobs given up for good.", registry=self._registry)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer; `route` is the path's template, so that ids make no series of their own."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def called(self, outcome: str) -> None:
        """Count one try of a call to a webhook."""
        self._calls.labels(outcome).inc()

    def exposition(
        self,
        *,
        depths: Mapping[str, int],
        drain_seconds: Mapping[str, float],
        workers: int,
        dead_letters: int,
        webhook_calls: int,
    ) -> bytes:
        """Everything in Prometheus' text format."""
        for gauge, values in ((self._depth, depths), (self._drain, drain_seconds)):
            gauge.clear()
            for model, value in values.items():
                gauge.labels(model).set(value)
        self._workers.set(workers)
        self._dead.set(dead_letters)
        self._waiting_calls.set(webhook_calls)
        return generate_latest(self._registry)


NOSNIFF = (b"x-content-type-options", b"nosniff")
METHODS = frozenset({"GET", "POST", "DELETE", "HEAD", "OPTIONS", "PUT", "PATCH"})


class Meter:
    """ASGI middleware that counts every answer and marks it as not to be sniffed."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self.app = app
        self.telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = perf_counter(), 500

        async def mark(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message.get("headers", [])
                message["headers"] = headers if NOSNIFF in headers else [*headers, NOSNIFF]
            await send(message)

        try:
            await self.app(scope, receive, mark)
        finally:
            route = getattr(scope.get("route"), "path", "unknown")
            method = scope["method"] if scope["method"] in METHODS else "other"
            self.telemetry.answered(method, route, status, perf_counter() - started)
