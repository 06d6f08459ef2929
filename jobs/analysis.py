"""What an analysis is: long work about an image set, in parts, each of which a job answers."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from jobs.job import Message


class Analysis(Message):
    """What to find out about an image set, in so many parts."""

    id: str
    tenant: str
    kind: Literal["evaluation"]
    image_set: str
    parts: int = Field(gt=0)
    # Any: each kind has a model of its own, which is what it was asked for with everything filled in.
    params: dict[str, Any]
