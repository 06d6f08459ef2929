"""What an analysis is: long work about an image set, in parts, each of which a job answers."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from jobs.job import Message


class Analysis(Message):
    """What to find out about an image set, in so many parts; None where the work finds out how many."""

    id: str
    tenant: str
    kind: str
    image_set: str
    parts: int | None = Field(None, gt=0)
    # Any: each kind has a model of its own, which is what it was asked for with everything filled in.
    params: dict[str, Any]
