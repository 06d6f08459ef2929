"""A decoder child: `python -m app.uploads.decoding` reads files from a socket and answers with pixels.

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

from app.uploads.formats import UploadLimits
from app.uploads.pixels import Pixels, decode
from app.uploads.replies import LENGTH, Steps, packed_head, packed_refusal
from jobs.errors import Damaged, Refused, TooLarge

# A child ends when it is worn out, and a fresh one takes its place, whatever the libraries have leaked.
MAX_WEAR = 20_000
WEAR = 1
WEAR_OF_FAILURE = 50  # imagecodecs gives back one reference to None too many for each broken PNG

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


def serve(channel: socket.socket, limits: UploadLimits, max_wear: int = MAX_WEAR) -> None:
    """Answers requests one by one; returns when the socket closes or this process is worn out."""
    wear = 0
    while wear < max_wear:
        size = _received(channel, LENGTH.size)
        data = None if size is None else _received(channel, LENGTH.unpack(size)[0])
        if data is None:
            return
        answer, cost = _answer(bytes(data), limits)
        wear += cost
        last = wear >= max_wear
        if isinstance(answer, Refused):
            channel.sendall(packed_refusal(answer, last=last))
        else:
            pixels, steps = answer
            channel.sendall(packed_head(pixels.shape, str(pixels.dtype), steps, last=last))
            channel.sendall(pixels.data)


def _answer(data: bytes, limits: UploadLimits) -> tuple[tuple[Pixels, Steps] | Refused, int]:
    """The pixels or the refusal, and how much of this process the answer has worn away."""
    try:
        return decode(data, limits), WEAR
    except Refused as error:
        return error, WEAR
    except MemoryError:
        return _too_much_memory(limits), MAX_WEAR
    except Exception:  # noqa: BLE001 - whatever a library raises on hostile bytes is one answer
        return Damaged("The picture is damaged: its content cannot be decoded."), WEAR_OF_FAILURE


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
