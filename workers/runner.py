"""From jobs to answers on one device: models are fetched, batches or surveys run, outcomes put into words."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from typing import Any

import torch

from jobs.catalogue import ModelCard
from jobs.errors import Failure, JobFailed, OutOfMemory
from jobs.fingerprint import survey_digest
from jobs.job import Job, Opened
from jobs.result import Maps, Outcome, Provenance, Result, Timings
from jobs.trust import Trust
from workers.declare import Method
from workers.gathering import Survey
from workers.library import Library
from workers.memory import Meter
from workers.methods import METHODS
from workers.models.repository import Model, Repository
from workers.onlooker import Onlooker
from workers.runs import Explained, Run
from workers.surveying import Surveyor
from workers.surveys import SURVEYS

CHUNK_ROWS = 32
CPU_CHUNK_ROWS = 8  # what they leave behind stays in the caches: RISE is a third faster than with 32
TOP = 5  # predictions that a result lists
VERSIONS = {
    "rationale": version("rationale"),
    "torch": str(torch.__version__),
    "python": platform.python_version(),
}


@dataclass(frozen=True)
class Answer:
    """How one job ended, and its maps with what stands beside them."""

    outcome: Outcome
    maps: Maps = field(default_factory=dict)


class Runner:
    """Explains batches of jobs that share a model, on one device, and answers surveys, each a batch of one.

    Each job is answered exactly once; what fails for one does not fail its mates. What passes through is
    `Interrupted`, which abandons the batch, and an error of the device itself, after which it is of no use.
    """

    def __init__(
        self,
        repository: Repository,
        device: str = "auto",
        *,
        chunk_rows: int = 0,
        methods: Mapping[str, Method[Any]] = METHODS,  # Any: each has parameters of its own
        surveys: Mapping[str, Survey[Any]] = SURVEYS,  # Any: see above
    ) -> None:
        """`device` is a name of torch's, or `auto`: a GPU if there is one.

        At most `chunk_rows` changed images go through a network at once; 0 means as many as suit the device.
        """
        self.device = choose_device(device)
        self._meter = Meter(self.device)
        self._library = Library(repository, self.device)
        self._chunk_rows = chunk_rows or (CPU_CHUNK_ROWS if self.device == "cpu" else CHUNK_ROWS)
        self._methods = methods
        self._surveyor = Surveyor(self._library, surveys, self._chunk_rows)

    def cards(self) -> tuple[ModelCard, ...]:
        """The models that can be asked for."""
        return self._library.cards()

    def run(self, batch: Sequence[Opened], onlooker: Onlooker) -> list[Answer]:
        """The answers in the order of the batch.

        A batch that does not fit into the device's memory is run in parts.
        """
        model = self._library.get(batch[0].job.model)
        if isinstance(model, JobFailed):
            return [_failed(one.job, model) for one in batch]
        footprint = self._meter.begin()
        run = self._survey if batch[0].job.survey else self._run_in_parts
        answers, largest = run(model, batch, onlooker)
        onlooker.measured(footprint(largest))
        return answers

    def _survey(self, model: Model, batch: Sequence[Opened], onlooker: Onlooker) -> tuple[list[Answer], int]:
        """The answer to the one survey of a batch, and how many had one: what failed tells of no time."""
        [opened] = batch
        job, started = opened.job, onlooker.spent()
        with torch.no_grad():
            findings = self._surveyor.survey(model, opened, onlooker)
        if isinstance(findings, JobFailed):
            return [_failed(job, findings)], 0
        result = Result(
            id=job.id,
            predictions=(),
            targets=(),
            timings=Timings(compute_s=onlooker.spent() - started),
            provenance=self._provenance(job, survey_digest(job.survey), model),
            findings=dict(findings),
        )
        return [Answer(Outcome(id=job.id, result=result))], 1

    def _run_in_parts(
        self, model: Model, batch: Sequence[Opened], onlooker: Onlooker
    ) -> tuple[list[Answer], int]:
        """The answers, and how many jobs ran together at most.

        Parts are halved until they fit. For a job that does not fit alone another model is let go, once;
        after one that never fits the rest is tried as a whole again.
        """
        answers: list[Answer] = []
        most, largest, let_go = len(batch), 0, False
        while len(answers) < len(batch):
            part = batch[len(answers) :][:most]
            ended = self._library.within_memory(partial(self._run_together, model, part, onlooker))
            if not isinstance(ended, OutOfMemory):
                answers += ended
                largest = max(largest, len(part))
            elif len(part) > 1:
                most = len(part) // 2
            elif not let_go and self._library.let_another_go(part[0].job.model):
                let_go = True
            else:
                answers.append(_failed(part[0].job, ended))
                most = len(batch)
        return answers, largest

    def _run_together(self, model: Model, batch: Sequence[Opened], onlooker: Onlooker) -> list[Answer]:
        started = onlooker.spent()
        run = Run(model, batch, methods=self._methods, library=self._library, chunk_rows=self._chunk_rows)
        with torch.no_grad():  # the probe switches gradients on where it needs them
            ended = run.explain(onlooker)
        compute_s = (onlooker.spent() - started) / len(batch)
        return [
            _failed(one.job, end)
            if isinstance(end, JobFailed)
            else self._answered(one.job, end, compute_s, len(batch), model)
            for one, end in zip(batch, ended, strict=True)
        ]

    def _answered(
        self, job: Job, explained: Explained, compute_s: float, batch_size: int, model: Model
    ) -> Answer:
        result = Result(
            id=job.id,
            predictions=explained.ranking.top(TOP),
            targets=explained.targets,
            trust=Trust(
                intended_use=model.card.intended_use,
                validated_for=model.card.validated_for,
                targets=explained.trusts,
            ),
            timings=Timings(compute_s=compute_s),
            provenance=self._provenance(
                job,
                job.image.digest,
                model,
                reference=job.reference.digest if job.reference else None,
                mask=job.mask.digest if job.mask else None,
                preprocessing=explained.preprocessing,
                batch_size=batch_size,
            ),
        )
        return Answer(Outcome(id=job.id, result=result), explained.maps)

    # Any: what else is known of how an answer came about.
    def _provenance(self, job: Job, image: str, model: Model, **words: Any) -> Provenance:
        return Provenance(
            image=image,
            base=job.model.repair.base if job.model.repair else None,
            seed=job.seed,
            device=device_name(self.device),
            dtype=model.dtype,
            versions=VERSIONS,
            **words,
        )


def choose_device(device: str) -> str:
    """A name of torch's; `auto` is the first GPU if there is one, else the CPU."""
    if device != "auto":
        return str(torch.device(device))
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def device_name(device: str) -> str:
    """The device with its maker's name, for people."""
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.startswith("cuda") else device


def _failed(job: Job, error: JobFailed) -> Answer:
    return Answer(Outcome(id=job.id, failure=Failure.of(error)))
