"""Repairs in Redis: kept without an end, each once, by tenant, as many as there may be."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from jobs.errors import TenantFull, Unreadable
from jobs.keys import Keys
from jobs.queue import JobQueue
from jobs.repair import WeightCut
from jobs.repairs import RepairRecord, Repairs
from tests.integration.jobs.leases import LetLapse
from tests.samples import MAP, PIXELS, repaired_model, sample_job, sample_model, sample_result

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


async def test_a_job_is_taken_over_by_another_holder_of_the_base(
    queue: JobQueue, let_lapse: LetLapse
) -> None:
    base, model = sample_model(), repaired_model(None, *CUTS)
    job = sample_job(model=model)
    await queue.submit(job, PIXELS)
    [lost] = await queue.claim("killed", [base], count=1, block_seconds=0)
    assert await queue.renew([lost]) == frozenset()
    await let_lapse(lost)
    [claim] = await queue.take_over("other", [base], count=1)
    assert claim.job == job
    assert claim.job.model.repair == model.repair
    assert await queue.renew([lost, claim]) == frozenset({job.id})
    assert await queue.start([claim]) == [claim]
    assert await queue.commit([(claim, sample_result(job), {"2": MAP})]) == [True]
    assert await queue.depth([base]) == {base.key: 0}
