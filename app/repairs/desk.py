"""From a request to a repair: all that is wrong is named at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, Strict

from app.errors import invalid
from app.fields import valid
from app.menu import Menu
from app.repairs.found import Proposal, proposal
from app.requests import Fields
from app.schemas import Asked, Name, at_most
from jobs.analyses import Analyses
from jobs.errors import Problem
from jobs.fingerprint import ID, repair_id
from jobs.job import ModelRef
from jobs.repair import ModelCuts, WeightCut, merged, n_indices
from jobs.repairs import RepairRecord

MOST_INDICES = 30_000  # rows and columns of a repair: every job that asks its model carries them
MOST_INDEX = 2**31 - 1
MAX_WEIGHT, MAX_TITLE = 256, 128

Index = Annotated[int, Strict(), Field(ge=0, le=MOST_INDEX)]
Indices = Annotated[tuple[Index, ...], at_most(MOST_INDICES)]


class CutRequest(Asked):
    """Numbers of a weight to set to zero: each of these rows at each of these columns."""

    weight: str = Field(
        min_length=1, max_length=MAX_WEIGHT, description="Dotted path of the weight in the network."
    )
    rows: Indices = Field(min_length=1, max_length=MOST_INDICES, description="Outputs, from 0.")
    columns: Indices = Field(
        min_length=1,
        max_length=MOST_INDICES,
        description="Inputs, from 0; of a convolution in groups, within one.",
    )


class RepairRequest(Asked):
    """An analysis whose finding becomes a model, or a model and what to cut out of it."""

    analysis: str | None = Field(
        None, description="Id of a `causal-repair` analysis that is done.", json_schema_extra={"pattern": ID}
    )
    share: Annotated[float, Strict()] | None = Field(
        None, ge=0, le=1, description="One of the shares of that analysis; absent: its best."
    )
    model: Name | None = Field(
        None, description="Id of a model of `/api/v1/models`, in place of an analysis."
    )
    cuts: Annotated[tuple[CutRequest, ...], at_most(MOST_INDICES)] | None = Field(
        None,
        min_length=1,
        max_length=MOST_INDICES,
        description=f"What to cut out of that model; at most {MOST_INDICES} rows and columns in all.",
    )
    title: str | None = Field(None, min_length=1, max_length=MAX_TITLE, description="What people call it.")


@dataclass(frozen=True)
class Plan:
    """A repair that can be kept."""

    record: RepairRecord
    cuts: tuple[WeightCut, ...]


class RepairDesk:
    """Turns requests of tenants into repairs."""

    def __init__(self, menu: Menu, analyses: Analyses, secret: bytes) -> None:
        self._menu, self._analyses, self._secret = menu, analyses, secret

    async def plan(self, tenant: str, sent: Fields) -> Plan:
        """The repair that is asked for; equal ones have one id. Raises `InvalidRequest`."""
        problems: list[Problem] = []
        fields = valid(RepairRequest, sent, "", problems)
        _check_choice(sent, problems)
        asked = await self._proposal(tenant, fields, problems)
        if asked is None:
            raise invalid(problems)
        cuts = merged((*_earlier(asked.model), *asked.cuts))
        if (count := n_indices(cuts)) > MOST_INDICES:
            message = f"would have {count} rows and columns in all, and at most {MOST_INDICES} may be"
            problems.append(Problem(field="cuts" if asked.share is None else "share", message=message))
        base = await self._menu.model_of(asked.model.base)
        if base is None:
            message = f"is of {asked.model.key}, which is not served any more"
            problems.append(Problem(field="model" if asked.share is None else "analysis", message=message))
        if problems or base is None:
            raise invalid(problems)
        title = fields.get("title") or f"{base.card.title}, repaired"
        return Plan(self._record(tenant, asked, cuts, fields.get("analysis"), title), cuts)

    def _record(
        self, tenant: str, asked: Proposal, cuts: tuple[WeightCut, ...], analysis: str | None, title: str
    ) -> RepairRecord:
        base = asked.model.base
        digest = ModelCuts(base=base.digest, cuts=cuts).digest
        name = repair_id(self._secret, tenant=tenant, model=base.id, digest=digest)
        return RepairRecord(
            id=name,
            model=ModelRef(id=f"{base.id}@{name}", digest=digest),
            base=base,
            title=title,
            analysis=analysis,
            share=asked.share,
            weights=len({cut.weight for cut in cuts}),
            numbers=sum(len(cut.rows) * len(cut.columns) for cut in cuts),
        )

    async def _proposal(self, tenant: str, fields: Fields, problems: list[Problem]) -> Proposal | None:
        if fields.get("analysis") is not None:
            return await proposal(self._analyses, tenant, fields["analysis"], fields.get("share"), problems)
        return await self._of_model(tenant, fields, problems)

    async def _of_model(self, tenant: str, fields: Fields, problems: list[Problem]) -> Proposal | None:
        if fields.get("model") is None:
            return None
        served = await self._menu.model(fields["model"], tenant=tenant)
        if served is None:
            message = await self._menu.unknown(fields["model"], tenant=tenant)
            problems.append(Problem(field="model", message=message))
            return None
        cuts = tuple(WeightCut(**dict(cut)) for cut in fields.get("cuts") or ())
        return Proposal(served.card.ref, cuts, None)


def _earlier(model: ModelRef) -> tuple[WeightCut, ...]:
    """What was cut already: a repair of a repaired model is one of its base."""
    return model.repair.cuts if model.repair is not None else ()


def _check_choice(sent: Fields, problems: list[Problem]) -> None:
    """An analysis, or a model with cuts; not both, and nothing that belongs to the other."""
    given = {name for name, value in sent.items() if value is not None}
    if "analysis" in given:
        useless, needed, words = {"model", "cuts"}, set[str](), "`analysis`"
    else:
        useless, needed, words = {"share"}, {"model", "cuts"}, "`model` and `cuts`"
    required, beside = "is required, unless there is an `analysis`", f"is of no use beside {words}"
    problems += [Problem(field=name, message=required) for name in sorted(needed - given)]
    problems += [Problem(field=name, message=beside) for name in sorted(useless & given)]
