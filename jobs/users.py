"""Who uses an image: jobs and image sets. Its pixels are kept until the last of them is erased."""

from __future__ import annotations

from collections.abc import Sequence

from redis.asyncio import Redis

from jobs.keys import SET, Keys


def set_user(set_id: str) -> str:
    """The name of an image set among the users of an image; that of a job is its id."""
    return f"{SET}:{set_id}"


async def mates_of(redis: Redis, keys: Keys, images: Sequence[str], user: str) -> dict[str, list[str]]:
    """The other users of images, in one round trip; those that are gone may be among them."""
    async with redis.pipeline(transaction=False) as pipeline:
        for image in images:
            pipeline.smembers(keys.image_users(image))
        answers = await pipeline.execute()
    return {
        image: sorted({member.decode() for member in members} - {user})
        for image, members in zip(images, answers, strict=True)
    }
