"""What an image set is: pictures of a tenant under names, each perhaps with a mask and a label."""

from __future__ import annotations

import hashlib

from jobs.job import ImageRef, Message


class SetPicture(Message):
    """One picture of a set under the name of its file, which no other picture of the set has."""

    name: str
    image: ImageRef
    mask: ImageRef | None = None
    label: str | None = None

    @property
    def digest(self) -> str:
        """16 hex digits of what the picture is, with its mask if it has one."""
        digests = [self.image.digest] + ([self.mask.digest] if self.mask else [])
        return hashlib.sha256(" ".join(digests).encode()).hexdigest()[:16]


class ImageSet(Message):
    """Pictures by name; their pixels lie beside those of jobs."""

    id: str
    tenant: str
    pictures: tuple[SetPicture, ...]

    @property
    def images(self) -> tuple[str, ...]:
        """The keys of all images and masks, each once."""
        every = (ref for picture in self.pictures for ref in (picture.image, picture.mask))
        return tuple(dict.fromkeys(ref.key for ref in every if ref is not None))
