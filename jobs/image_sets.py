"""Image sets: pictures of a tenant that were sent once, to be asked about many times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from pydantic import ValidationError
from redis.asyncio import Redis

from jobs import moves
from jobs.connection import reachable
from jobs.errors import Unavailable, Unreadable
from jobs.keys import Keys
from jobs.lua import run, run_all
from jobs.pictures import ImageSet
from jobs.users import mates_of, set_user

MOST_TRIES = 3
SEND_BYTES = 4 * 2**20  # pixels in one round trip
ERASED_TOGETHER = 50  # images; each may have many users


@dataclass(frozen=True)
class ImageSetRecord:
    """A set that is kept; times are seconds since 1970 by the clock of Redis."""

    image_set: ImageSet
    created_at: float
    expires_at: float


class ImageSets:
    """The image sets of one deployment. Raises `Unavailable` while Redis is out of reach."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self.redis = redis
        self.keys = keys

    async def keep(self, image_set: ImageSet, pixels: Mapping[str, bytes]) -> bool:
        """Keep a set, with its pixels by image, for as long as results live; False when it was there already.

        Pixels that are stored do not travel again. Those of a set that is not accepted in the end are soon
        gone.
        """
        with reachable():
            for _ in range(MOST_TRIES):
                await self._send(image_set.images, pixels)
                verdict = await run(self.redis, moves.keep_set(self.keys, image_set))
                if verdict != b"no-image":
                    return bool(verdict == b"created")
        raise Unavailable("Images of this set are being erased; try again shortly.", retry_after=1)

    async def record(self, tenant: str, set_id: str) -> ImageSetRecord | None:
        """A tenant's set; None when there is none. Raises `Unreadable` for one of another version."""
        with reachable():
            fields = cast(dict[bytes, bytes], await self.redis.hgetall(self.keys.image_set(set_id)))
        if fields.get(b"tenant") != tenant.encode():
            return None
        try:
            image_set = ImageSet.model_validate_json(fields[b"set"])
        except ValidationError as error:
            raise Unreadable("This image set was written by another version of the service.") from error
        expires_at = float(fields[b"renewed_at"]) + self.keys.lifetimes.result
        return ImageSetRecord(image_set, float(fields[b"created_at"]), expires_at)

    async def renew(self, image_set: ImageSet) -> bool:
        """Let a set and its images live on as if it was posted now; False when it is gone."""
        with reachable():
            return bool(await run(self.redis, moves.renew_set(self.keys, image_set)))

    async def erase(self, tenant: str, set_id: str) -> bool:
        """Remove a set and those of its images that nobody else uses; False when there is none.

        Cut off on the way it can be repeated. A set that is posted again meanwhile stays as it is.
        """
        record = await self.record(tenant, set_id)
        if record is None:
            return False
        with reachable():
            posts = cast(bytes | None, await self.redis.hget(self.keys.image_set(set_id), "posts"))
            calls = []
            for images in _chunks(record.image_set.images, ERASED_TOGETHER):
                mates = await mates_of(self.redis, self.keys, images, set_user(set_id))
                calls.append(moves.leave_set(self.keys, set_id, posts or b"", mates))
            await run_all(self.redis, [*calls, moves.drop_set(self.keys, set_id, posts or b"")])
        return True

    async def _send(self, images: Sequence[str], pixels: Mapping[str, bytes]) -> None:
        """Store what is not stored yet, for a while: the script that keeps the set lengthens its life."""
        async with self.redis.pipeline(transaction=False) as pipeline:
            for image in images:
                pipeline.exists(self.keys.image(image))
            known = await pipeline.execute()
        missing = [image for image, is_known in zip(images, known, strict=True) if not is_known]
        for group in _groups(missing, pixels):
            async with self.redis.pipeline(transaction=False) as pipeline:
                for image in group:
                    name, seconds = self.keys.image(image), self.keys.lifetimes.reserved
                    pipeline.set(name, pixels[image], nx=True, ex=seconds)
                await pipeline.execute()


def _groups(images: Sequence[str], pixels: Mapping[str, bytes]) -> Iterator[list[str]]:
    """Images with about `SEND_BYTES` of pixels together, or one alone."""
    group: list[str] = []
    size = 0
    for image in images:
        if group and size + len(pixels[image]) > SEND_BYTES:
            yield group
            group, size = [], 0
        group.append(image)
        size += len(pixels[image])
    if group:
        yield group


def _chunks(images: Sequence[str], most: int) -> Iterator[Sequence[str]]:
    return (images[start : start + most] for start in range(0, len(images), most))
