"""Whether the process lives, whether the service can take work, and what Prometheus wants to know."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from fastapi import APIRouter, Response

from app.contract import TEXT, answers, media
from app.schemas import Live, Ready
from app.services import Use
from jobs.catalogue import WorkerCard

router = APIRouter(tags=["health"])
EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


@router.get(
    "/livez",
    summary="Whether the process answers",
    response_class=Response,
    responses=answers({200: media(json=Live)}),
)
async def livez() -> Response:
    return Response(Live().model_dump_json(), media_type="application/json")


@router.get(
    "/readyz",
    summary="Whether Redis answers, and which workers live",
    response_class=Response,
    responses=answers({200: media(json=Ready)}),
)
async def readyz(services: Use) -> Response:
    """Without a worker the API still accepts jobs and serves results, so it is ready and says `no-workers`.

    Workers whose menu or weights differ from the others' are named: an update is half done.
    """
    body = readiness(await services.registry.workers(), services.menu.catalogue.digest)
    return Response(body.model_dump_json(), media_type="application/json")


@router.get(
    "/metrics",
    summary="Counters for Prometheus",
    response_class=Response,
    responses=answers({200: {"text/plain": TEXT}}),
)
async def metrics(services: Use) -> Response:
    content = services.telemetry.exposition(
        depths=await services.queue.depth(),
        drain_seconds=await services.queue.drain_seconds(),
        workers=len(await services.registry.workers()),
        dead_letters=await services.queue.dead_letter_count(),
        webhook_calls=await services.calls.waiting(),
    )
    return Response(content, headers={"Content-Type": EXPOSITION})


def readiness(workers: Sequence[WorkerCard], catalogue_digest: str) -> Ready:
    """What live workers serve, and where they differ from each other or from the API."""
    digests = defaultdict(set)
    for worker in workers:
        for model in worker.models:
            digests[model.id].add(model.digest)
    return Ready(
        status="ready" if workers else "no-workers",
        workers=len(workers),
        models=Counter(name for worker in workers for name in {model.id for model in worker.models}),
        catalogue_digest=catalogue_digest,
        differing_catalogues=tuple(
            worker.id for worker in workers if worker.catalogue_digest != catalogue_digest
        ),
        differing_models={name: tuple(sorted(known)) for name, known in digests.items() if len(known) > 1},
    )
