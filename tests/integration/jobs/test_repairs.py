"""Repairs in Redis: kept without an end, each once, by tenant, as many as there may be."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from jobs.errors import TenantFull, Unreadable
from jobs.keys import Keys
from jobs.repair import WeightCut
from jobs.repairs import RepairRecord, Repairs
from tests.samples import repaired_model, sample_model

CUTS = (WeightCut(weight="stem", rows=(0, 2), columns=(1,)),)


@pytest.fixture
def repairs(redis: Redis, keys: Keys) -> Repairs:
    return Repairs(redis, keys, 2)


def record(name: str, title: str = "") -> RepairRecord:
    model = repaired_model(None, *CUTS, repair=name)
    return RepairRecord(
        id=name, model=model.named, base=sample_model(), title=title or name, weights=1, numbers=2
    )


async def names(repairs: Repairs, tenant: str = "clinic") -> list[str]:
    return [kept.record.title for kept in await repairs.all(tenant)]


async def test_a_repair_is_kept_until_it_is_erased(repairs: Repairs, redis: Redis, keys: Keys) -> None:
    assert await repairs.keep("clinic", record("one"), CUTS)
    assert not await repairs.keep("clinic", record("one", "another title"), ())
    found = await repairs.get("clinic", "one")
    assert found is not None
    kept, cuts = found
    assert kept.record == record("one")
    assert (cuts.base, cuts.cuts) == (sample_model().digest, CUTS)
    for key in (keys.repairs("clinic"), keys.repair_cuts("clinic")):
        assert await redis.ttl(key) == -1
    assert await repairs.erase("clinic", "one")
    assert await repairs.get("clinic", "one") is None
    assert not await repairs.erase("clinic", "one")
    assert not await redis.exists(keys.repairs("clinic"), keys.repair_cuts("clinic"))


async def test_a_tenant_has_its_own_the_oldest_first_and_not_too_many(repairs: Repairs) -> None:
    await repairs.keep("clinic", record("b"), CUTS)
    await repairs.keep("clinic", record("a"), CUTS)
    assert await names(repairs) == ["b", "a"]
    with pytest.raises(TenantFull, match="2 repaired models"):
        await repairs.keep("clinic", record("c"), CUTS)
    assert not await repairs.keep("clinic", record("a"), CUTS)
    assert await repairs.keep("other", record("c"), CUTS)
    assert await names(repairs, "other") == ["c"]
    assert await repairs.get("clinic", "c") is None
    assert not await repairs.erase("clinic", "c")
    await repairs.erase("clinic", "b")
    assert await repairs.keep("clinic", record("c"), CUTS)
    assert await names(repairs) == ["a", "c"]


async def test_what_another_version_wrote_is_not_read(repairs: Repairs, redis: Redis, keys: Keys) -> None:
    await redis.hset(keys.repairs("clinic"), "one", b'1.5 {"id": "one"}')
    await redis.hset(keys.repair_cuts("clinic"), "one", b"[]")
    with pytest.raises(Unreadable):
        await repairs.get("clinic", "one")
