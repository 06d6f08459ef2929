"""A decoder child: `python -m app.decoding` reads files from a socket and answers with pixels.

It is the only process that lets a picture library see bytes from outside. It gives up what it does not need
before the first of them arrives, and everything that goes wrong in it is an answer or its death, never more.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import logging
import resource
import signal
import socket
import warnings

import numpy as np

from app.formats import UploadLimits
from app.pixels import decode
from app.replies import LENGTH, packed_head, packed_refusal
from jobs.errors import Damaged, Refused, TooLarge

MAX_REQUESTS = 20_000  # then a fresh process, whatever the libraries have leaked

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NO_NEW_PRIVS = 38


def main() -> None:
    """Serves one socket until it closes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--max-bytes", type=int, required=True)
    parser.add_argument("--max-pixels", type=int, required=True)
    parser.add_argument("--max-frames", type=int, required=True)
    parser.add_argument("--memory-bytes", type=int, required=True)
    given = vars(parser.parse_args())
    with socket.socket(fileno=given.pop("fd")) as channel:
        limits = UploadLimits(**given)
        confine(limits.memory_bytes)
        channel.sendall(LENGTH.pack(0))  # ready
        serve(channel, limits)


def confine(memory_bytes: int) -> None:
    """Dies with its parent, writes no file and no core, gains no rights, and holds bounded memory."""
    control = ctypes.CDLL(None).prctl
    control(PR_SET_PDEATHSIG, signal.SIGKILL)
    control(PR_SET_DUMPABLE, 0)
    control(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    logging.disable(logging.CRITICAL)  # libraries quote what they read
    warnings.simplefilter("ignore")
    gc.freeze()


def serve(channel: socket.socket, limits: UploadLimits) -> None:
    """Answers requests one by one; returns when the socket closes or this process has served enough."""
    for count in range(1, MAX_REQUESTS + 1):
        size = _received(channel, LENGTH.size)
        if size is None:
            return
        data = _received(channel, LENGTH.unpack(size)[0])
        if data is None or not _answer(channel, bytes(data), limits, last=count == MAX_REQUESTS):
            return


def _answer(channel: socket.socket, data: bytes, limits: UploadLimits, *, last: bool) -> bool:
    """Sends the answer; False when this process should end, because memory was short once."""
    try:
        pixels, steps = decode(data, limits)
    except Refused as error:
        channel.sendall(packed_refusal(error, last=last))
    except MemoryError:
        channel.sendall(packed_refusal(_too_much_memory(limits), last=True))
        return False
    except Exception:  # noqa: BLE001 - whatever a library raises on hostile bytes is one answer
        channel.sendall(
            packed_refusal(Damaged("The picture is damaged: its content cannot be decoded."), last=last)
        )
    else:
        channel.sendall(packed_head(pixels.shape, str(pixels.dtype), steps, last=last))
        channel.sendall(np.ascontiguousarray(pixels).data)
    return True


def _too_much_memory(limits: UploadLimits) -> TooLarge:
    return TooLarge(f"The picture needs more than {limits.memory_bytes // 2**20} MiB of memory to decode.")


def _received(channel: socket.socket, size: int) -> bytearray | None:
    """Exactly `size` bytes, or None when the other side has closed."""
    content = bytearray(size)
    view = memoryview(content)
    while view:
        count = channel.recv_into(view)
        if not count:
            return None
        view = view[count:]
    return content


if __name__ == "__main__":
    main()
