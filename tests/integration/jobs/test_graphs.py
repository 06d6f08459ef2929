"""Causal graphs that are kept: the newest of each class, for its tenant and weights, while it is used."""

from __future__ import annotations

from redis.asyncio import Redis

from jobs.graphs import Graphs
from jobs.keys import Keys
from tests.samples import sample_model
from tests.unit.app.analyses.graphs import graph, layer


async def test_the_newest_of_each_class_is_kept_for_its_tenant_and_weights(redis: Redis, keys: Keys) -> None:
    kept = Graphs(redis, keys)
    old, new, other = graph(layer("a", -1)), graph(layer("a", -2)), graph(layer("a", 3), target=0)
    for each in (old, other, new):
        await kept.keep("clinic", each)
    assert await kept.of("clinic", new.model, 2) == new
    assert list((await kept.all("clinic", new.model)).items()) == [(0, other), (2, new)]
    assert await kept.excerpts("clinic", new.model) == {0: other.excerpt, 2: new.excerpt}
    assert await kept.excerpts("other", new.model) == {}
    assert await kept.of("clinic", new.model, 1) is None
    assert await kept.of("other", new.model, 2) is None
    assert await kept.all("clinic", sample_model(weights="v2")) == {}


async def test_using_one_renews_it_and_one_of_another_version_is_none(redis: Redis, keys: Keys) -> None:
    kept, found = Graphs(redis, keys), graph()
    await kept.keep("clinic", found)
    key = keys.causal_graphs("clinic", found.model.key)
    uses = (kept.of("clinic", found.model, 2), kept.all("clinic", found.model))
    for use in (*uses, kept.excerpts("clinic", found.model)):
        for each in (key, keys.causal_excerpts("clinic", found.model.key)):
            await redis.expire(each, 10)
        assert await use
        assert await redis.ttl(key) > 10
        assert await redis.ttl(keys.causal_excerpts("clinic", found.model.key)) > 10
    await redis.hset(key, "3", "{}")
    assert await kept.of("clinic", found.model, 3) is None
    assert await kept.all("clinic", found.model) == {2: found}
