"""From the files of a body to a set: decoded one after the other, named, and checked against each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import Request

from app.errors import invalid
from app.image_sets.reading import read_set
from app.image_sets.sent import SentSet, SetLimits, stem
from app.images import Darkroom, Picture
from jobs.errors import InvalidRequest, Problem, Refused, TenantFull, TooLarge, Unavailable
from jobs.fingerprint import image_set_id
from jobs.pictures import ImageSet, SetPicture

MOST_AT_ONCE = 2  # sets that are read, since all pixels of each are in memory
WAIT_SECONDS = 30.0
RETRY_SECONDS = 10

Pictures = dict[str, dict[str, Picture]]  # by `images` and `masks`, and by name


@dataclass(frozen=True)
class Taken:
    """A set that is in order, and the pixels of its images by their keys."""

    image_set: ImageSet
    pixels: Mapping[str, bytes]


class Intake:
    """Reads the sets of tenants: two at a time, and one of each tenant."""

    def __init__(self, darkroom: Darkroom, secret: bytes, limits: SetLimits) -> None:
        self._darkroom, self._secret, self._limits = darkroom, secret, limits
        self._room = asyncio.Semaphore(MOST_AT_ONCE)
        self._tenants: set[str] = set()

    @asynccontextmanager
    async def taken(self, tenant: str, request: Request) -> AsyncIterator[Taken]:
        """The set of a request; its pixels should be stored within the block, and not be kept beyond.

        Raises `InvalidRequest` naming everything that is wrong, `TooLarge`, `UnknownFormat`, `TenantFull`
        when the tenant is sending another set, and `Unavailable` when others are.
        """
        async with self._turn(tenant):
            sent = await read_set(request, self._limits)
            try:
                async with asyncio.timeout(self._limits.seconds):
                    pictures = await self._developed(tenant, sent)
            except TimeoutError:
                message = f"take longer than {self._limits.seconds:g} s to decode; send fewer or smaller ones"
                problem = Problem(field="images", message=message)
                raise InvalidRequest(f"The images {message}.", problems=(problem,)) from None
            yield Taken(
                self._set(tenant, pictures, sent),
                {one.ref.key: one.pixels for kind in pictures.values() for one in kind.values()},
            )

    @asynccontextmanager
    async def _turn(self, tenant: str) -> AsyncIterator[None]:
        if tenant in self._tenants:
            raise TenantFull(
                "You are sending another image set; send one at a time.", retry_after=RETRY_SECONDS
            )
        self._tenants.add(tenant)
        try:
            await self._enter()
            try:
                yield
            finally:
                self._room.release()
        finally:
            self._tenants.discard(tenant)

    async def _enter(self) -> None:
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._room.acquire()
        except TimeoutError:
            raise Unavailable("Other image sets are being read.", retry_after=RETRY_SECONDS) from None

    async def _developed(self, tenant: str, sent: SentSet) -> Pictures:
        """Pictures by kind and name, developed one at a time, so that other uploads find a decoder."""
        pictures: Pictures = {"images": {}, "masks": {}}
        n_bytes = 0
        for kind, files in (("images", sent.images), ("masks", sent.masks)):
            for name in list(files):
                try:
                    picture = await self._darkroom.picture(tenant, files.pop(name))
                except Refused as error:
                    sent.wrong(sent.field_of(kind, name), error.detail)
                    continue
                pictures[kind][name] = picture
                n_bytes += picture.ref.n_bytes
                if n_bytes > self._limits.pixel_bytes:
                    raise _too_many_pixels(self._limits.pixel_bytes)
        return pictures

    def _set(self, tenant: str, pictures: Pictures, sent: SentSet) -> ImageSet:
        """Equal sets have equal ids, in whichever order they were sent. Raises `InvalidRequest`."""
        images = pictures["images"]
        masks = _masks(images, pictures["masks"], sent)
        if sent.problems:
            raise invalid(sent.problems)
        members = tuple(
            SetPicture(
                name=name,
                image=picture.ref,
                mask=masks[stem(name)].ref if stem(name) in masks else None,
                label=sent.labels.get(name),
            )
            for name, picture in sorted(images.items())
        )
        digests = [
            (one.name, one.image.digest, one.mask.digest if one.mask else None, one.label) for one in members
        ]
        name = image_set_id(self._secret, tenant=tenant, pictures=digests)
        return ImageSet(id=name, tenant=tenant, pictures=members)


def _masks(images: Mapping[str, Picture], masks: Mapping[str, Picture], sent: SentSet) -> dict[str, Picture]:
    """Masks by the names of their images without endings; each must lie upon its images, pixel by pixel."""
    found: dict[str, Picture] = {}
    stems = {stem(name) for name in (*images, *sent.named("images"))}
    for name, mask in masks.items():
        field, own = sent.field_of("masks", name), stem(name)
        if own not in stems:
            sent.wrong(field, "is the mask of no image: the names must be equal but for their endings")
        elif own in found:
            sent.wrong(field, "is a second mask of the same image")
        else:
            found[own] = mask
            for image, picture in images.items():
                if stem(image) == own and _size(picture) != _size(mask):
                    message = f"must be as large as {image}, {_size(picture)} pixels (width x height)"
                    sent.wrong(field, f"{message}, but is {_size(mask)}")
    return found


def _size(picture: Picture) -> str:
    return f"{picture.ref.width} x {picture.ref.height}"


def _too_many_pixels(limit: int) -> TooLarge:
    message = f"may have at most {limit} bytes of pixels together, with their masks"
    return TooLarge(f"The images {message}.", problems=(Problem(field="images", message=message),))
