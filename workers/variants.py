"""A method's parameters with one number changed: what somebody else might as well have chosen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar, cast

from annotated_types import Ge, Le
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from workers.declare import Params

P = TypeVar("P", bound=Params)


def variants(params: P) -> Iterator[tuple[str, P]]:
    """Each numeric parameter halved and doubled within its bounds, by a name such as `noise=0.3`.

    A parameter is a quantity, and is varied, if its default is a number. What is none by default names a
    thing, such as a class, or limits the effort, such as seconds. What cannot change is left out.
    """
    for name, field in type(params).model_fields.items():
        value = getattr(params, name)
        if not _is_number(field.default) or not _is_number(value):
            continue
        halved, doubled = (value // 2, value * 2) if isinstance(value, int) else (value / 2, value * 2)
        for other in (_bounded(halved, field), _bounded(doubled, field)):
            if other == value:
                continue
            try:
                changed = type(params).model_validate(params.model_dump() | {name: other})
            except ValidationError:  # an open bound, or a rule between parameters
                continue
            yield f"{name}={other:g}", changed


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _bounded(value: float, field: FieldInfo) -> float:
    for bound in field.metadata:
        if isinstance(bound, Ge):
            value = max(value, cast(float, bound.ge))
        elif isinstance(bound, Le):
            value = min(value, cast(float, bound.le))
    return value
