"""Bodies about explained classes: their links, their values, and what is known of them before the end."""

from __future__ import annotations

from pydantic import BaseModel, Field

from jobs.job import State
from jobs.result import MapInfo, PartInfo, TargetResult

Rows = list[list[float | None]]


class TargetLinks(BaseModel):
    """Where the pictures of an explained class are."""

    heatmap: str
    overlay: str
    parts: dict[str, str] = Field({}, description="By the name of each part.")


class TargetDocument(TargetResult):
    """One explained class with links to its pictures."""

    links: TargetLinks


class RawHeatmap(BaseModel):
    """A relevance map, or a part beside it, as numbers; a value that is not finite is null."""

    id: str
    target: int
    label: str
    shape: tuple[int, ...] = Field(
        description="Rows and columns; of a part that is an image, channels before them."
    )
    values: Rows | list[Rows]
    map: MapInfo
    part: PartInfo | None = Field(None, description="The part that the values are, if they are not the map.")


class ProgressDocument(BaseModel):
    """Where an explanation stands that is not finished: the data of an event."""

    id: str
    state: State
    progress: float = Field(ge=0, le=1)
    drafts: tuple[TargetDocument, ...] = Field(
        (), description="What was found so far, where a new draft came with this event."
    )
