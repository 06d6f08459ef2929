"""Image sets in Redis: kept with their pixels, shared with jobs, erased when nobody uses them any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from redis.asyncio import Redis

from jobs.errors import Unavailable
from jobs.image_sets import ERASED_TOGETHER, ImageSets
from jobs.job import ImageRef
from jobs.keys import Keys, Lifetimes
from jobs.pictures import ImageSet, SetPicture
from jobs.queue import JobQueue
from tests.samples import PIXELS, sample_job

Erase = Callable[[], Awaitable[bool]]


@pytest.fixture
def sets(redis: Redis, keys: Keys) -> ImageSets:
    return ImageSets(redis, keys)


def ref(key: str) -> ImageRef:
    return ImageRef(key=key, digest=f"sha256:{key}", height=8, width=8, channels=1, dtype="uint8")


def image_set(*images: str, mask: str | None = None, name: str = "s", tenant: str = "clinic") -> ImageSet:
    pictures = [
        SetPicture(name=f"{image}.png", image=ref(image), mask=ref(mask) if mask else None)
        for image in images
    ]
    return ImageSet(id=name, tenant=tenant, pictures=tuple(pictures))


def pixels(*images: str) -> dict[str, bytes]:
    return dict.fromkeys(images, PIXELS)


async def stored(redis: Redis, keys: Keys) -> set[str]:
    """What is left of images, their users and sets."""
    names = [name async for name in redis.scan_iter(match=f"{{{keys.namespace}}}:image*")]
    return {name.decode().partition("}:")[2] for name in names}


async def test_a_set_is_kept_once_with_all_its_pixels(sets: ImageSets, redis: Redis, keys: Keys) -> None:
    kept = image_set("a", "b", mask="m")
    assert await sets.keep(kept, pixels("a", "b", "m"))
    assert not await sets.keep(kept, pixels("a", "b", "m"))
    record = await sets.record("clinic", "s")
    assert record is not None
    assert record.image_set == kept
    assert await sets.record("other", "s") is None
    for name in ("a", "b", "m"):
        assert await redis.get(keys.image(name)) == PIXELS
        assert await redis.smembers(keys.image_users(name)) == {b"set:s"}
    for name in (keys.image("a"), keys.image_users("m"), keys.image_set("s")):
        assert await redis.ttl(name) > keys.lifetimes.result - 60


async def test_erasing_leaves_nothing_and_is_for_its_tenant_alone(
    sets: ImageSets, redis: Redis, keys: Keys
) -> None:
    names = [f"i{number}" for number in range(2 * ERASED_TOGETHER + 1)]
    await sets.keep(image_set(*names), pixels(*names))
    assert not await sets.erase("other", "s")
    assert len(await stored(redis, keys)) == 2 * len(names) + 1
    assert await sets.erase("clinic", "s")
    assert await stored(redis, keys) == set()
    assert not await sets.erase("clinic", "s")


@pytest.mark.parametrize("first", ["job", "set"])
async def test_pixels_stay_until_the_last_of_a_set_and_a_job_is_erased(
    sets: ImageSets, queue: JobQueue, redis: Redis, keys: Keys, first: str
) -> None:
    job = sample_job(image="a", job_id="j")
    await sets.keep(image_set("a", "b"), pixels("a", "b"))
    await queue.submit(job, None)
    erase: dict[str, Erase] = {
        "job": lambda: queue.erase(job.tenant, job.id),
        "set": lambda: sets.erase("clinic", "s"),
    }
    assert await erase.pop(first)()
    left = {"image:a", "image-users:a"}
    if first == "job":
        left |= {"image:b", "image-users:b", "image-set:s"}
    assert await stored(redis, keys) == left
    assert await redis.get(keys.image("a")) == PIXELS
    [last] = erase.values()
    assert await last()
    assert await stored(redis, keys) == set()


async def test_two_sets_share_an_image(sets: ImageSets, redis: Redis, keys: Keys) -> None:
    await sets.keep(image_set("a", "b", name="one"), pixels("a", "b"))
    await sets.keep(image_set("b", "c", name="two"), pixels("c"))  # what is stored need not be sent
    await sets.erase("clinic", "one")
    assert await redis.mget([keys.image(name) for name in "abc"]) == [None, PIXELS, PIXELS]


async def test_users_that_expired_hold_nothing(sets: ImageSets, redis: Redis, keys: Keys) -> None:
    await sets.keep(image_set("a"), pixels("a"))
    await redis.sadd(keys.image_users("a"), "a-job-of-yesterday", "set:of-yesterday")
    await sets.erase("clinic", "s")
    assert await stored(redis, keys) == set()


async def test_an_erasure_that_was_cut_off_is_repeated(sets: ImageSets, redis: Redis, keys: Keys) -> None:
    await sets.keep(image_set("a", "b"), pixels("a", "b"))
    await redis.delete(keys.image("a"), keys.image_users("a"))
    assert await sets.erase("clinic", "s")
    assert await stored(redis, keys) == set()


async def test_a_set_that_is_posted_while_it_is_erased_is_whole_or_gone(
    sets: ImageSets, redis: Redis, keys: Keys
) -> None:
    names = [f"i{number}" for number in range(2 * ERASED_TOGETHER)]
    kept = image_set(*names)
    for _ in range(10):
        await sets.keep(kept, pixels(*names))
        await asyncio.gather(sets.erase("clinic", "s"), sets.keep(kept, pixels(*names)))
        left = await stored(redis, keys)
        assert len(left) in {0, 2 * len(names) + 1}
        await sets.erase("clinic", "s")


async def test_pixels_of_a_set_that_was_never_accepted_are_soon_gone(
    sets: ImageSets, redis: Redis, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = image_set("a", "b")

    async def cut(*_: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr("jobs.image_sets.run", cut)
        with pytest.raises(Unavailable):
            await sets.keep(kept, pixels("a", "b"))
    assert await stored(redis, keys) == {"image:a", "image:b"}
    assert await redis.ttl(keys.image("a")) <= keys.lifetimes.reserved
    assert await sets.keep(kept, pixels("a", "b"))
    assert await redis.ttl(keys.image("a")) > keys.lifetimes.result - 60


async def test_using_a_set_renews_it(redis: Redis, keys: Keys) -> None:
    short = ImageSets(redis, Keys(keys.namespace, Lifetimes(result=100)))
    long = ImageSets(redis, keys)
    kept = image_set("a", mask="m")
    await short.keep(kept, pixels("a", "m"))
    assert await long.renew(kept)
    for name in (keys.image_set("s"), keys.image("a"), keys.image_users("m")):
        assert await redis.ttl(name) > 1000
    await long.erase("clinic", "s")
    assert not await long.renew(kept)
