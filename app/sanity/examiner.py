"""Finds out about each pair of a model and a method once, in the background, and knows the answers."""

from __future__ import annotations

import asyncio
import logging
from time import monotonic

from redis.exceptions import RedisError

from app.menu import Menu
from app.sanity.inquiry import IMAGES, PATIENCE_SECONDS, Inquiry
from app.sanity.verdict import CHECKS, pair_trust
from jobs.catalogue import MethodCard, MetricCard
from jobs.ending import end_all
from jobs.errors import Busy
from jobs.job import Job, MethodRef, ModelRef
from jobs.sanity import SanityRecords
from jobs.trust import PairTrust

AGAIN_SECONDS = 60.0  # until one that could not be found out may be asked again

_logger = logging.getLogger(__name__)

Pair = tuple[str, str]  # the model's digest, and what is asked


class Examiner:
    """Nothing is known of a pair at first; what is known is the same for everybody from then on.

    Methods that are not cheap are not examined. With `enabled` False none is.
    """

    def __init__(self, records: SanityRecords, inquiry: Inquiry, menu: Menu, *, enabled: bool) -> None:
        self._records, self._inquiry, self._menu = records, inquiry, menu
        self._cards = [card for name in CHECKS if (card := menu.catalogue.metric(name))] if enabled else []
        self._known: dict[Pair, PairTrust] = {}
        self._next: dict[Pair, float] = {}
        self._errands: set[asyncio.Task[None]] = set()

    def examine(self, job: Job) -> None:
        """Begin to find out about the pair of a job, unless that is known, under way or too costly."""
        question = self._question(job.method)
        if question is None or (job.model.digest, question) in self._known:
            return
        pair, now = (job.model.digest, question), monotonic()
        if now >= self._next.get(pair, now):
            self._next[pair] = now + PATIENCE_SECONDS
            errand = asyncio.create_task(self._find_out(job.model, job.method.name, question), name="sanity")
            self._errands.add(errand)
            errand.add_done_callback(self._errands.discard)

    async def known(self, job: Job) -> PairTrust | None:
        """What is known of the pair of a job. Raises `Unavailable` while Redis is away."""
        question = self._question(job.method)
        return None if question is None else await self._recall(job.model, question)

    async def stop(self) -> None:
        """End what is under way; its jobs go on, and are found by who asks next."""
        await end_all(list(self._errands))

    def _question(self, method: MethodRef) -> str | None:
        """What is asked of a method with its default parameters, in all that the answer depends on."""
        card = self._menu.catalogue.method(method.name)
        if not self._cards or card is None or not card.is_cheap or card.version != method.version:
            return None
        asked: list[MethodCard | MetricCard] = [card, *self._cards]
        return f"{' '.join(f'{one.name}@{one.version}' for one in asked)} over {IMAGES}"

    async def _recall(self, model: ModelRef, question: str) -> PairTrust | None:
        pair = (model.digest, question)
        if pair not in self._known:
            found = await self._records.get(model, question)
            if found is None:
                return None
            self._known[pair] = found
        return self._known[pair]

    async def _find_out(self, model: ModelRef, method: str, question: str) -> None:
        try:
            if await self._recall(model, question) is None:
                await self._ask(model, method, question)
        except (Busy, RedisError, OSError):
            _logger.info("%s on %s cannot be examined just now", method, model.own_key)
        except Exception:
            _logger.exception("examining %s on %s broke off", method, model.own_key)
        finally:
            self._next[model.digest, question] = monotonic() + AGAIN_SECONDS

    async def _ask(self, model: ModelRef, method: str, question: str) -> None:
        served = await self._menu.model_of(model)
        if served is None:
            return
        results = await self._inquiry.results(served.card, {"method": method, "metrics": list(CHECKS)})
        if results:
            await self._records.keep(model, question, pair_trust(method, self._cards, results))
        await self._recall(model, question)
