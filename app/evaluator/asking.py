"""From a request to an evaluation: what is left out is chosen, and all that is wrong is named at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Any

from pydantic import Field, Strict

from app.access import ApiKey
from app.analyses.order import AnalysisOrder
from app.asked import asked_set
from app.errors import invalid
from app.evaluation.cells import cheap
from app.evaluation.defaults import DEFAULT_METRICS
from app.evaluator.study import EVALUATION, Study
from app.fields import valid
from app.menu import Menu
from app.requests import Fields
from app.schemas import MAX_METRICS, MAX_SEED, Calls, Name, at_most
from app.webhooks.wishes import events_of, webhook_of
from app.wishes import Wishes
from jobs.analysis import Analysis
from jobs.catalogue import Need
from jobs.errors import Problem
from jobs.fingerprint import ID, analysis_id
from jobs.image_sets import ImageSets
from jobs.job import Lane, MethodRef, MetricRef, ModelRef, Subject
from jobs.pictures import ImageSet

MOST_NAMES = 256
UNFIT = {
    Need.REFERENCE: "needs a reference beside each picture, which an image set does not have",
    Need.GRAPH: "needs causal graphs of the classes: ask for it with explanations of single pictures",
}
Names = Annotated[tuple[Name, ...], at_most(MOST_NAMES)]


class EvaluationRequest(Calls):
    """Models, methods and metrics to measure over an image set."""

    image_set: str = Field(description="Id of an image set.", json_schema_extra={"pattern": ID})
    models: Names | None = Field(
        None, min_length=1, max_length=MOST_NAMES, description="Ids of models; absent: all that are live."
    )
    methods: Names | None = Field(
        None, min_length=1, max_length=MOST_NAMES, description="Names of methods; absent: all cheap ones."
    )
    metrics: Annotated[tuple[Name, ...], at_most(MAX_METRICS)] | None = Field(
        None,
        min_length=1,
        max_length=MAX_METRICS,
        description=f"Names of metrics; absent: {', '.join(DEFAULT_METRICS)}.",
    )
    # Any: each metric has a schema of its own, in `/api/v1/metrics-catalogue`.
    metric_params: dict[str, dict[str, Any]] = Field(
        {}, description="Parameters of metrics, by the metric's name; defaults are filled in."
    )
    seed: Annotated[int, Strict()] = Field(0, ge=0, le=MAX_SEED, description="Seed of random draws.")


class Asking:
    """Turns requests of tenants into evaluations."""

    def __init__(self, menu: Menu, image_sets: ImageSets, secret: bytes, most_cells: int) -> None:
        self._menu, self._wishes = menu, Wishes(menu)
        self._image_sets = image_sets
        self._secret = secret
        self._most_cells = most_cells

    async def order(self, tenant: str, sent: Fields, key: ApiKey | None = None) -> AnalysisOrder:
        """What a request asks for; equal requests are one evaluation. Raises `InvalidRequest`."""
        problems: list[Problem] = []
        fields = valid(EvaluationRequest, sent, "", problems)
        image_set = await asked_set(self._image_sets, tenant, fields.get("image_set"), problems)
        webhook = webhook_of(fields, key, problems, Subject.EVALUATION)
        models = await self._models(tenant, fields, problems)
        methods, metrics = self._methods(fields, problems)
        uses_masks = self._uses_masks(metrics, image_set, problems)
        study = Study(
            models=tuple(models),
            methods=tuple(methods),
            metrics=metrics,
            seed=fields.get("seed", 0),
            uses_masks=uses_masks,
        )
        n_cells = len(models) * len(methods) * (len(image_set.pictures) if image_set else 0)
        if n_cells > self._most_cells:
            message = f"has too many pictures: models x methods x pictures are {n_cells} explanations"
            problems.append(
                Problem(field="image_set", message=f"{message}, and at most {self._most_cells} may be")
            )
        if problems or image_set is None:
            raise invalid(problems)
        params = study.model_dump(mode="json")
        name = analysis_id(
            self._secret, tenant=tenant, kind=EVALUATION, image_set=image_set.id, params=params
        )
        analysis = Analysis(
            id=name, tenant=tenant, kind=EVALUATION, image_set=image_set.id, parts=n_cells, params=params
        )
        return AnalysisOrder(analysis, webhook, events_of(fields))

    async def _models(self, tenant: str, fields: Fields, problems: list[Problem]) -> list[ModelRef]:
        """In the order of their ids, so that equal requests are equal; repaired ones only by name."""
        asked = fields.get("models")
        known = {one.card.id: one for one in await self._menu.models(asked or (), tenant=tenant)}
        if asked is None:
            live = [served.card.ref for _, served in sorted(known.items()) if served.workers]
            if not live:
                problems.append(Problem(field="models", message="are none that is live just now; name one"))
            return live
        for place, name in enumerate(asked):
            if name not in known:
                message = await self._menu.unknown(name, tenant=tenant)
                problems.append(Problem(field=f"models.{place}", message=message))
        return [known[name].card.ref for name in sorted(set(asked) & known.keys())]

    def _methods(
        self, fields: Fields, problems: list[Problem]
    ) -> tuple[list[MethodRef], tuple[MetricRef, ...]]:
        """In the order of the menu."""
        cards = {card.name: card for card in self._menu.catalogue.methods}
        asked = fields.get("methods") or cheap(list(cards.values()))
        problems += _unknown("methods", asked, cards, ", ".join(cards))
        for place, name in enumerate(asked):
            for need, words in UNFIT.items():
                if name in cards and need in cards[name].needs:
                    problems.append(Problem(field=f"methods.{place}", message=f"{name} {words}"))
        metrics = self._single(fields.get("metrics") or DEFAULT_METRICS, problems)
        given = {name: value for name, value in fields.items() if name in {"metric_params", "seed"}}
        common = {**given, "metrics": metrics, "lane": Lane.BULK}
        first, *rest = [name for name in cards if name in asked] or list(cards)[:1]
        wishes = [self._wishes.wish({"method": first, **common}, None, "", problems)]
        said: list[Problem] = []  # of the metrics, and so the same again
        wishes += [self._wishes.wish({"method": name, **common}, None, "", said) for name in rest]
        found = [wish for wish in wishes if wish is not None]
        return [wish.method for wish in found], found[0].metrics if found else ()

    def _single(self, asked: Sequence[str], problems: list[Problem]) -> list[str]:
        """The metrics that speak of one model; the others would compare each model with itself."""
        found = []
        for place, name in enumerate(asked):
            card = self._menu.catalogue.metric(name)
            if card is not None and card.models_in is not None:
                message = f"{name} compares with other models: ask for it with an explanation of one"
                problems.append(Problem(field=f"metrics.{place}", message=message))
            else:
                found.append(name)
        return found

    def _uses_masks(
        self, metrics: Sequence[MetricRef], image_set: ImageSet | None, problems: list[Problem]
    ) -> bool:
        needy = [
            metric.name
            for metric in metrics
            if (card := self._menu.catalogue.metric(metric.name)) and card.needs_mask
        ]
        pictures = image_set.pictures if image_set else ()
        if needy and (bare := sum(picture.mask is None for picture in pictures)):
            message = f"{', '.join(needy)} need a mask of every picture; {bare} of {len(pictures)} have none"
            problems.append(Problem(field="metrics", message=message))
        return bool(needy)


def _unknown(field: str, asked: Sequence[str], known: Collection[str], names: str) -> list[Problem]:
    message = f"is not known; there are: {names}"
    return [
        Problem(field=f"{field}.{place}", message=message)
        for place, name in enumerate(asked)
        if name not in known
    ]
