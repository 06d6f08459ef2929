"""Calls arrive in spite of receivers that fail, hang, lie or are away, and go nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
from redis.asyncio import Redis

from app.access import Access, create_key
from app.reading import Reader
from app.telemetry import Telemetry
from app.webhooks.bodies import Messages
from app.webhooks.delivery import Courier
from app.webhooks.pacing import MOST_AT_ONCE, MOST_TRIES
from app.webhooks.sending import Sender
from jobs.analyses import Analyses
from jobs.calls import WebhookCalls
from jobs.job import Job, Terms, Webhook
from jobs.keys import Keys
from jobs.queue import JobQueue
from jobs.store import JobStore
from tests.receiver import Receiver, receiving
from tests.samples import MAP, PIXELS, sample_job, sample_model, sample_result
from tests.waiting import wait_until_async

SECONDS = 5.0


@dataclass
class Names:
    """A resolver that answers in turn what the test says; the last answer stays."""

    answers: list[list[str]] = field(default_factory=lambda: [["127.0.0.1"]])
    asked: int = 0

    async def __call__(self, _host: str, _port: int) -> list[str]:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


async def nothing_known(_job: Job) -> None:
    """No pair is known."""


@dataclass
class Office:
    """Everything around couriers: jobs that end, and the names that webhooks are resolved by."""

    redis: Redis
    keys: Keys
    folder: Path
    hosts: tuple[str, ...]
    names: Names = field(default_factory=Names)

    def __post_init__(self) -> None:
        self.calls = WebhookCalls(self.redis, self.keys)
        self.queue = JobQueue(self.redis, self.keys)
        path = self.folder / "keys.json"
        token = create_key(path, name="x", tenant="clinic", webhook_hosts=self.hosts)
        self.key, self.access = token.split("_")[1], Access(path)

    @asynccontextmanager
    async def courier(
        self,
        receiver: Receiver,
        *,
        private: bool = True,
        seconds: float = SECONDS,
        first_wait_seconds: float = 0.005,
    ) -> AsyncIterator[Courier]:
        reader = Reader(JobStore(self.redis, self.keys), nothing_known)
        messages = Messages(reader, Analyses(self.redis, self.keys))
        async with Sender(
            seconds=seconds, private=private, trust=receiver.trust, resolve=self.names
        ) as sender:
            courier = Courier(
                self.calls, messages, self.access, sender, Telemetry(), first_wait_seconds=first_wait_seconds
            )
            await courier.start()
            try:
                yield courier
            finally:
                await courier.stop()

    async def done(self, *urls: str) -> None:
        """Jobs that are done, each with its webhook."""
        for url in urls:
            job = sample_job()
            webhook = Webhook(tenant="clinic", key=self.key, url=url)
            await self.queue.submit(job, PIXELS, terms=Terms(webhook=webhook))
            [claim] = await self.queue.claim("worker", [sample_model()], count=1, block_seconds=1)
            await self.queue.commit([(claim, sample_result(job), {"2": MAP})])

    async def until_over(self) -> None:
        async def is_over() -> bool:
            return await self.calls.waiting() == 0

        await wait_until_async(is_over, what="no call waits")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
def office(redis: Redis, keys: Keys, tmp_path: Path, receiver: Receiver) -> Office:
    return Office(redis, keys, tmp_path, (receiver.place, "localhost:9", "localhost:1"))


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_a_receiver_that_may_recover_is_called_again(
    office: Office, receiver: Receiver, status: int
) -> None:
    receiver.answers = [status, status]
    await office.done(receiver.url)
    async with office.courier(receiver):
        await office.until_over()
    assert len(receiver.received) == 3
    assert len({call.headers["webhook-id"] for call in receiver.received}) == 1
    assert len({call.body for call in receiver.received}) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 404, 410, 422, 501])
async def test_a_receiver_that_refuses_is_left_alone(office: Office, receiver: Receiver, status: int) -> None:
    receiver.status, receiver.head = status, f"Location: {receiver.url}\r\n"
    await office.done(receiver.url)
    async with office.courier(receiver):
        await office.until_over()
    assert len(receiver.received) == 1


async def test_after_the_last_try_a_call_is_given_up(office: Office, receiver: Receiver) -> None:
    receiver.status = 503
    await office.done(receiver.url)
    async with office.courier(receiver, first_wait_seconds=1e-5):
        await office.until_over()
    assert len(receiver.received) == MOST_TRIES


async def test_a_name_that_leads_into_the_house_is_not_followed(office: Office, receiver: Receiver) -> None:
    office.names.answers = [
        ["8.8.8.8", "127.0.0.1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["127.0.0.1"],
    ]
    await office.done(receiver.url)
    async with office.courier(receiver, private=False):
        await wait_until_async(lambda: _tried(office, 4))
    assert receiver.names == []


async def _tried(office: Office, tries: int) -> bool:
    [call] = cast(list[bytes], await office.redis.zrange(office.keys.calls, 0, -1))
    return int(call.split(b" ")[3]) >= tries


async def test_a_try_asks_for_the_name_once_and_goes_to_the_address_that_was_checked(
    office: Office, receiver: Receiver
) -> None:
    """So a name that is answered otherwise the second time (DNS rebinding) leads nowhere."""
    office.names.answers = [["127.0.0.77"], ["::1"], ["127.0.0.1"]]
    await office.done(receiver.url)
    async with office.courier(receiver):
        await office.until_over()
    assert office.names.asked == 3
    assert receiver.names == ["localhost"]


async def test_of_several_addresses_one_that_answers_is_found(office: Office, receiver: Receiver) -> None:
    office.names.answers = [["127.0.0.77", "127.0.0.1"]]
    await office.done(receiver.url)
    async with office.courier(receiver):
        await office.until_over()
    assert [call.headers["host"] for call in receiver.received] == [receiver.place]


async def test_a_certificate_for_another_name_gets_nothing(
    office: Office, redis: Redis, keys: Keys, tmp_path: Path
) -> None:
    async with receiving("other.example") as other:
        folder = tmp_path / "other"
        folder.mkdir()
        here = Office(redis, keys, folder, (other.place,))
        await here.done(other.url)
        async with here.courier(other):
            await wait_until_async(lambda: _tried(here, 2))
        assert other.received == []
        assert other.names


async def test_a_proxy_of_the_environment_is_not_asked(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    await office.done(receiver.url)
    async with office.courier(receiver):
        await office.until_over()
    assert len(receiver.received) == 1


async def test_an_answer_without_an_end_is_not_read(office: Office, receiver: Receiver) -> None:
    receiver.is_endless = True
    await office.done(receiver.url)
    async with office.courier(receiver):
        await office.until_over()
    assert len(receiver.received) == 1


async def test_a_receiver_that_hangs_holds_up_nobody_else(
    redis: Redis, keys: Keys, tmp_path: Path, receiver: Receiver
) -> None:
    async with receiving(authority=receiver.authority) as slow:
        office = Office(redis, keys, tmp_path, (receiver.place, slow.place))
        slow.hold = asyncio.Event()
        await office.done(*[slow.url] * 3 * MOST_AT_ONCE, *[receiver.url] * 10)
        async with office.courier(receiver, seconds=60.0):
            await wait_until_async(lambda: len(receiver.received) == 10)
            await wait_until_async(lambda: len(slow.received) == MOST_AT_ONCE)


async def test_a_flood_to_a_host_that_is_away_lets_others_pass(
    office: Office, receiver: Receiver, keys: Keys, redis: Redis
) -> None:
    await office.done("https://localhost:9/x")
    [words] = cast(list[bytes], await redis.zrange(keys.calls, 0, -1))
    flood = {words.replace(b"/x", f"/{number}".encode()): 1.0 for number in range(5000)}
    await redis.zadd(keys.calls, flood)
    await office.done(receiver.url)
    async with office.courier(receiver):
        await wait_until_async(lambda: len(receiver.received) == 1, seconds=30)
        await wait_until_async(lambda: _waiting(office, 5001))
    assert office.names.asked < 30  # each try asks once: the host that is away is mostly left alone


async def test_a_defect_counts_as_a_try_and_ends_nothing_else(
    office: Office, receiver: Receiver, redis: Redis, keys: Keys, caplog: pytest.LogCaptureFixture
) -> None:
    await office.done(receiver.url)
    [words] = cast(list[bytes], await redis.zrange(keys.calls, 0, -1))
    await redis.set(keys.result(words.split(b" ")[0].decode()), "no result", ex=60)
    async with office.courier(receiver):
        await wait_until_async(lambda: _tried(office, 2))
        await office.done(receiver.url)
        await wait_until_async(lambda: receiver.received)
    assert "broke off" in caplog.text


async def _waiting(office: Office, count: int) -> bool:
    return await office.calls.waiting() == count


async def test_a_courier_that_ends_with_a_call_in_hand_leaves_it_to_another(
    office: Office, receiver: Receiver
) -> None:
    receiver.hold = asyncio.Event()
    await office.done(receiver.url)
    async with office.courier(receiver, seconds=0.3):
        await wait_until_async(lambda: receiver.received)
    assert await office.calls.waiting() == 1
    receiver.hold.set()
    async with office.courier(receiver):
        await office.until_over()
    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
