"""How much may be sent, as the settings of a deployment say."""

from __future__ import annotations

from app.image_sets.sent import SetLimits
from app.settings import ApiSettings
from app.uploads.formats import UploadLimits


def upload_limits(settings: ApiSettings) -> UploadLimits:
    """Of one file."""
    return UploadLimits(
        max_bytes=settings.max_upload_bytes,
        max_pixels=settings.max_pixels,
        seconds=settings.decode_seconds,
    )


def set_limits(settings: ApiSettings) -> SetLimits:
    """Of an image set."""
    return SetLimits(
        images=settings.max_set_images,
        file_bytes=settings.max_upload_bytes,
        body_bytes=settings.max_set_bytes,
        pixel_bytes=settings.max_set_pixel_bytes,
        seconds=settings.set_seconds,
    )
