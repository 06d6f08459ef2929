"""Makes the API: every real thing is chosen, started and stopped here. Run, it prints its contract."""

from __future__ import annotations

import argparse
import gc
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI

from app.access import Access, check_address, server_secret
from app.admission import Admission, limits_of
from app.analyses.conductor import Conductor
from app.analyses.desk import AnalysisDesk
from app.analyses.doings import doings
from app.analyses.forming import Forming
from app.analyses.kind import survey_limits
from app.analyses.work import Tools
from app.description import describe
from app.documents import PREFIX
from app.errors import add_error_handlers
from app.evaluator.asking import Asking
from app.gate import PUBLIC, Gate
from app.idempotency import Idempotency
from app.image_sets.intake import Intake
from app.images import Darkroom
from app.limits import set_limits, upload_limits
from app.menu import Menu
from app.pictures import Gallery
from app.pressure import Pressure
from app.reading import Reader
from app.repairs.desk import RepairDesk
from app.requests import BodyLimits
from app.routes import (
    analyses,
    catalogue,
    evaluations,
    events,
    explanations,
    health,
    image_sets,
    letters,
    page,
    pictures,
    repairs,
)
from app.sanity.examiner import Examiner
from app.sanity.inquiry import Inquiry
from app.services import Services
from app.settings import ApiSettings
from app.submissions import Desk
from app.telemetry import Meter, Telemetry
from app.ui import public_paths
from app.uploads.decoder import Decoder
from app.waiting import Lookout
from app.webhooks.bodies import Messages
from app.webhooks.delivery import Courier
from app.webhooks.sending import Sender, trusted
from app.wishes import Wishes
from jobs.analyses import Analyses
from jobs.bindings import Bindings
from jobs.calls import WebhookCalls
from jobs.catalogue import load_catalogue
from jobs.changes import Changes
from jobs.connection import connect
from jobs.graphs import Graphs
from jobs.image_sets import ImageSets
from jobs.keys import Keys
from jobs.queue import JobQueue
from jobs.registry import Registry
from jobs.repairs import Repairs
from jobs.sanity import SanityRecords
from jobs.store import JobStore

PRINTED = Path(__file__).parent.parent / "openapi" / "openapi.json"
REDIS_URL = "redis://127.0.0.1:6379/0"
PARTS = (pictures, explanations, events, image_sets, evaluations, catalogue, letters, health, page)
DESCRIPTION = "Why did this vision model say that about this image?"


def create_app(settings: ApiSettings) -> FastAPI:
    """The API of these settings; it connects and starts its decoders with its lifespan.

    Raises `InvalidRequest` when it would serve beyond this machine without keys.
    """
    check_address(settings.host, settings.keys_file)
    access, telemetry = Access(settings.keys_file), Telemetry()
    app = FastAPI(
        title="Rationale",
        version=version("rationale"),
        description=DESCRIPTION,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan(settings, access, telemetry),
    )
    add_error_handlers(app)
    for part in (analyses, repairs, *PARTS):
        app.include_router(part.router)
    metrics = {"/metrics"} if settings.public_metrics else set()
    app.add_middleware(Gate, access=access, public=PUBLIC | public_paths() | metrics)
    app.add_middleware(Meter, telemetry=telemetry)
    describe(app)
    return app


