"""The menu: which methods there are and how their parameters are checked, which models are live."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping
from time import monotonic
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from jobs.catalogue import REPAIRED_ID, Catalogue, MethodCard, MetricCard
from jobs.errors import Problem
from jobs.job import MethodRef, MetricRef, ModelRef
from jobs.registry import Registry, ServedModel
from jobs.repair import ModelCuts
from jobs.repairs import KeptRepair, Repairs

FRESH_SECONDS = 1.0
MAX_NUMBER = 1e18

Params = Mapping[str, Any]  # Any: JSON values
Card = MethodCard | MetricCard


class Menu:
    """The printed catalogue and the announced models of one deployment, and what tenants made of these."""

    def __init__(self, catalogue: Catalogue, registry: Registry, repairs: Repairs | None = None) -> None:
        """Without `repairs` nobody has repaired models."""
        self.catalogue = catalogue
        self._registry, self._repairs = registry, repairs
        cards: list[Card] = [*catalogue.methods, *catalogue.metrics]
        self._validators = {_key(card): Draft202012Validator(card.parameters) for card in cards}
        self._models: tuple[ServedModel, ...] = ()
        self._read_at = -math.inf

    async def models(
        self, wanted: Collection[str] = (), *, tenant: str | None = None
    ) -> tuple[ServedModel, ...]:
        """Every announced model, and those repaired ones of a tenant that are wanted.

        Read from Redis once a second, or when an id that is wanted is not known.
        """
        bases = {name.partition("@")[0] for name in wanted}
        is_stale = monotonic() - self._read_at > FRESH_SECONDS
        if is_stale or not {served.card.id for served in self._models}.issuperset(bases):
            await self._read()
        kept = [await self._kept(name, tenant) for name in dict.fromkeys(wanted)]
        repaired = [self._repaired(*one) for one in kept if one is not None]
        return (*self._models, *(served for served in repaired if served is not None))

    async def model(self, model_id: str, *, tenant: str | None = None) -> ServedModel | None:
        """A known model by id, or a repaired one of a tenant; what was just announced is found at once."""
        models = await self.models([model_id], tenant=tenant)
        return next((served for served in models if served.card.id == model_id), None)

    async def model_of(self, ref: ModelRef) -> ServedModel | None:
        """The known model of exactly these weights, repaired or not, whoever repaired it."""
        base = await self.model(ref.base.id)
        if base is None or base.card.ref != ref.base:
            return None
        return base if ref.repair is None else ServedModel(base.card.repaired(ref), base.workers)

    async def repaired(self, tenant: str) -> list[tuple[KeptRepair, ServedModel]]:
        """All repairs of a tenant whose bases are known, each with its base."""
        kept = await self._repairs.all(tenant) if self._repairs is not None else []
        known = {served.card.ref: served for served in await self.models()}
        return [(one, known[one.record.base]) for one in kept if one.record.base in known]

    async def unknown(self, model_id: str, *, tenant: str | None = None) -> str:
        """Why there is no model of an id, in words that stand behind its name."""
        models = await self.models()
        kept = await self._kept(model_id, tenant)
        if kept is None:
            names = ", ".join(sorted(served.card.id for served in models)) or "none just now"
            return f"is not known; there are: {names}"
        base = kept[0].record.base
        now = next((f", but {one.card.ref.key} is" for one in models if one.card.id == base.id), "")
        return f"was made of {base.key}, which is not known any more{now}"

    def method(
        self, name: str, params: Params, *, prefix: str = ""
    ) -> tuple[MethodRef | None, list[Problem]]:
        """A method with its completed parameters, or everything that is wrong with the wish."""
        card = self.catalogue.method(name)
        if card is None:
            names = ", ".join(method.name for method in self.catalogue.methods)
            return None, [Problem(field=f"{prefix}method", message=f"is not known; there are: {names}")]
        problems = list(self._wrong(card, params, f"{prefix}params"))
        if problems:
            return None, problems
        return MethodRef(name=card.name, version=card.version, params=completed(card, params)), []

    def metric(
        self, name: str, params: Params, *, prefix: str = ""
    ) -> tuple[MetricRef | None, list[Problem]]:
        """A trust metric with its completed parameters, or everything that is wrong with the wish."""
        card = self.catalogue.metric(name)
        if card is None:
            names = ", ".join(metric.name for metric in self.catalogue.metrics)
            message = f"{name} is not known; there are: {names}"
            return None, [Problem(field=f"{prefix}metrics", message=message)]
        problems = list(self._wrong(card, params, f"{prefix}metric_params.{name}"))
        if problems:
            return None, problems
        return MetricRef(name=card.name, version=card.version, params=completed(card, params)), []

    def _wrong(self, card: Card, params: Params, where: str) -> Iterator[Problem]:
        if not _is_finite(params):
            yield Problem(field=where, message="must hold numbers below 1e18 only")
            return
        yield from _misnamed(card, params, where)
        for error in self._validators[_key(card)].iter_errors(params):
            if error.absolute_path:
                field = ".".join((where, *map(str, error.absolute_path)))
                yield Problem(field=field, message=_message(error))

    async def _kept(self, model_id: str, tenant: str | None) -> tuple[KeptRepair, ModelCuts] | None:
        """A tenant's repair by the id of the model that it makes."""
        if tenant is None or self._repairs is None or not re.fullmatch(REPAIRED_ID, model_id):
            return None
        found = await self._repairs.get(tenant, model_id.partition("@")[2])
        return found if found is not None and found[0].record.model.id == model_id else None

    def _repaired(self, kept: KeptRepair, repair: ModelCuts) -> ServedModel | None:
        """The model that a repair makes of its base; None when exactly that is not known."""
        record = kept.record
        base = next((served for served in self._models if served.card.ref == record.base), None)
        if base is None:
            return None
        ref = record.model.model_copy(update={"repair": repair})
        return ServedModel(base.card.repaired(ref, record.title), base.workers, kept)

    async def _read(self) -> None:
        self._models = await self._registry.models()
        self._read_at = monotonic()


