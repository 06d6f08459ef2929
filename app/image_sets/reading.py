"""The body of an image set: a form of files under their own names and labels, or a zip archive."""

from __future__ import annotations

import asyncio

from fastapi import Request

from app.bodies import FilePart, arriving, read_bytes, read_parts
from app.image_sets.archives import ARCHIVE
from app.image_sets.labels import labels_of_json
from app.image_sets.sent import MAX_NAME, SentSet, SetLimits, check_counts, take_labels
from app.image_sets.unpacking import unpacked
from jobs.errors import Problem, UnknownFormat

FORM_TYPE = "multipart/form-data"
ZIP_TYPE = "application/zip"
FILES = ("images", "masks")
TEXTS = ("labels",)
FIELDS = (*FILES, *TEXTS, ARCHIVE)
NO_FIELD = f"is not a field of this request; there are: {', '.join(FIELDS)}"
MOST_TEXTS = 16

Parts = list[tuple[str, str | FilePart]]


async def read_set(request: Request, limits: SetLimits) -> SentSet:
    """Read a set out of a form or an archive.

    Raises `TooLarge`, `UnknownFormat` for a body that is neither, and `InvalidRequest` for one that cannot be
    parsed or does not arrive in time.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == ZIP_TYPE:
        async with arriving(limits.seconds):
            data = await read_bytes(request, limits.body_bytes)
        return await asyncio.to_thread(unpacked, data, limits)
    if kind != FORM_TYPE:
        message = f"must be {FORM_TYPE} with a file part `images` for each picture, or {ZIP_TYPE}"
        raise UnknownFormat(f"The body {message}.", problems=(Problem(field="body", message=message),))
    async with arriving(limits.seconds):
        parts = await read_parts(
            request,
            limits.body_bytes,
            max_files=len(FILES) * limits.images + 1,  # one too many is told of as what it is
            max_texts=MOST_TEXTS,
            text_bytes=limits.text_bytes,
        )
    if any(name == ARCHIVE for name, _ in parts):
        return await _of_archive(parts, limits)
    return _of_parts(parts, limits)


async def _of_archive(parts: Parts, limits: SetLimits) -> SentSet:
    """The set of an archive in a form, which is the whole set."""
    archives = [part.content for name, part in parts if name == ARCHIVE and isinstance(part, FilePart)]
    sent = await asyncio.to_thread(unpacked, archives[0], limits) if archives else SentSet()
    if not archives:
        sent.wrong(ARCHIVE, "must be a file part of the form")
    elif sum(name == ARCHIVE for name, _ in parts) > 1:
        sent.wrong(ARCHIVE, "is given twice")
    for name, _ in parts:
        if name not in FIELDS:
            sent.wrong(name, NO_FIELD)
        elif name != ARCHIVE:
            sent.wrong(name, "may not stand beside an archive, which holds the whole set")
    return sent


def _of_parts(parts: Parts, limits: SetLimits) -> SentSet:
    sent, texts = SentSet(), dict[str, str]()
    for position, (name, part) in enumerate(parts):
        if isinstance(part, FilePart):
            _take_file(name, position, part, sent)
        else:
            _take_text(name, part, texts, sent)
    if not sent.images and not any(problem.field.startswith("images") for problem in sent.problems):
        sent.wrong("images", "is required: a file part for each picture")
    check_counts({"images": len(sent.images), "masks": len(sent.masks)}, limits, sent)
    if "labels" in texts:
        try:
            take_labels(labels_of_json(texts["labels"]), sent.images.keys(), sent)
        except ValueError as error:
            sent.wrong("labels", str(error))
    return sent


def _take_file(name: str, position: int, part: FilePart, sent: SentSet) -> None:
    files = {"images": sent.images, "masks": sent.masks}.get(name)
    if files is None:
        sent.wrong(name, f"is not a field that takes a file; there are: {', '.join((*FILES, ARCHIVE))}")
    elif not part.name or len(part.name) > MAX_NAME or not part.name.isprintable():
        message = f"needs a filename of at most {MAX_NAME} printable characters: the name of the picture"
        sent.wrong(f"{name}.{position}", message)
    elif part.name in files:
        sent.wrong(f"{name}.{part.name}", "is given twice; each name stands for one picture")
    else:
        files[part.name] = part.content


def _take_text(name: str, text: str, texts: dict[str, str], sent: SentSet) -> None:
    if name in FILES:
        sent.wrong(name, "must be file parts of the form, each with a filename")
    elif name not in TEXTS:
        sent.wrong(name, NO_FIELD)
    elif name in texts:
        sent.wrong(name, "is given twice")
    else:
        texts[name] = text
