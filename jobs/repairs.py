"""The repairs of each tenant: they are kept until their tenant erases them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from pydantic import Field, TypeAdapter, ValidationError
from redis.asyncio import Redis

from jobs import moves
from jobs.connection import reachable
from jobs.errors import TenantFull, Unreadable
from jobs.job import Message, ModelRef
from jobs.keys import Keys
from jobs.lua import run
from jobs.repair import ModelCuts, WeightCut

RETRY_SECONDS = 60
CUTS = TypeAdapter(tuple[WeightCut, ...])


class RepairRecord(Message):
    """What is known of a repair besides what it cuts; neither of the models has any cuts with it."""

    id: str
    model: ModelRef = Field(description="What the base becomes.")
    base: ModelRef
    title: str
    analysis: str | None = Field(None, description="Id of the analysis that it comes from.")
    share: float | None = Field(None, description="Of the distracting paths, which the analysis blocked.")
    weights: int = Field(description="Weights of which it cuts something.")
    numbers: int = Field(description="Zeros that it sets; those of one place in several cuts count again.")


@dataclass(frozen=True)
class KeptRepair:
    """A repair as it is kept; `created_at` is in seconds since 1970 by the clock of Redis."""

    record: RepairRecord
    created_at: float


class Repairs:
    """The repairs of one deployment. Every method raises `Unavailable` while Redis is out of reach."""

    def __init__(self, redis: Redis, keys: Keys, most: int) -> None:
        """A tenant may have `most` of them."""
        self._redis, self._keys, self._most = redis, keys, most

    async def keep(self, tenant: str, record: RepairRecord, cuts: tuple[WeightCut, ...]) -> bool:
        """Keep a repair; False when the equal one was there, which stays as it is. Raises `TenantFull`."""
        words = record.id, record.model_dump_json(), CUTS.dump_json(cuts).decode()
        with reachable():
            verdict = await run(self._redis, moves.keep_repair(self._keys, tenant, words, self._most))
        if verdict == b"full":
            message = f"You have {self._most} repaired models, as many as you may: erase one."
            raise TenantFull(message, retry_after=RETRY_SECONDS)
        return bool(verdict == b"created")

    async def get(self, tenant: str, repair_id: str) -> tuple[KeptRepair, ModelCuts] | None:
        """A repair with what it cuts; None when the tenant has none of this id. Raises `Unreadable`."""
        with reachable():
            async with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.hget(self._keys.repairs(tenant), repair_id)
                pipeline.hget(self._keys.repair_cuts(tenant), repair_id)
                content, cuts = await pipeline.execute()
        if content is None or cuts is None:
            return None
        kept = _kept(content)
        return kept, ModelCuts(base=kept.record.base.digest, cuts=CUTS.validate_json(cuts))

    async def all(self, tenant: str) -> list[KeptRepair]:
        """The repairs of a tenant, the oldest first. Raises `Unreadable`."""
        with reachable():
            contents = cast(list[bytes], await self._redis.hvals(self._keys.repairs(tenant)))
        return sorted(map(_kept, contents), key=lambda kept: (kept.created_at, kept.record.id))

    async def erase(self, tenant: str, repair_id: str) -> bool:
        """Forget a repair; False when there is none."""
        with reachable():
            async with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.hdel(self._keys.repairs(tenant), repair_id)
                pipeline.hdel(self._keys.repair_cuts(tenant), repair_id)
                erased, _ = await pipeline.execute()
        return bool(erased)


def _kept(content: bytes) -> KeptRepair:
    time, _, record = content.partition(b" ")
    try:
        return KeptRepair(RepairRecord.model_validate_json(record), float(time))
    except ValidationError as error:
        raise Unreadable("This repair was written by another version of the service.") from error
