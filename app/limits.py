"""How much may be sent and looked at, as the settings say."""

from __future__ import annotations

from app.analyses.kind import SurveyLimits
from app.image_sets.reading import SetLimits
from app.settings import ApiSettings
from app.uploads.formats import UploadLimits


def upload_limits(settings: ApiSettings) -> UploadLimits:
    """Of one image file."""
    return UploadLimits(
        max_bytes=settings.max_upload_bytes,
        max_pixels=settings.max_pixels,
        seconds=settings.decode_seconds,
    )


def set_limits(settings: ApiSettings) -> SetLimits:
    """Of an image set."""
    return SetLimits(
        images=settings.max_set_images,
        body_bytes=settings.max_set_bytes,
        pixel_bytes=settings.max_set_pixel_bytes,
        seconds=settings.set_seconds,
    )


def survey_limits(settings: ApiSettings) -> SurveyLimits:
    """Of one survey of an analysis."""
    return SurveyLimits(images=settings.max_survey_images, pixel_bytes=settings.max_survey_bytes)
