"""What a client sent as an image set: files under their own names, labels, and what is wrong so far."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from app.bodies import FORM_BYTES
from app.schemas import MAX_CLASS, MAX_LABEL
from jobs.errors import Problem

MAX_NAME = 128  # characters of a file's name
LABEL_BYTES = 1024  # of a name with its label, when they are long
FORM_PREFIXES = {"images": "images.", "masks": "masks."}


@dataclass(frozen=True)
class SetLimits:
    """How large a set and each of its files may be, and how long it may take to arrive and to be decoded."""

    images: int
    file_bytes: int
    body_bytes: int
    pixel_bytes: int
    seconds: float

    @property
    def text_bytes(self) -> int:
        """As many as the names of all images with their labels may have."""
        return FORM_BYTES + self.images * LABEL_BYTES


@dataclass
class SentSet:
    """Files by the names that they came under, labels, and what could not be read.

    `prefixes` are what stands before the name of a file, of each kind, where a problem names it.
    """

    images: dict[str, bytes] = field(default_factory=dict)
    masks: dict[str, bytes] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    prefixes: dict[str, str] = field(default_factory=lambda: dict(FORM_PREFIXES))

    def wrong(self, name: str, message: str) -> None:
        """Note that a field is wrong."""
        self.problems.append(Problem(field=name, message=message))

    def field_of(self, kind: str, name: str) -> str:
        """What a problem with a file is told of; `kind` is `images` or `masks`."""
        return self.prefixes[kind] + name

    def named(self, kind: str) -> set[str]:
        """Names of the files that something is wrong with; others may be among them."""
        return {problem.field.removeprefix(self.prefixes[kind]) for problem in self.problems}


def take_labels(labels: Iterable[tuple[str, object]], names: Collection[str], sent: SentSet) -> None:
    """Keep the labels of images that have one of the names, as words; all others are wrong."""
    seen: set[str] = set()
    for name, label in labels:
        if name in seen:
            sent.wrong(f"labels.{name}", "is given twice")
        elif name not in names:
            sent.wrong(f"labels.{name}", "is the name of no image of this set")
        elif isinstance(label, str) and 1 <= len(label) <= MAX_LABEL:
            sent.labels[name] = label
        elif isinstance(label, int) and not isinstance(label, bool) and 0 <= label <= MAX_CLASS:
            sent.labels[name] = str(label)
        else:
            sent.wrong(f"labels.{name}", f"must be a class index, or a label of 1 to {MAX_LABEL} characters")
        seen.add(name)


def check_counts(counts: dict[str, int], limits: SetLimits, sent: SentSet) -> None:
    """There may be so many images, and as many masks."""
    for kind, count in counts.items():
        if count > limits.images:
            sent.wrong(kind, f"may be at most {limits.images}")


def stem(name: str) -> str:
    """The name without its ending, by which images and masks belong together."""
    head, dot, ending = name.rpartition(".")
    return name if not dot or "/" in ending or not head or head.endswith("/") else head
