"""The menu: which methods there are and how their parameters are checked, which models are live."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from time import monotonic
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from jobs.catalogue import Catalogue, MethodCard, MetricCard
from jobs.errors import Problem
from jobs.job import MethodRef, MetricRef
from jobs.registry import Registry, ServedModel

FRESH_SECONDS = 1.0
MAX_NUMBER = 1e18

Params = Mapping[str, Any]  # Any: JSON values
Card = MethodCard | MetricCard


class Menu:
    """The printed catalogue and the announced models of one deployment."""

    def __init__(self, catalogue: Catalogue, registry: Registry) -> None:
        self.catalogue = catalogue
        self._registry = registry
        cards: list[Card] = [*catalogue.methods, *catalogue.metrics]
        self._validators = {_key(card): Draft202012Validator(card.parameters) for card in cards}
        self._models: tuple[ServedModel, ...] = ()
        self._read_at = -math.inf

    async def models(self, wanted: Collection[str] = ()) -> tuple[ServedModel, ...]:
        """Every known model; read from Redis once a second, or when an id that is wanted is not known."""
        is_stale = monotonic() - self._read_at > FRESH_SECONDS
        if is_stale or not {served.card.id for served in self._models}.issuperset(wanted):
            await self._read()
        return self._models

    async def model(self, model_id: str) -> ServedModel | None:
        """A known model by id; one that was just announced is found at once."""
        models = await self.models([model_id])
        return next((served for served in models if served.card.id == model_id), None)

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
