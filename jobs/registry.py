"""Who is there: workers announce themselves and their models with a heartbeat, the HTTP room lists them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

from pydantic import ValidationError
from redis.asyncio import Redis

from jobs.catalogue import ModelCard, WorkerCard
from jobs.connection import reachable
from jobs.job import Message
from jobs.keys import Keys
from jobs.lua import Call, load, run
from jobs.repairs import KeptRepair

C = TypeVar("C", bound=Message)


@dataclass(frozen=True)
class ServedModel:
    """A model that was announced; with 0 workers it is known, but nobody serves it now.

    A repair of one is served by whoever serves its base.
    """

    card: ModelCard
    workers: int
    repair: KeptRepair | None = None


class Registry:
    """The announcements in Redis. Raises `Unavailable` while Redis is out of reach."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self.redis = redis
        self.keys = keys

    async def announce(self, card: WorkerCard) -> None:
        """Say that a worker lives and what it serves; forgotten after `Lifetimes.heartbeat` seconds."""
        models = {model.ref.key: model for model in card.models}
        touched = (self.keys.worker(card.id), self.keys.workers, self.keys.models)
        lifetimes = (self.keys.lifetimes.heartbeat, self.keys.lifetimes.seen)
        flat = [word for name, model in models.items() for word in (name, model.model_dump_json())]
        call = Call(
            load("announce"),
            (*touched, *(self.keys.model(name) for name in models)),
            (card.id, card.model_dump_json(), *lifetimes, *flat),
        )
        with reachable():
            await run(self.redis, call)

    async def retire(self, worker_id: str) -> None:
        """Say that a worker has ended; its models stay known for `Lifetimes.seen` seconds."""
        with reachable():
            async with self.redis.pipeline(transaction=False) as pipeline:
                pipeline.delete(self.keys.worker(worker_id))
                pipeline.zrem(self.keys.workers, worker_id)
                await pipeline.execute()

    async def workers(self) -> tuple[WorkerCard, ...]:
        """The workers that live, by id; one of another version that cannot be read is left out."""
        with reachable():
            names = await self._names(self.keys.workers)
            cards = await self._cards(WorkerCard, [self.keys.worker(name) for name in names])
        return tuple(sorted((card for card in cards if card is not None), key=lambda card: card.id))

    async def models(self) -> tuple[ServedModel, ...]:
        """Every known model by id: of several digests the newest that is served, else the newest."""
        serving = Counter(model.ref for worker in await self.workers() for model in worker.models)
        with reachable():
            names = await self._names(self.keys.models)
            cards = await self._cards(ModelCard, [self.keys.model(name) for name in names])
        newest: dict[str, ServedModel] = {}
        for card in cards:  # oldest first
            if card is None:
                continue
            known = newest.get(card.id)
            served = ServedModel(card, serving[card.ref])
            if known is None or served.workers or not known.workers:
                newest[card.id] = served
        return tuple(newest[name] for name in sorted(newest))

    async def _names(self, key: str) -> list[str]:
        return [name.decode() for name in cast(list[bytes], await self.redis.zrange(key, 0, -1))]

    async def _cards(self, kind: type[C], keys: Sequence[str]) -> list[C | None]:
        if not keys:
            return []
        answers = cast(list[bytes | None], await self.redis.mget(keys))
        return [_card(kind, answer) for answer in answers]


def _card(kind: type[C], answer: bytes | None) -> C | None:
    if answer is None:
        return None
    try:
        return kind.model_validate_json(answer)
    except ValidationError:
        return None
