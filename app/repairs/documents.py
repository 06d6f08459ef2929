"""Repairs in the words of the API, by themselves and on the models that they make."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import BaseModel, Field

from app.documents import PREFIX
from app.models import ModelEntry, ModelRepair
from jobs.catalogue import RepairedCard
from jobs.errors import NotFound
from jobs.job import ModelRef
from jobs.registry import ServedModel
from jobs.repair import WeightCut
from jobs.repairs import KeptRepair, RepairRecord

Cuts = tuple[WeightCut, ...]


class RepairDocument(BaseModel):
    """A repair, and the model that it makes."""

    id: str
    title: str
    model: ModelRef = Field(description="What it makes; its id is good wherever a model is asked for.")
    base: ModelRef = Field(description="What it was made of, to the weights.")
    served: bool = Field(description="Whether those weights are known now; else nothing can be asked.")
    analysis: str | None = Field(description="Id of the analysis that found what to cut, if one did.")
    share: float | None = Field(description="Which share of its distracting paths that was.")
    weights: int = Field(description="Weights of which something is cut.")
    numbers: int = Field(description="Numbers that are zero.")
    cuts: Cuts = Field((), exclude_if=lambda cuts: not cuts, description="Left out of lists.")
    created: datetime
    links: dict[str, str]


class RepairList(BaseModel):
    """All repairs of a tenant, the oldest first."""

    repairs: list[RepairDocument]


def repair_document(kept: KeptRepair, *, served: bool, cuts: Cuts = ()) -> RepairDocument:
    """What is known of a repair."""
    record, here = kept.record, repair_location(kept.record.id)
    analysis = {} if record.analysis is None else {"analysis": f"{PREFIX}/analyses/{record.analysis}"}
    return RepairDocument(
        **provenance(record, cuts).model_dump(exclude={"base", "cuts"}),
        title=record.title,
        model=record.model,
        base=record.base,
        served=served,
        cuts=cuts,
        created=datetime.fromtimestamp(kept.created_at, UTC),
        links={"self": here, "model": f"{PREFIX}/models/{record.model.id}"} | analysis,
    )


def provenance(record: RepairRecord, cuts: Cuts = ()) -> ModelRepair:
    """Where a repaired model comes from."""
    return ModelRepair(
        id=record.id,
        base=record.base.digest,
        analysis=record.analysis,
        share=record.share,
        weights=record.weights,
        numbers=record.numbers,
        cuts=cuts,
    )


def model_entry(served: ServedModel) -> ModelEntry:
    """A model, with its provenance if it is a repaired one."""
    card = served.card
    if served.repair is None or not isinstance(card, RepairedCard):
        return ModelEntry(**dict(card), workers=served.workers)
    words = dict(card) | {"repair": provenance(served.repair.record, card.repair.cuts)}
    return ModelEntry(**words, workers=served.workers)


def listed_entry(kept: KeptRepair, base: ServedModel) -> ModelEntry:
    """The model that a repair makes of its base, without what was cut."""
    words = base.card.changed(kept.record.model, kept.record.title)
    return ModelEntry(**words, repair=provenance(kept.record), workers=base.workers)


def repair_location(repair_id: str) -> str:
    """The path of a repair."""
    return f"{PREFIX}/repairs/{repair_id}"


def no_repair() -> NotFound:
    """The error of a repair that a tenant does not have."""
    return NotFound("There is no such repair (any more), or it is not yours.")
