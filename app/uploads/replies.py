"""What a decoder child says to the API: a refusal, or pixels and how they came to be.

Every message is a 4-byte length (big-endian) and that many bytes. The request is the bare file; the reply is
a JSON head, followed by the raw pixels that the head describes. The API trusts no number in it.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any, Final

from jobs.errors import Damaged, Refused, TooLarge, UnknownFormat

LENGTH: Final = struct.Struct("!I")
MAX_HEAD_BYTES: Final = 16_384
ITEM_BYTES: Final = {"uint8": 1, "uint16": 2}
REFUSALS: Final[dict[str, type[Refused]]] = {
    error.code: error for error in (TooLarge, UnknownFormat, Damaged)
}

# Any: each step says in its own words what it did, as in `Provenance.preprocessing`.
Steps = tuple[dict[str, Any], ...]


class GarbledError(Exception):
    """A reply that no sound child gives."""


@dataclass(frozen=True)
class Head:
    """What the pixels are that follow; `last` when the child ends after this reply."""

    shape: tuple[int, ...]
    dtype: str
    steps: Steps
    last: bool

    @property
    def n_bytes(self) -> int:
        """Length of the pixels that follow."""
        size = ITEM_BYTES[self.dtype]
        for side in self.shape:
            size *= side
        return size


@dataclass(frozen=True)
class Refusal:
    """Why there are no pixels; `last` when the child ends after this reply."""

    error: Refused
    last: bool


def packed_refusal(error: Refused, *, last: bool) -> bytes:
    """The message of a refusal."""
    return _packed({"refused": error.code, "detail": error.detail, "last": last})


def packed_head(shape: tuple[int, ...], dtype: str, steps: Steps, *, last: bool) -> bytes:
    """The message before the pixels."""
    return _packed({"shape": shape, "dtype": dtype, "steps": steps, "last": last})


def unpacked(content: bytes, max_pixels: int) -> Head | Refusal:
    """A reply without its length; raises GarbledError for anything a sound child would not say."""
    try:
        said = json.loads(content)
        if "refused" in said:
            return Refusal(REFUSALS[said["refused"]](str(said["detail"])), last=bool(said["last"]))
        head = Head(
            shape=tuple(int(side) for side in said["shape"]),
            dtype=str(said["dtype"]),
            steps=tuple(dict(step) for step in said["steps"]),
            last=bool(said["last"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise GarbledError from error
    grey, colour = len(head.shape) == 2, len(head.shape) == 3 and head.shape[2] == 3
    if not (grey or colour) or min(head.shape) < 1 or head.dtype not in ITEM_BYTES:
        raise GarbledError
    if head.shape[0] * head.shape[1] > max_pixels:
        raise GarbledError
    return head


def _packed(said: dict[str, Any]) -> bytes:
    content = json.dumps(said).encode()
    return LENGTH.pack(len(content)) + content
