"""What is to be evaluated: every image with every model and method, each of them one explanation."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path

from jobs.catalogue import MethodCard, Need
from jobs.errors import InvalidRequest, Problem
from jobs.job import ModelRef

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff"})
CHEAP_COST = 100.0  # forward passes of a map


@dataclass(frozen=True)
class Picture:
    """An image file; its `name` is the path within the folder."""

    path: Path
    name: str

    def read(self) -> bytes:
        """The file as it is now."""
        return self.path.read_bytes()

    @cached_property
    def digest(self) -> str:
        """Of the file, so that a name whose picture was exchanged is not taken for the old one."""
        return hashlib.sha256(self.read()).hexdigest()[:16]


@dataclass(frozen=True)
class Cell:
    """One explanation of an evaluation."""

    model: ModelRef
    method: str
    picture: Picture


def pictures_in(folder: Path) -> list[Picture]:
    """Every image below a folder, by name. Raises InvalidRequest when there is none."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not paths:
        endings = ", ".join(sorted(SUFFIXES))
        raise InvalidRequest(f"{folder} has no image: names must end in one of {endings}")
    return [Picture(path, path.relative_to(folder).as_posix()) for path in paths]


def cheap(cards: Sequence[MethodCard]) -> list[str]:
    """The methods that cost little and need nothing but the image."""
    return [card.name for card in cards if card.cost <= CHEAP_COST and Need.REFERENCE not in card.needs]


def chosen(what: str, asked: Sequence[str], known: Sequence[str]) -> list[str]:
    """The names that were asked for, each once. Raises InvalidRequest naming those that are not known."""
    unknown = [name for name in asked if name not in known]
    if unknown:
        message = f"{', '.join(unknown)} is not known; there are: {', '.join(known) or 'none'}"
        raise InvalidRequest("The evaluation cannot begin.", problems=(Problem(field=what, message=message),))
    return list(dict.fromkeys(asked))


def cells(models: Sequence[ModelRef], methods: Sequence[str], pictures: Sequence[Picture]) -> list[Cell]:
    """All of them, model by model and image by image, so that what shares a model can share a batch."""
    return [Cell(model, method, picture) for model, picture, method in product(models, pictures, methods)]
