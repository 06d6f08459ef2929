"""The models of a worker on its device: others are let go until there is room for what is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

from jobs.catalogue import ModelCard
from jobs.errors import JobFailed, ModelUnavailable, OutOfMemory
from jobs.job import ModelRef
from workers.attempts import attempt, is_out_of_memory
from workers.memory import give_back
from workers.models.repository import Model, Repository

T = TypeVar("T")


class Library:
    """A repository and the device on which its models are computed."""

    def __init__(self, repository: Repository, device: str) -> None:
        self.device = device
        self._repository = repository

    def cards(self) -> tuple[ModelCard, ...]:
        """The models that can be asked for."""
        return self._repository.cards()

    def get(self, ref: ModelRef, *beside: ModelRef) -> Model | JobFailed:
        """The model; others are let go until there is room for it, but for those that it stands beside."""
        while True:
            load = partial(self._repository.get, ref, self.device, beside=beside)
            model = self.within_memory(partial(attempt, load))
            if not isinstance(model, OutOfMemory) or not self.let_another_go(ref, *beside):
                return model

    def named(self, key: str, repaired: Iterable[ModelRef], *beside: ModelRef) -> Model:
        """The model of exactly the weights of a key, one of the `repaired` or of those that are held.

        Raises JobFailed where it cannot be had.
        """
        known = (*repaired, *(card.ref for card in self.cards()))
        ref = next((one for one in known if one.own_key == key), None)
        model = (
            ModelUnavailable(f"this worker does not hold {key}") if ref is None else self.get(ref, *beside)
        )
        if isinstance(model, JobFailed):
            raise model
        return model

    def let_another_go(self, *kept: ModelRef) -> bool:
        """Make room: the least recently used model goes that is none of those, if any may."""
        gone = self._repository.let_another_go(*kept)
        if gone:
            give_back(self.device)
        return gone

    def within_memory(self, work: Callable[[], T]) -> T | OutOfMemory:
        """What `work` returns. When memory runs out nothing of what it held is left."""
        try:
            return work()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            reason = str(error).partition("\n")[0]
        # Not before here: the error's traceback holds every frame, and these hold the tensors.
        give_back(self.device)
        return OutOfMemory(f"too large for {self.device} even alone: {reason}")
