"""Bodies about models: those that workers announce, and what tenants made of them."""

from __future__ import annotations

from pydantic import BaseModel, Field

from jobs.catalogue import MODEL_ID, ModelCard
from jobs.repair import WeightCut


class ModelRepair(BaseModel):
    """Where a repaired model comes from."""

    id: str = Field(description="Id of the repair.")
    base: str = Field(description="Digest of the model that was repaired.")
    analysis: str | None = Field(description="Id of the analysis that found what to cut, if one did.")
    share: float | None = Field(description="Which share of its distracting paths that was.")
    weights: int = Field(description="Weights of which something is cut.")
    numbers: int = Field(description="Numbers that are zero.")
    cuts: tuple[WeightCut, ...] = Field(
        (), exclude_if=lambda cuts: not cuts, description="The numbers themselves; left out of lists."
    )


class ModelEntry(ModelCard):
    """A model, and how many live workers serve it."""

    id: str = Field(pattern=MODEL_ID, description="That of a repaired model ends with `@` and the repair's.")
    workers: int = Field(
        description="Live workers that serve these weights; 0: known, but nobody serves it now."
    )
    repair: ModelRepair | None = Field(
        None, exclude_if=lambda repair: repair is None, description="Of a model that was repaired."
    )


class Models(BaseModel):
    """All models that are live or were lately."""

    models: list[ModelEntry]
