"""An image set in the words of the API."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import BaseModel, Field

from app.documents import PREFIX
from jobs.errors import NotFound
from jobs.image_sets import ImageSetRecord


class PictureDocument(BaseModel):
    """One picture of a set."""

    name: str = Field(description="Name of the file that was sent; different from all others of the set.")
    digest: str = Field(description="`sha256:` and 64 hex digits over dtype, shape and pixels.")
    width: int
    height: int
    label: str | None = None
    has_mask: bool


class ImageSetDocument(BaseModel):
    """Pictures that were sent once, to be asked about many times."""

    id: str
    pictures: list[PictureDocument] = Field(description="By name.")
    created: datetime
    expires: datetime = Field(description="When it is erased, unless it is used or sent again before.")
    links: dict[str, str]


def image_set_document(record: ImageSetRecord) -> ImageSetDocument:
    """What is known of a set."""
    return ImageSetDocument(
        id=record.image_set.id,
        pictures=[
            PictureDocument(
                name=picture.name,
                digest=picture.image.digest,
                width=picture.image.width,
                height=picture.image.height,
                label=picture.label,
                has_mask=picture.mask is not None,
            )
            for picture in record.image_set.pictures
        ],
        created=datetime.fromtimestamp(record.created_at, UTC),
        expires=datetime.fromtimestamp(record.expires_at, UTC),
        links={"self": set_location(record.image_set.id)},
    )


def set_location(set_id: str) -> str:
    """The path of an image set."""
    return f"{PREFIX}/image-sets/{set_id}"


def no_set() -> NotFound:
    """The error of an image set that a tenant does not have."""
    return NotFound("There is no such image set (any more), or it is not yours.")
