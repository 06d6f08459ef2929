"""The API in this process, against a real Redis, with a worker that follows a script, not a network."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import httpx
import numpy as np
from fastapi import FastAPI
from PIL import Image

from app.access import Scope, create_key
from app.main import create_app
from app.settings import ApiSettings
from jobs.catalogue import InputSpec, ModelCard, WorkerCard, load_catalogue
from jobs.connection import connect
from jobs.errors import Failure
from jobs.job import Job
from jobs.keys import Keys
from jobs.queue import Claim, JobQueue
from jobs.registry import Registry
from jobs.result import (
    Box,
    Draft,
    MapInfo,
    Maps,
    PartInfo,
    PartKind,
    Prediction,
    Provenance,
    Result,
    TargetResult,
    map_name,
)
from jobs.trust import Measurement, TargetTrust, Trust
from tests.surveys import SurveyScript

LABELS = ("none", "mass", "nodule", "calcification", "<img src=x onerror=alert(1)>")
PREDICTED = 2
SIDE = 6
FIGURE = 0.25  # that a script answers for each metric
HEARTBEAT_SECONDS = 2.0
EXPLANATIONS = "/api/v1/explanations"
FORM = {"model": "tiny", "method": "saliency"}


def png(seed: int = 0, side: int = 12) -> bytes:
    """A small grey picture of its own for every seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def model_card(name: str = "tiny", digit: str = "a") -> ModelCard:
    """A model that only scripts serve."""
    return ModelCard(
        id=name,
        digest="sha256:" + digit * 64,
        title="Tiny",
        architecture="script",
        input=InputSpec(mode="grey", height=SIDE, width=SIDE),
        labels=LABELS,
    )


def worker_card(*models: ModelCard, name: str = "scripted", menu: str | None = None) -> WorkerCard:
    """A worker as it announces itself."""
    digest = menu or load_catalogue().digest
    return WorkerCard(
        id=name,
        host="here",
        pid=1,
        device="script",
        catalogue_digest=digest,
        models=models or (model_card(),),
    )


