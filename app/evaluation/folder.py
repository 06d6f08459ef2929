"""A folder of images as what is to be evaluated."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from jobs.errors import InvalidRequest

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff"})


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
