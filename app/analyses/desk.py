"""From a request to an analysis of its kind: all that is wrong is named at once."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from app.access import ApiKey
from app.analyses.kind import Inquiry, Kind, SurveyLimits
from app.analyses.kinds import KINDS
from app.analyses.order import AnalysisOrder
from app.asked import asked_model, asked_set
from app.errors import invalid
from app.fields import valid
from app.menu import Menu
from app.requests import Fields
from app.schemas import Calls, Name
from app.webhooks.wishes import events_of, webhook_of
from jobs.analyses import Analyses
from jobs.analysis import Analysis
from jobs.errors import Problem
from jobs.fingerprint import ID, analysis_id
from jobs.image_sets import ImageSets
from jobs.job import Subject


class AnalysisRequest(Calls):
    """What to find out about a model on an image set."""

    kind: Name = Field(description="Name of a kind of `/api/v1/analyses-catalogue`.")
    model: Name = Field(description="Id of a model of `/api/v1/models`.")
    image_set: str = Field(description="Id of an image set.", json_schema_extra={"pattern": ID})
    # Any: each kind has a schema of its own, in `/api/v1/analyses-catalogue`.
    params: dict[str, Any] = Field({}, description="Parameters of the kind; defaults are filled in.")


class AnalysisDesk:
    """Turns requests of tenants into analyses."""

    def __init__(
        self, menu: Menu, image_sets: ImageSets, analyses: Analyses, secret: bytes, limits: SurveyLimits
    ) -> None:
        self._menu, self._image_sets, self._analyses = menu, image_sets, analyses
        self._secret, self._limits = secret, limits

    async def order(self, tenant: str, sent: Fields, key: ApiKey | None = None) -> AnalysisOrder:
        """What a request asks for; equal requests are one analysis. Raises `InvalidRequest`."""
        problems: list[Problem] = []
        fields = valid(AnalysisRequest, sent, "", problems)
        inquiry = Inquiry(
            tenant=tenant,
            model=await asked_model(self._menu, tenant, fields.get("model"), problems),
            image_set=await asked_set(self._image_sets, tenant, fields.get("image_set"), problems),
            analyses=self._analyses,
            limits=self._limits,
            problems=problems,
        )
        webhook = webhook_of(fields, key, problems, Subject.ANALYSIS)
        kind = self._kind(fields.get("kind"), problems)
        plan = None
        if kind is not None:
            params = valid(kind.params, fields.get("params", {}), "params.", problems)
            plan = await kind.plan(params, inquiry)
        if problems or plan is None or kind is None or inquiry.image_set is None:
            raise invalid(problems)
        params, image_set = plan.model_dump(mode="json"), inquiry.image_set.id
        name = analysis_id(self._secret, tenant=tenant, kind=kind.name, image_set=image_set, params=params)
        analysis = Analysis(id=name, tenant=tenant, kind=kind.name, image_set=image_set, params=params)
        return AnalysisOrder(analysis, webhook, events_of(fields))

    def _kind(self, name: str | None, problems: list[Problem]) -> Kind | None:
        kind = KINDS.get(name or "")
        if kind is None and name is not None:
            message = f"is not known; there are: {', '.join(KINDS)}"
            problems.append(Problem(field="kind", message=message))
        return kind
