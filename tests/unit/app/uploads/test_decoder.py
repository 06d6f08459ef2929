"""The decoder: what comes out, what a hostile file can do, and what becomes of the children."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator

import numpy as np
import psutil
import pytest

from app.uploads.child import ROOT
from app.uploads.decoder import Decoder, UploadLimits
from app.uploads.decoding import WEAR_OF_FAILURE, serve
from app.uploads.replies import LENGTH, GarbledError, Head, Refusal, unpacked
from jobs.errors import Damaged, Refused, TooLarge, Unavailable, UnknownFormat
from tests.malformed import crafted, malformed, saved, sound
from tests.waiting import wait_until_async

SLOW = crafted()["jpeg scan bomb"]
GREEDY = crafted()["tiff deep huge tiles"]
GOOD = sound()["png grey"]


@pytest.fixture
async def decoder() -> AsyncIterator[Decoder]:
    """A decoder that has one slot, with children of its own."""
    decoder = Decoder(UploadLimits(max_pixels=50_000_000))  # so that slow pictures are tried at all
    await decoder.start()
    yield decoder
    await decoder.stop()


async def test_pixels_and_steps_come_back(decoder: Decoder) -> None:
    pixels = np.arange(96 * 96 * 3, dtype=np.uint32).astype(np.uint8).reshape(96, 96, 3)
    decoded = await decoder.decode(saved(pixels, "PNG"))
    np.testing.assert_array_equal(decoded.pixels, pixels)
    assert decoded.pixels.flags.c_contiguous
    assert decoded.steps == ({"step": "decode", "format": "png", "bits": 8},)


def test_children_look_for_modules_beside_the_packages_and_not_in_one() -> None:
    assert (ROOT / "app" / "uploads" / "decoding.py").is_file()


async def test_sixteen_bits_stay_sixteen_bits(decoder: Decoder) -> None:
    decoded = await decoder.decode(sound()["tiff deep colour"])
    assert decoded.pixels.dtype == np.uint16
    assert decoded.pixels.shape == (23, 31, 3)


async def test_large_uploads_pass_both_ways(decoder: Decoder) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1100, 1000, 3), np.uint8)
    decoded = await decoder.decode(saved(pixels, "PNG", compress_level=0))
    np.testing.assert_array_equal(decoded.pixels, pixels)


async def test_two_thousand_malformed_uploads_get_typed_answers_in_time(decoder: Decoder) -> None:
    process = psutil.Process()
    before, outcomes = 0, Counter[str]()
    for number, upload in enumerate(malformed(2000)):
        started = time.perf_counter()
        try:
            await decoder.decode(upload.data)
            outcomes["read"] += 1
        except (TooLarge, UnknownFormat, Damaged) as error:
            outcomes[error.code] += 1
        assert time.perf_counter() - started < 3, upload.kind  # 1 s on a quiet machine
        if number == 300:
            before = process.memory_info().rss
    assert process.memory_info().rss - before < 16 * 2**20
    assert outcomes["damaged"] > 1000
    assert outcomes["unknown-format"] > 50
    assert outcomes["too-large"] >= 10
    assert outcomes["read"] < 700
    assert (await decoder.decode(GOOD)).pixels.shape == (23, 31)


async def test_a_file_that_takes_too_long_is_damaged_and_its_child_replaced(decoder: Decoder) -> None:
    before = decoder.pids
    with pytest.raises(Damaged, match=r"longer than 0\.8 s"):
        await decoder.decode(SLOW)
    await decoder.decode(GOOD)
    await wait_until_async(lambda: len(decoder.pids) == 2 and decoder.pids != before)
    assert len(decoder.pids & before) == 1


async def test_a_file_that_takes_too_much_memory_is_too_large(decoder: Decoder) -> None:
    before = decoder.pids
    with pytest.raises(TooLarge, match="1024 MiB"):
        await decoder.decode(GREEDY)
    await wait_until_async(lambda: len(decoder.pids) == 2 and decoder.pids != before)
    await decoder.decode(GOOD)


async def test_a_child_that_dies_in_the_middle_is_a_damaged_file(decoder: Decoder) -> None:
    before = decoder.pids
    task = asyncio.create_task(decoder.decode(SLOW))
    await wait_until_async(lambda: any(psutil.Process(pid).status() == "running" for pid in decoder.pids))
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(Damaged, match="crashed"):
        await task
    await wait_until_async(lambda: all(is_dead(pid) for pid in before))
    await decoder.decode(GOOD)
    await wait_until_async(lambda: len(decoder.pids - before) == 2)


async def test_children_that_were_killed_while_idle_are_replaced_unseen(decoder: Decoder) -> None:
    before = decoder.pids
    assert len(before) == 2
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    await wait_until_async(lambda: all(psutil.Process(pid).status() == "zombie" for pid in before))
    await decoder.decode(GOOD)
    assert not decoder.pids & before


async def test_a_caller_who_goes_away_leaves_no_answer_behind(decoder: Decoder) -> None:
    task = asyncio.create_task(decoder.decode(SLOW))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await decoder.decode(GOOD)).pixels.shape == (23, 31)


@pytest.fixture
async def patient() -> AsyncIterator[Decoder]:
    """One that takes its time with sound pictures, however busy the machine is."""
    decoder = Decoder(UploadLimits(seconds=30))
    await decoder.start()
    yield decoder
    await decoder.stop()


async def test_many_callers_take_turns(patient: Decoder) -> None:
    names = [*sound()] * 5
    answers = await asyncio.gather(*(patient.decode(sound()[name]) for name in names))
    alone = {name: (await patient.decode(data)).pixels for name, data in sound().items()}
    for name, answer in zip(names, answers, strict=True):
        np.testing.assert_array_equal(answer.pixels, alone[name])


async def test_who_waits_too_long_is_told_to_come_back() -> None:
    decoder = Decoder(UploadLimits(max_pixels=50_000_000, wait_seconds=0.05))
    await decoder.start()
    try:
        slow = asyncio.create_task(decoder.decode(SLOW))
        await asyncio.sleep(0)
        with pytest.raises(Unavailable) as caught:
            await decoder.decode(GOOD)
        assert caught.value.retry_after == 1
        with pytest.raises(Damaged):
            await slow
    finally:
        await decoder.stop()


async def test_stopping_ends_every_child_and_every_caller() -> None:
    decoder = Decoder()
    await decoder.start()
    started = [psutil.Process(pid) for pid in decoder.pids]
    callers = [asyncio.create_task(decoder.decode(SLOW)) for _ in range(3)]
    await asyncio.sleep(0)
    await decoder.stop()
    for caller in callers:
        with pytest.raises(Unavailable):
            await caller
    assert not decoder.pids
    assert not any(process.is_running() for process in started)


async def test_children_die_with_their_parent() -> None:
    program = (
        "import asyncio\nfrom app.uploads.decoder import Decoder\n"
        "async def main():\n d = Decoder(); await d.start(); print(*d.pids, flush=True)\n"
        " await asyncio.Event().wait()\n"
        "asyncio.run(main())"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    pids = [int(word) for word in (await parent.stdout.readline()).split()]
    assert len(pids) == 2
    parent.kill()
    await parent.communicate()
    await wait_until_async(lambda: not any(psutil.pid_exists(pid) for pid in pids))


async def test_limits_are_checked_before_anything_is_decoded() -> None:
    decoder = Decoder(UploadLimits(max_bytes=700, max_pixels=700))
    await decoder.start()
    try:
        with pytest.raises(TooLarge, match="at most 700 are read"):
            await decoder.decode(GOOD)
        with pytest.raises(TooLarge, match="31 x 23 pixels"):
            await decoder.decode(GOOD[:600])
    finally:
        await decoder.stop()


async def test_refusals_quote_nothing_of_the_file(decoder: Decoder) -> None:
    for data in (b"ZZCANARY" * 9, crafted()["png with text"][:-30], b"II*\0ZZCANARY" + b"Z" * 80):
        with pytest.raises(Refused) as caught:
            await decoder.decode(data)
        assert "CANARY" not in caught.value.detail


async def test_children_get_no_secrets_and_few_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATIONALE_SECRET", "ZZCANARY")
    decoder = Decoder()
    await decoder.start()
    try:
        child = psutil.Process(min(decoder.pids))
        assert child.rlimit(psutil.RLIMIT_AS) == (2**30, 2**30)
        assert child.rlimit(psutil.RLIMIT_CORE) == (0, 0)
        assert child.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)
        with contextlib.suppress(psutil.AccessDenied):  # not even to be looked at, where we are not root
            assert "ZZCANARY" not in child.environ().values()
    finally:
        await decoder.stop()


def test_a_child_ends_when_it_is_worn_out() -> None:
    ours, theirs = socket.socketpair()
    broken = GOOD[:-40]
    with ours, theirs:
        thread = threading.Thread(target=serve, args=(theirs, UploadLimits(), 2 * WEAR_OF_FAILURE))
        thread.start()
        answers = []
        for _ in range(2):
            ours.sendall(LENGTH.pack(len(broken)) + broken)
            answers.append(unpacked(ours.recv(LENGTH.unpack(ours.recv(LENGTH.size))[0]), 1000))
        thread.join(10)
    assert [isinstance(answer, Refusal) and answer.last for answer in answers] == [False, True]
    assert not thread.is_alive()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"refused": "no-such-code", "detail": "", "last": false}',
        b'{"shape": [9999999, 9999999], "dtype": "uint8", "steps": [], "last": false}',
        b'{"shape": [-1, 5], "dtype": "uint8", "steps": [], "last": false}',
        b'{"shape": [5, 5, 4], "dtype": "uint8", "steps": [], "last": false}',
        b'{"shape": [5, 5], "dtype": "object", "steps": [], "last": false}',
        b'{"shape": [5, 5], "dtype": "uint8", "steps": [1], "last": false}',
    ],
)
def test_the_api_believes_no_child_that_talks_nonsense(content: bytes) -> None:
    with pytest.raises(GarbledError):
        unpacked(content, 1000)


def test_the_api_believes_a_sound_child() -> None:
    head = unpacked(b'{"shape": [5, 6, 3], "dtype": "uint16", "steps": [], "last": false}', 1000)
    assert head == Head(shape=(5, 6, 3), dtype="uint16", steps=(), last=False)
    assert head.n_bytes == 180


def is_dead(pid: int) -> bool:
    """Killing takes a moment on a busy machine."""
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie"
