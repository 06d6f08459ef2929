"""Frames between parent and child."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterator

import pytest

from jobs.job import Lane, Opened
from jobs.queue import Claim
from jobs.result import Draft, Outcome
from tests.samples import (
    MAP,
    PIXELS,
    sample_findings,
    sample_job,
    sample_result,
    sample_survey,
    survey_pixels,
)
from tests.waiting import wait_until_async
from workers.child.batches import opened
from workers.parent.flights import Flight
from workers.parent.supervisor import work_of
from workers.pipe import (
    Abandoned,
    Answers,
    Cancel,
    ChildEnd,
    ParentEnd,
    PipeBrokenError,
    Progress,
    Turn,
    Work,
)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The parent's socket and the child's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def child(pair: tuple[socket.socket, socket.socket]) -> Iterator[ChildEnd]:
    end = ChildEnd(pair[1])
    yield end
    end.close()


async def test_work_arrives_with_its_pixels(
    pair: tuple[socket.socket, socket.socket], child: ChildEnd
) -> None:
    parent = await ParentEnd.over(pair[0])
    jobs = sample_job(), sample_job(reference="r")
    work = Work(batch=1, jobs=jobs, images=((0,), (0, 1)), lanes=tuple(Lane))

    await parent.send(work, [PIXELS, MAP])
    parent.tell(Cancel(batch=1, jobs=("x",)))

    assert await asyncio.to_thread(child.receive) == (work, [PIXELS, MAP])
    assert await asyncio.to_thread(child.receive) == (Cancel(batch=1, jobs=("x",)), [])
    parent.close()


async def test_answers_arrive_with_their_maps(
    pair: tuple[socket.socket, socket.socket], child: ChildEnd
) -> None:
    parent = await ParentEnd.over(pair[0])
    job = sample_job()
    answers = Answers(
        batch=3,
        outcomes=(Outcome(id=job.id, result=sample_result(job)),),
        maps=(("2", "0"),),
        seconds=0.5,
    )

    child.send(Progress(batch=3, fraction=0.5))
    child.send(answers, [MAP, b""])
    child.send(Abandoned(batch=4))

    assert await parent.receive() == (Progress(batch=3, fraction=0.5), [])
    assert await parent.receive() == (answers, [MAP, b""])
    assert await parent.receive() == (Abandoned(batch=4), [])
    parent.close()


async def test_drafts_arrive_with_their_maps(
    pair: tuple[socket.socket, socket.socket], child: ChildEnd
) -> None:
    parent = await ParentEnd.over(pair[0])
    job = sample_job()
    progress = Progress(batch=3, fraction=0.5, drafts=(Draft(id=job.id, targets=sample_result(job).targets),))

    child.send(progress, [MAP])

    assert await parent.receive() == (progress, [MAP])
    parent.close()


async def test_a_large_map_crosses_in_one_piece(
    pair: tuple[socket.socket, socket.socket], child: ChildEnd
) -> None:
    parent = await ParentEnd.over(pair[0])
    relevance = bytes(range(256)) * 2**16
    message = Answers(batch=1, outcomes=(), maps=(("0",),), seconds=0.0)

    sending = asyncio.create_task(asyncio.to_thread(child.send, message, [relevance]))
    received, blobs = await parent.receive()
    await sending

    assert received == message
    assert blobs == [relevance]
    parent.close()


async def test_what_was_said_before_the_end_is_still_heard(
    pair: tuple[socket.socket, socket.socket], child: ChildEnd
) -> None:
    parent = await ParentEnd.over(pair[0])
    child.send(Abandoned(batch=1))
    child.close()

    assert (await parent.receive())[0] == Abandoned(batch=1)
    with pytest.raises(PipeBrokenError):
        await parent.receive()
    parent.close()


async def test_the_child_notices_that_its_parent_is_gone(
    pair: tuple[socket.socket, socket.socket], child: ChildEnd
) -> None:
    pair[0].close()

    with pytest.raises(PipeBrokenError):
        child.receive()
    with pytest.raises(PipeBrokenError):
        child.send(Abandoned(batch=1))


async def test_a_child_that_reads_nothing_can_still_be_told(
    pair: tuple[socket.socket, socket.socket], child: ChildEnd
) -> None:
    parent = await ParentEnd.over(pair[0])
    work = Work(batch=1, jobs=(sample_job(),), images=((0,),), lanes=(Lane.BULK,))
    pixels = bytes(2**23)
    sending = asyncio.create_task(parent.send(work, [pixels]))
    await asyncio.sleep(0)

    parent.tell(Cancel(batch=1, jobs=("x",)))

    assert not sending.done()
    assert await asyncio.to_thread(child.receive) == (work, [pixels])
    assert await asyncio.to_thread(child.receive) == (Cancel(batch=1, jobs=("x",)), [])
    await sending
    parent.close()
    parent.tell(Cancel(batch=2, jobs=()))  # nobody hears it, and nothing is said about that


NOISE = [
    b"GET / HTTP/1.1\r\n\r\n",
    struct.pack("<II", 2, 0) + b"{}",
    struct.pack("<II", 16, 0) + b'{"type":"magic"}',
    struct.pack("<II", 4, 0) + b"\xff\xfe\x00\x01",
]


@pytest.mark.parametrize("noise", NOISE)
async def test_noise_is_no_frame_for_the_parent(
    pair: tuple[socket.socket, socket.socket], noise: bytes
) -> None:
    parent = await ParentEnd.over(pair[0])
    pair[1].sendall(noise)

    with pytest.raises(PipeBrokenError):
        await parent.receive()
    parent.close()


@pytest.mark.parametrize("noise", NOISE)
def test_noise_is_no_frame_for_the_child(
    pair: tuple[socket.socket, socket.socket], child: ChildEnd, noise: bytes
) -> None:
    pair[0].sendall(noise)

    with pytest.raises(PipeBrokenError):
        child.receive()


async def test_the_last_words_of_a_child_are_read_although_the_connection_broke(
    pair: tuple[socket.socket, socket.socket], child: ChildEnd
) -> None:
    parent = await ParentEnd.over(pair[0])
    parent.tell(Cancel(batch=1, jobs=("x",)))  # never read: the connection is reset when the child dies
    child.send(Turn(batch=3))
    child.close()
    await wait_until_async(lambda: parent._reader._eof)  # type: ignore[attr-defined]  # the loop has seen it

    assert await parent.receive() == (Turn(batch=3), [])
    with pytest.raises(PipeBrokenError):
        await parent.receive()
    parent.close()


async def test_the_images_of_a_survey_arrive_in_order_and_equal_ones_travel_once(
    pair: tuple[socket.socket, socket.socket], child: ChildEnd
) -> None:
    parent = await ParentEnd.over(pair[0])
    keys = [f"image {number % 300}" for number in range(2000)]
    pixels = {key: survey_pixels(key) for key in keys}
    claims = (
        Claim(sample_survey(*keys), "1-0", "w", 0, 1),
        Claim(sample_job(image="image 7"), "2-0", "w", 0, 1),
    )

    sending = asyncio.create_task(parent.send(*work_of(Flight(3, claims), pixels)))
    work, blobs = await asyncio.to_thread(child.receive)
    await sending

    assert isinstance(work, Work)
    assert blobs == [pixels[key] for key in dict.fromkeys(keys)]
    survey, plain = opened(work, blobs)
    assert survey == Opened(claims[0].job, pixels[keys[0]], survey=tuple(pixels[key] for key in keys))
    assert plain == Opened(claims[1].job, pixels["image 7"])
    parent.close()


async def test_an_answer_arrives_with_its_findings(
    pair: tuple[socket.socket, socket.socket], child: ChildEnd
) -> None:
    parent = await ParentEnd.over(pair[0])
    job = sample_survey("a", "b")
    result = sample_findings(Opened(job, b"a", survey=(b"a", b"b")))
    answers = Answers(batch=3, outcomes=(Outcome(id=job.id, result=result),), maps=((),), seconds=0.5)

    child.send(answers)

    assert await parent.receive() == (answers, [])
    assert "findings" not in sample_result(sample_job()).model_dump_json()
    parent.close()