def relevance(target: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """The map `(SIDE, SIDE)` that a script answers for a class; signed, and different for each."""
    values = np.linspace(-1, 2, SIDE * SIDE, dtype=np.float32) * np.float32(target + 1)
    return values.reshape(SIDE, SIDE)


def changed_image() -> np.ndarray[tuple[int, int, int], np.dtype[np.float32]]:
    """The picture `(3, SIDE, SIDE)` that a script answers beside each map; a little of it is beyond white."""
    return np.linspace(0, 1.1, 3 * SIDE * SIDE, dtype=np.float32).reshape(3, SIDE, SIDE)


def result_of(job: Job) -> tuple[Result, Maps]:
    """What the script answers to a job."""
    targets = job.targets or (PREDICTED,)
    found = tuple(
        TargetResult(
            index=target,
            label=LABELS[target],
            score=0.5,
            logit=1.0,
            rank=1 if target == PREDICTED else 2,
            map=MapInfo(
                height=SIDE,
                width=SIDE,
                min=float(relevance(target).min()),
                max=float(relevance(target).max()),
                native_grid=(SIDE, SIDE),
                box=Box(x0=0, y0=0, x1=job.image.width, y1=job.image.height),
            ),
            parts=(
                PartInfo(name="error", kind=PartKind.MAP, shape=(SIDE, SIDE), min=0, max=1),
                PartInfo(name="changed-image", kind=PartKind.IMAGE, shape=(3, SIDE, SIDE), min=0, max=1.1),
            ),
        )
        for target in targets
    )
    result = Result(
        id=job.id,
        predictions=(Prediction(index=PREDICTED, label=LABELS[PREDICTED], score=0.5, logit=1.0),),
        targets=found,
        trust=Trust(targets=tuple(_trust(job, target) for target in found)),
        provenance=Provenance(
            image=job.image.digest,
            reference=job.reference.digest if job.reference else None,
            mask=job.mask.digest if job.mask else None,
            seed=job.seed,
        ),
    )
    arrays = ((None, relevance), ("error", lambda target: relevance(target) ** 2))
    maps = {map_name(target, part): values(target).tobytes() for target in targets for part, values in arrays}
    return result, maps | {map_name(target, "changed-image"): changed_image().tobytes() for target in targets}


def _trust(job: Job, target: TargetResult) -> TargetTrust:
    """What the script has measured of a map, if it was asked to."""
    cards = load_catalogue()
    measured = [
        Measurement(
            metric=metric.name,
            version=metric.version,
            params=metric.params,
            higher_is_better=card.higher_is_better,
            value=FIGURE,
            random=0.5,
        )
        for metric in job.metrics
        if (card := cards.metric(metric.name))
    ]
    return TargetTrust(
        index=target.index,
        label=target.label,
        score=target.score,
        rank=target.rank,
        is_predicted=target.index == PREDICTED,
        native_grid=(SIDE, SIDE),
        measurements=tuple(measured),
    )


def draft_of(job: Job, samples: int) -> tuple[Draft, Maps]:
    """What the script has found so far: a map of the number of its samples."""
    found = tuple(
        target.model_copy(update={"parts": (), "map": target.map.model_copy(update={"samples": samples})})
        for target in result_of(job)[0].targets
    )
    values = np.full((SIDE, SIDE), samples, np.float32).tobytes()
    return Draft(id=job.id, targets=found), {map_name(target.index): values for target in found}


@dataclass
class ScriptedWorker:
    """Claims and commits through the real queue; `failure` fails every job, `hold` keeps it running."""

    queue: JobQueue
    registry: Registry
    card: WorkerCard = field(default_factory=worker_card)
    failure: Failure | None = None
    hold: asyncio.Event | None = None
    script: SurveyScript = field(default_factory=SurveyScript)
    seen: list[Job] = field(default_factory=list)
    held: list[Claim] = field(default_factory=list)
    stopping: bool = False

    async def run(self) -> None:
        """Work until told to stop; a cancellation alone may get lost in a client's `wait_for`."""
        models = [model.ref for model in self.card.models]
        announced = 0.0
        while not self.stopping:
            if monotonic() - announced > HEARTBEAT_SECONDS:
                await self.registry.announce(self.card)
                announced = monotonic()
            claims = await self.queue.claim(self.card.id, models, count=16, block_seconds=1.0)
            claims = await self.queue.start(claims)
            for claim in claims:
                await self._answer(claim)

    async def stop(self, task: asyncio.Task[None]) -> None:
        """End a task of `run`."""
        self.stopping = True
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def _answer(self, claim: Claim) -> None:
        self.seen.append(claim.job)
        hold = self.hold  # the test may let go at any moment
        if hold is not None:
            self.held.append(claim)
            await self.queue.report(claim, 0.5)
            await hold.wait()
        if self.failure is not None:
            await self.queue.fail(claim, self.failure, dead_letter=False)
        else:
            await self.queue.commit([(claim, *self._found(claim.job))])

    def _found(self, job: Job) -> tuple[Result, Maps]:
        return (self.script.result(job), {}) if job.survey else result_of(job)


@dataclass
class Stage:
    """The running API, a client of it, its worker, and the settings that they were made of."""

    app: FastAPI
    client: httpx.AsyncClient
    worker: ScriptedWorker
    settings: ApiSettings

    async def post(self, *, image: bytes | None = None, wait: int = 10, **fields: object) -> httpx.Response:
        """A multipart post of a small picture."""
        return await self.client.post(
            EXPLANATIONS,
            files={"image": ("x.png", image or png())},
            data={**FORM, **fields},
            headers={"Prefer": f"wait={wait}"} if wait else {},
        )

    async def done(self, **fields: object) -> str:
        """The id of an explanation that is finished."""
        response = await self.post(**fields)  # type: ignore[arg-type]  # the fields of a form
        assert response.status_code == 200, response.text
        name: str = response.json()["id"]
        return name


@asynccontextmanager
async def staged(
    redis_url: str,
    keys: Keys,
    folder: Path,
    *,
    work: bool = True,
    announce: bool = True,
    **options: object,
) -> AsyncIterator[Stage]:
    """Start the API and its worker; with `work` False the worker is announced but does nothing.

    Without `announce` it is not even that, so that no Redis is needed.
    """
    settings = ApiSettings.model_validate(
        {
            "redis_url": redis_url,
            "namespace": keys.namespace,
            "secret": "not a secret at all, but long enough",
            "data_dir": folder,
            "decoder_processes": 1,
            "sanity_checks": False,  # the jobs that a test sees are its own
            "redis_seconds": 10,  # client, API and worker share one loop here, and the machine with others
            **options,
        }
    )
    app = create_app(settings)
    async with app.router.lifespan_context(app), connect(redis_url) as redis:
        worker = ScriptedWorker(JobQueue(redis, keys), Registry(redis, keys))
        if announce:
            await worker.registry.announce(worker.card)
        task = asyncio.create_task(worker.run()) if work else None
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield Stage(app, client, worker, settings)
        if task is not None:
            await worker.stop(task)


def bearer(keys_file: Path, tenant: str, scope: Scope = Scope.TENANT) -> dict[str, str]:
    """The header of a new key of a tenant."""
    return {"Authorization": f"Bearer {create_key(keys_file, name=tenant, tenant=tenant, scope=scope)}"}
