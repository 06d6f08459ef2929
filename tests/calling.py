"""The API with a key whose webhooks may go to a receiver."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from app.access import create_key, find_key
from jobs.keys import Keys
from tests.api import Stage, staged
from tests.receiver import Received, Receiver
from tests.waiting import wait_until_async


@asynccontextmanager
async def calling(
    redis_url: str, keys: Keys, folder: Path, receiver: Receiver, *, work: bool = True
) -> AsyncIterator[tuple[Stage, str]]:
    """The API with a key whose webhooks may go to the receiver, and that key's id."""
    keys_file = folder / "keys.json"
    token = create_key(keys_file, name="x", tenant="clinic", webhook_hosts=[receiver.place])
    async with staged(
        redis_url,
        keys,
        folder,
        work=work,
        keys_file=keys_file,
        webhook_private_addresses=True,
        webhook_ca_file=receiver.write_authority(folder / "authority.pem"),
    ) as stage:
        stage.client.headers["Authorization"] = f"Bearer {token}"
        yield stage, token.split("_")[1]


def secret_of(stage: Stage, key_id: str) -> str:
    """What signs the calls of a key."""
    assert stage.settings.keys_file is not None
    return find_key(stage.settings.keys_file, key_id).webhook_secrets[0].get_secret_value()


async def heard(receiver: Receiver, count: int) -> list[Received]:
    """The calls so far, once there are so many."""
    await wait_until_async(lambda: len(receiver.received) >= count, what=f"{count} calls")
    return receiver.received
