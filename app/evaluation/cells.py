"""What is to be evaluated: every image with every model and method, each of them one explanation."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path

from jobs.catalogue import MethodCard, MetricCard
from jobs.errors import InvalidRequest, Problem
from jobs.job import ModelRef

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff"})
CANNOT = "The evaluation cannot begin."


@dataclass(frozen=True)
class Picture:
    """An image file, and where its finding lies if that is known; its `name` is the path in the folder."""

    path: Path
    name: str
    mask: Path | None = None

    def read(self) -> dict[str, bytes]:
        """The files as they are now, by the names of a request's parts."""
        paths = {"image": self.path} | ({"mask": self.mask} if self.mask else {})
        return {part: path.read_bytes() for part, path in paths.items()}

    @cached_property
    def digest(self) -> str:
        """Of the files, so that a name whose picture was exchanged is not taken for the old one."""
        digest = hashlib.sha256()
        for content in self.read().values():
            digest.update(hashlib.sha256(content).digest())
        return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Cell:
    """One explanation of an evaluation."""

    model: ModelRef
    method: str
    picture: Picture


def pictures_in(folder: Path, masks: Path | None = None) -> list[Picture]:
    """Every image below a folder, by name, with the mask of the same name, whatever its ending.

    Raises InvalidRequest when there is no image, or when one has no mask among `masks`.
    """
    found = _images_in(folder)
    if not found:
        endings = ", ".join(sorted(SUFFIXES))
        raise InvalidRequest(f"{folder} has no image: names must end in one of {endings}")
    if masks is None:
        return [Picture(path, path.relative_to(folder).as_posix()) for path in found]
    known = {path.relative_to(masks).with_suffix(""): path for path in _images_in(masks)}
    if lone := [path for path in found if path.relative_to(folder).with_suffix("") not in known]:
        raise InvalidRequest(f"{masks} has no mask for {len(lone)} of {len(found)} images, such as {lone[0]}")
    return [
        Picture(path, path.relative_to(folder).as_posix(), known[path.relative_to(folder).with_suffix("")])
        for path in found
    ]


def _images_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())


def cheap(cards: Sequence[MethodCard]) -> list[str]:
    """The methods that are."""
    return [card.name for card in cards if card.is_cheap]


def chosen(what: str, asked: Sequence[str], known: Sequence[str]) -> list[str]:
    """The names that were asked for, each once. Raises InvalidRequest naming those that are not known."""
    unknown = [name for name in asked if name not in known]
    if unknown:
        message = f"{', '.join(unknown)} is not known; there are: {', '.join(known) or 'none'}"
        raise InvalidRequest(CANNOT, problems=(Problem(field=what, message=message),))
    return list(dict.fromkeys(asked))


def measurable(asked: Sequence[str], cards: Sequence[MetricCard]) -> list[str]:
    """The metrics that were asked for, each once. Raises InvalidRequest like `chosen`.

    So it does where one needs parameters: an evaluation has none for metrics.
    """
    names = chosen("--metric", asked, [card.name for card in cards])
    needed = {card.name: card.parameters.get("required", []) for card in cards if card.name in names}
    if needy := [f"{name} needs {', '.join(fields)}" for name, fields in needed.items() if fields]:
        message = (
            f"{'; '.join(needy)}: `rationale explain` takes them, as --metric-param, an evaluation does not"
        )
        raise InvalidRequest(CANNOT, problems=(Problem(field="--metric", message=message),))
    return names


def cells(models: Sequence[ModelRef], methods: Sequence[str], pictures: Sequence[Picture]) -> list[Cell]:
    """All of them, model by model and image by image, so that what shares a model can share a batch."""
    return [Cell(model, method, picture) for model, picture, method in product(models, pictures, methods)]