def _lifespan(
    settings: ApiSettings, access: Access, telemetry: Telemetry
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """What is started ends with the lifespan, in reverse."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            app.state.services = await _started(stack, settings, access, telemetry)
            gc.collect()
            gc.freeze()  # what lives as long as the process is not looked through again and again
            yield

    return lifespan


async def _started(
    stack: AsyncExitStack, settings: ApiSettings, access: Access, telemetry: Telemetry
) -> Services:
    """Every stop is written beside its start."""
    redis = connect(settings.redis_url or REDIS_URL, timeout_seconds=settings.redis_seconds)
    stack.push_async_callback(redis.aclose)

    decoder = Decoder(upload_limits(settings), settings.decoder_processes)
    await decoder.start()
    stack.push_async_callback(decoder.stop)

    changes = Changes(redis, Keys(settings.namespace))
    await changes.start()
    stack.push_async_callback(changes.stop)

    services = _services(settings, access, telemetry, decoder, changes)
    stack.push_async_callback(services.examiner.stop)
    await services.conductor.start()
    stack.push_async_callback(services.conductor.stop)
    if not access.open:
        sender = await stack.enter_async_context(_sender(settings))
        messages = Messages(services.reader, services.analyses)
        courier = Courier(services.calls, messages, access, sender, telemetry)
        await courier.start()
        stack.push_async_callback(courier.stop)
    return services


def _services(
    settings: ApiSettings, access: Access, telemetry: Telemetry, decoder: Decoder, changes: Changes
) -> Services:
    redis, keys = changes.redis, changes.keys
    store, registry, queue = JobStore(redis, keys), Registry(redis, keys), JobQueue(redis, keys)
    secret, lookout = _secret(settings), Lookout(store, changes)
    repairs = Repairs(redis, keys, settings.max_repairs)
    menu = Menu(load_catalogue(), registry, repairs)
    records, image_sets = Analyses(redis, keys), ImageSets(redis, keys)
    graphs, admission = Graphs(redis, keys), Admission(queue, limits_of(settings))
    desk = Desk(menu, decoder, graphs, secret)
    inquiry = Inquiry(desk, admission, queue, lookout, store)
    examiner = Examiner(SanityRecords(redis, keys), inquiry, menu, enabled=settings.sanity_checks)
    tools = _tools(settings, changes, store, queue, secret)
    return Services(
        settings=settings,
        access=access,
        queue=queue,
        calls=WebhookCalls(redis, keys),
        store=store,
        reader=Reader(store, examiner.known),
        registry=registry,
        menu=menu,
        desk=desk,
        admission=admission,
        examiner=examiner,
        idempotency=Idempotency(Bindings(redis, keys), secret),
        repair_desk=RepairDesk(menu, records, secret),
        repairs=repairs,
        intake=Intake(Darkroom(decoder, secret), secret, set_limits(settings)),
        image_sets=image_sets,
        asking=Asking(menu, image_sets, secret, settings.max_evaluation_cells),
        analysis_desk=AnalysisDesk(menu, image_sets, records, secret, survey_limits(settings)),
        analyses=records,
        conductor=Conductor(tools, doings(Wishes(menu), settings.evaluation_in_flight)),
        forming=Forming(),
        pressure=Pressure(),
        lookout=lookout,
        gallery=Gallery(store, settings.picture_cache_bytes),
        telemetry=telemetry,
        body_limits=BodyLimits(settings.max_upload_bytes, settings.body_seconds),
    )


def _tools(settings: ApiSettings, changes: Changes, store: JobStore, queue: JobQueue, secret: bytes) -> Tools:
    redis, keys = changes.redis, changes.keys
    return Tools(
        analyses=Analyses(redis, keys),
        image_sets=ImageSets(redis, keys),
        graphs=Graphs(redis, keys),
        queue=queue,
        store=store,
        changes=changes,
        secret=secret,
        limits=limits_of(settings),
    )


def _sender(settings: ApiSettings) -> Sender:
    return Sender(
        seconds=settings.webhook_seconds,
        private=settings.webhook_private_addresses,
        trust=trusted(settings.webhook_ca_file),
    )


def _secret(settings: ApiSettings) -> bytes:
    if settings.secret is not None:
        return settings.secret.get_secret_value().encode()
    return server_secret(settings.data_dir)


def main() -> int:
    """Print openapi/openapi.json, or with `--check` say whether it is what would be printed."""
    parser = argparse.ArgumentParser(prog="python -m app.main", description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 on a difference")
    text = json.dumps(create_app(ApiSettings(host="127.0.0.1")).openapi(), indent=2, sort_keys=True) + "\n"
    if not parser.parse_args().check:
        PRINTED.write_text(text)
    elif not PRINTED.exists() or PRINTED.read_text() != text:
        sys.stderr.write(f"{PRINTED.name} is not what the API says of itself; run `make openapi`.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
