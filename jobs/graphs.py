"""The newest causal graph of each class of a tenant's models, for methods and repairs that need one."""

from __future__ import annotations

from typing import TypeVar, cast

from pydantic import BaseModel, ValidationError
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from jobs.causal import CausalGraph
from jobs.connection import reachable
from jobs.excerpts import GraphExcerpt
from jobs.job import ModelRef
from jobs.keys import Keys

Words = TypeVar("Words", bound=BaseModel)


class Graphs:
    """They live for `Lifetimes.sanity` seconds after their last use. Raises `Unavailable` without Redis."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis, self._keys = redis, keys

    async def keep(self, tenant: str, graph: CausalGraph) -> None:
        """Keep a graph in place of the one that there was of its class."""
        key, beside = self._keys_of(tenant, graph.model)
        with reachable():
            async with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.hset(key, str(graph.target), graph.model_dump_json())
                pipeline.hset(beside, str(graph.target), graph.excerpt.model_dump_json())
                self._renew(pipeline, key, beside)
                await pipeline.execute()

    async def of(self, tenant: str, model: ModelRef, target: int) -> CausalGraph | None:
        """The graph of a class; None when there is none, or none that this version can read."""
        key, beside = self._keys_of(tenant, model)
        with reachable():
            async with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.hget(key, str(target))
                self._renew(pipeline, key, beside)
                content, *_ = await pipeline.execute()
        return _read(CausalGraph, content)

    async def all(self, tenant: str, model: ModelRef) -> dict[int, CausalGraph]:
        """The graphs of all classes that have one, by the index of the class."""
        key, beside = self._keys_of(tenant, model)
        return await self._all(CausalGraph, key, renewed=(key, beside))

    async def excerpts(self, tenant: str, model: ModelRef) -> dict[int, GraphExcerpt]:
        """What jobs carry of the graphs of all classes that have one, by the index of the class."""
        key, beside = self._keys_of(tenant, model)
        return await self._all(GraphExcerpt, beside, renewed=(key, beside))

    async def _all(self, kind: type[Words], key: str, *, renewed: tuple[str, str]) -> dict[int, Words]:
        with reachable():
            async with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.hgetall(key)
                self._renew(pipeline, *renewed)
                fields, *_ = await pipeline.execute()
        found = {
            int(target): _read(kind, content) for target, content in cast(dict[bytes, bytes], fields).items()
        }
        return {target: words for target, words in sorted(found.items()) if words is not None}

    def _keys_of(self, tenant: str, model: ModelRef) -> tuple[str, str]:
        """Of the graphs, and of what jobs carry of them: the two live and die together."""
        own = model.own_key
        return self._keys.causal_graphs(tenant, own), self._keys.causal_excerpts(tenant, own)

    def _renew(self, pipeline: Pipeline, *keys: str) -> None:
        for key in keys:
            pipeline.expire(key, self._keys.lifetimes.sanity)


def _read(kind: type[Words], content: bytes | None) -> Words | None:
    try:
        return None if content is None else kind.model_validate_json(content)
    except ValidationError:
        return None
