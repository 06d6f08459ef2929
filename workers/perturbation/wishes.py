"""What a changed image is to be called: a class, or anything but one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from jobs.errors import NotExplainable
from workers.probe import Probe


@dataclass(frozen=True)
class Wish:
    """For one row: `sign` is 1 where the network is to say `index`, -1 where it is to say another class.

    `missing` says why there is nothing to search for.
    """

    index: int
    sign: int = 1
    missing: str | None = None


class Wishes:
    """What each of R rows wishes for, and how near an answer comes to it."""

    def __init__(self, probe: Probe, wishes: Sequence[Wish]) -> None:
        """Raises NotExplainable for a network of one class."""
        if probe.logits.shape[1] < 2:
            raise NotExplainable("the network knows one class only, so no change leads to another")
        device = probe.image_of_row.device
        self._wishes, self._said = tuple(wishes), said(probe)
        self._indices = torch.tensor([wish.index for wish in wishes], device=device)
        self._signs = torch.tensor([wish.sign for wish in wishes], device=device)

    @property
    def rows(self) -> Tensor:
        """The rows (r,) that can be searched for."""
        able = [row for row, wish in enumerate(self._wishes) if wish.missing is None]
        return torch.tensor(able, dtype=torch.long, device=self._indices.device)

    def margins(self, logits: Tensor, rows: Tensor) -> Tensor:
        """(n,), positive where logits (n, K) of rows (n,) are as wished.

        z_k - max over i != k of z_i for a class k that is wanted, the opposite for one that is not.
        """
        indices = self._indices[rows, None]
        own = logits.gather(1, indices).squeeze(1)
        others = logits.scatter(1, indices, -torch.inf).amax(dim=1)
        return self._signs[rows] * (own - others)

    def words(self, row: int) -> Mapping[str, Any]:  # Any: words of JSON
        """What a row asked for, for its details."""
        wish = self._wishes[row]
        return {
            "asked": "towards" if wish.sign > 0 else "away",
            "from": self._said[row],
            "to": wish.index if wish.sign > 0 else None,
            **({} if wish.missing is None else {"reason": wish.missing}),
        }


def said(probe: Probe) -> list[int]:
    """(R,): the class that the network says of the image of each row."""
    classes: list[int] = probe.logits.argmax(dim=1)[probe.image_of_row].tolist()
    return classes
