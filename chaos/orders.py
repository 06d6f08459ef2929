"""What a posted image asks of the simulated device, and what the device must answer to it.

The first two of the 64 pixels say what to do, the others make the image one of its kind. The answer follows
from the pixels and the seed alone, so whoever knows the image can tell a wrong answer.
"""

from __future__ import annotations

import hashlib
import io
import struct
from dataclasses import dataclass
from enum import IntEnum

SIDE = 8
N_PIXELS = SIDE * SIDE
MAP_SIDE = 4
TICK_SECONDS = 0.01  # what one step of the second pixel stands for
MODELS = ("simulated-a", "simulated-b")
LABELS = ("none", "mass", "nodule")
TARGET = 1


class Act(IntEnum):
    """What the device does with an image: the value of its first pixel."""

    ANSWER = 0
    CRASH = 1  # the process ends at once
    HANG = 2  # nothing comes back, and no checkpoint is called


@dataclass(frozen=True)
class Order:
    """An image to post; `work_seconds` are spent beside the time that every batch takes."""

    act: Act
    work_seconds: float
    pixels: bytes


def order(noise: bytes, *, act: Act = Act.ANSWER, work_seconds: float = 0.0) -> Order:
    """An order whose other pixels are `noise`, 62 bytes that no other order has."""
    ticks = round(work_seconds / TICK_SECONDS)
    return Order(act, ticks * TICK_SECONDS, bytes([act, ticks]) + noise[: N_PIXELS - 2])


def read(pixels: bytes) -> Order:
    """The order that an image stands for."""
    return Order(Act(pixels[0]), pixels[1] * TICK_SECONDS, pixels)


def png(pixels: bytes) -> bytes:
    """The file to post."""
    from PIL import Image  # a device draws nothing, and starts often

    file = io.BytesIO()
    Image.frombytes("L", (SIDE, SIDE), pixels).save(file, "PNG")
    return file.getvalue()


def relevance(pixels: bytes, seed: int) -> tuple[float, ...]:
    """The map that the device must return, row by row, each value in [-0.5, 0.5]."""
    digest = hashlib.shake_128(pixels + struct.pack("<q", seed)).digest(MAP_SIDE**2)
    return tuple(byte / 256 - 0.5 for byte in digest)
