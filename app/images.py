"""The files of a submission become images: decoded, described, and named so that nobody can guess it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from app.uploads.decoder import Decoded, Decoder
from jobs.errors import Problem, Refused
from jobs.fingerprint import image_key, pixels_digest
from jobs.job import ImageRef

THREAD_BYTES = 1_000_000  # pixels from here on are digested off the event loop


@dataclass(frozen=True)
class Picture:
    """Decoded pixels, and the name under which they are kept."""

    ref: ImageRef
    pixels: bytes


class Darkroom:
    """Develops the files of tenants into pictures."""

    def __init__(self, decoder: Decoder, secret: bytes) -> None:
        self._decoder = decoder
        self._secret = secret

    async def pictures(
        self, tenant: str, files: Mapping[str, bytes], problems: list[Problem]
    ) -> dict[str, Picture]:
        """The pictures of files by the fields that they came in.

        Files that are refused become problems; the only problem of a request is raised as what it is.
        """
        pictures: dict[str, Picture] = {}
        refusals: dict[str, Refused] = {}
        for field, data in files.items():
            try:
                pictures[field] = await self.picture(tenant, data)
            except Refused as error:
                refusals[field] = error
        wrong = [Problem(field=field, message=error.detail) for field, error in refusals.items()]
        if len(wrong) == 1 and not problems:
            [only] = refusals.values()
            raise type(only)(only.detail, problems=tuple(wrong)) from only
        problems.extend(wrong)
        return pictures

    async def picture(self, tenant: str, data: bytes) -> Picture:
        """The picture of one file; raises `Refused`."""
        decoded = await self._decoder.decode(data)
        if decoded.pixels.nbytes < THREAD_BYTES:
            return picture_of(self._secret, tenant, decoded)
        return await asyncio.to_thread(picture_of, self._secret, tenant, decoded)


def picture_of(secret: bytes, tenant: str, decoded: Decoded) -> Picture:
    """Pixels as a tenant's picture."""
    shape, dtype = decoded.pixels.shape, decoded.pixels.dtype.name
    pixels = np.ascontiguousarray(decoded.pixels).tobytes()
    digest = pixels_digest(pixels, shape=shape, dtype=dtype)
    ref = ImageRef.model_validate(
        {
            "key": image_key(secret, tenant=tenant, digest=digest),
            "digest": digest,
            "height": shape[0],
            "width": shape[1],
            "channels": 3 if len(shape) == 3 else 1,
            "dtype": dtype,
            "steps": decoded.steps,
        }
    )
    return Picture(ref, pixels)