def _key(card: Card) -> tuple[str, str]:
    """Methods and metrics may have equal names."""
    return type(card).__name__, card.name


def completed(card: Card, params: Params) -> dict[str, Any]:  # Any: JSON values
    """Parameters with the defaults filled in and numbers in one spelling, so that equal wishes are equal."""
    properties: Mapping[str, Any] = card.parameters.get("properties", {})  # Any: JSON Schemas
    filled = {name: schema["default"] for name, schema in properties.items() if "default" in schema}
    filled.update(params)
    return {name: _spelled(filled[name], properties.get(name, {})) for name in sorted(filled)}


# Any: a JSON value and its JSON Schema.
def _spelled(value: Any, schema: Mapping[str, Any]) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    kinds = {schema.get("type"), *(option.get("type") for option in schema.get("anyOf", ()))}
    if "integer" in kinds and float(value).is_integer():
        return int(value)
    return float(value) + 0.0 if "number" in kinds else value  # + 0.0 makes -0.0 plain


def _is_finite(value: object) -> bool:
    if isinstance(value, int | float):
        return -MAX_NUMBER < value < MAX_NUMBER
    if isinstance(value, Mapping):
        return all(_is_finite(part) for part in value.values())
    return not isinstance(value, list) or all(_is_finite(part) for part in value)


def _misnamed(card: Card, params: Params, where: str) -> Iterator[Problem]:
    """Parameters that the method or metric has not, and those that it needs."""
    properties: Mapping[str, Any] = card.parameters.get("properties", {})  # Any: JSON Schemas
    known = sorted(properties)
    there_are = f"there are: {', '.join(known)}" if known else "it has none"
    for name in sorted(params.keys() - set(known)):
        yield Problem(field=f"{where}.{name}", message=f"is not a parameter of {card.name}; {there_are}")
    for name in sorted(set(card.parameters.get("required", ())) - params.keys()):
        words = properties.get(name, {}).get("description")
        yield Problem(field=f"{where}.{name}", message=f"is required: {words}" if words else "is required")


def _message(error: ValidationError) -> str:
    """What would be right; the value itself is not repeated beyond its first characters."""
    if error.context:
        return "; or ".join(dict.fromkeys(_message(option) for option in error.context))
    return error.message if len(error.message) <= 200 else f"must satisfy {error.validator!s}"
