"""The form of an image set: files under their own names, and labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from fastapi import Request
from pydantic_core import from_json

from app.bodies import FORM_BYTES, FilePart, arriving, read_parts
from app.schemas import MAX_CLASS, MAX_LABEL
from jobs.errors import Problem, UnknownFormat

MAX_NAME = 128  # characters of a file's name
FILES = ("images", "masks")
TEXTS = ("labels",)
MOST_TEXTS = 16
LABEL_BYTES = 1024  # of a name with its label, when they are long


@dataclass(frozen=True)
class SetLimits:
    """How large a set may be, and how long it may take to arrive and again to be decoded."""

    images: int
    body_bytes: int
    pixel_bytes: int
    seconds: float


@dataclass
class SentSet:
    """What a client sent: files by the names that they came under, labels, and what could not be read."""

    images: dict[str, bytes] = field(default_factory=dict)
    masks: dict[str, bytes] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, name: str, message: str) -> None:
        """Note that a field is wrong."""
        self.problems.append(Problem(field=name, message=message))


async def read_set(request: Request, limits: SetLimits) -> SentSet:
    """Read the form of a set.

    Raises `TooLarge`, `UnknownFormat` for a body that is no form, and `InvalidRequest` for one that cannot be
    parsed or does not arrive in time.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        message = "must be multipart/form-data with a file part `images` for each picture"
        raise UnknownFormat(f"The body {message}.", problems=(Problem(field="body", message=message),))
    async with arriving(limits.seconds):
        parts = await read_parts(
            request,
            limits.body_bytes,
            max_files=len(FILES) * limits.images + 1,  # one too many is told of as what it is
            max_texts=MOST_TEXTS,
            text_bytes=FORM_BYTES + limits.images * LABEL_BYTES,
        )
    sent, texts = SentSet(), dict[str, str]()
    for position, (name, part) in enumerate(parts):
        if isinstance(part, FilePart):
            _take_file(name, position, part, sent)
        else:
            _take_text(name, part, texts, sent)
    _check_counts(sent, limits)
    _take_labels(texts.get("labels"), sent)
    return sent


def stem(name: str) -> str:
    """The name without its ending, by which images and masks belong together."""
    head, dot, ending = name.rpartition(".")
    return name if not dot or "/" in ending or not head or head.endswith("/") else head


def _take_file(name: str, position: int, part: FilePart, sent: SentSet) -> None:
    files = {"images": sent.images, "masks": sent.masks}.get(name)
    if files is None:
        sent.wrong(name, f"is not a field that takes a file; there are: {', '.join(FILES)}")
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
        sent.wrong(name, f"is not a field of this request; there are: {', '.join((*FILES, *TEXTS))}")
    elif name in texts:
        sent.wrong(name, "is given twice")
    else:
        texts[name] = text


def _check_counts(sent: SentSet, limits: SetLimits) -> None:
    if not sent.images and not any(problem.field.startswith("images") for problem in sent.problems):
        sent.wrong("images", "is required: a file part for each picture")
    for name, files in (("images", sent.images), ("masks", sent.masks)):
        if len(files) > limits.images:
            sent.wrong(name, f"may be at most {limits.images}")


def _take_labels(text: str | None, sent: SentSet) -> None:
    if text is None:
        return
    try:
        labels = from_json(text, allow_inf_nan=False)
        if not isinstance(labels, dict):
            raise ValueError("it is no object")
    except ValueError as error:
        sent.wrong("labels", f"must be a JSON object of names of images to labels: {error}")
        return
    sent.labels.update(_labels(labels, sent))


def _labels(labels: Mapping[str, object], sent: SentSet) -> Iterator[tuple[str, str]]:
    for name, label in labels.items():
        if name not in sent.images:
            sent.wrong(f"labels.{name}", "is the name of no image of this set")
        elif isinstance(label, str) and 1 <= len(label) <= MAX_LABEL:
            yield name, label
        elif isinstance(label, int) and not isinstance(label, bool) and 0 <= label <= MAX_CLASS:
            yield name, str(label)
        else:
            sent.wrong(f"labels.{name}", f"must be a class index, or a label of 1 to {MAX_LABEL} characters")
