"""The newest causal graph of each class of a tenant's models, for methods and repairs that need one."""

from __future__ import annotations

from typing import cast

from pydantic import ValidationError
from redis.asyncio import Redis

from jobs.causal import CausalGraph
from jobs.connection import reachable
from jobs.job import ModelRef
from jobs.keys import Keys


class Graphs:
    """They live for `Lifetimes.sanity` seconds after their last use. Raises `Unavailable` without Redis."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis, self._keys = redis, keys

    async def keep(self, tenant: str, graph: CausalGraph) -> None:
        """Keep a graph in place of the one that there was of its class."""
        key = self._keys.causal_graphs(tenant, graph.model.key)
        with reachable():
            async with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.hset(key, str(graph.target), graph.model_dump_json())
                pipeline.expire(key, self._keys.lifetimes.sanity)
                await pipeline.execute()

    async def of(self, tenant: str, model: ModelRef, target: int) -> CausalGraph | None:
        """The graph of a class; None when there is none, or none that this version can read."""
        key = self._keys.causal_graphs(tenant, model.key)
        with reachable():
            async with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.hget(key, str(target))
                pipeline.expire(key, self._keys.lifetimes.sanity)
                content, _ = await pipeline.execute()
        return _read(content)

    async def all(self, tenant: str, model: ModelRef) -> dict[int, CausalGraph]:
        """The graphs of all classes that have one, by the index of the class."""
        key = self._keys.causal_graphs(tenant, model.key)
        with reachable():
            async with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.hgetall(key)
                pipeline.expire(key, self._keys.lifetimes.sanity)
                fields, _ = await pipeline.execute()
        graphs = {int(target): _read(content) for target, content in cast(dict[bytes, bytes], fields).items()}
        return {target: graph for target, graph in sorted(graphs.items()) if graph is not None}


def _read(content: bytes | None) -> CausalGraph | None:
    try:
        return None if content is None else CausalGraph.model_validate_json(content)
    except ValidationError:
        return None
