"""The shapes of a survey: its name and its question, and what it sees of the images gathered for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel
from torch import Tensor, nn

from jobs.job import Message

Q = TypeVar("Q", bound=BaseModel)


@dataclass(frozen=True)
class Gathering:
    """All images of a survey and the network that it looks into, on one device; nothing needs a gradient.

    `images` is (N, C, H, W) in the order of the job, as the model's intake prepares them, in the dtype of the
    network, which is in evaluation mode. `chunk_rows` of them, or of their changed copies, go through the
    network at once; a survey may take more in proportion where they are small.

    `checkpoint` is called between two chunks with the share of the work that is done, 0 to 1. It may raise
    `Interrupted`, and others may have the device before it returns, and the same network: what a survey does
    to weights and hooks is undone by then. `is_late` says whether a round as long as the one since it was
    last asked is too long; then a survey ends with what it has, which must be something new, and is asked
    again for the rest.
    """

    network: nn.Module
    images: Tensor
    chunk_rows: int
    checkpoint: Callable[[float], None] = lambda _: None
    is_late: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class Survey(Generic[Q]):
    """A look at many images of one model: its parameters, which are a question, and one function.

    `look` returns what it found, in words of JSON whose numbers are finite. It raises NotExplainable where
    the question does not fit the network. When memory runs out it is called again with smaller chunks.
    """

    name: str
    version: int
    params: type[Q]
    look: Callable[[Gathering, Q], Message]
