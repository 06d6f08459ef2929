"""The fields of a request as a model reads them."""

from __future__ import annotations

from pydantic import ValidationError

from app.errors import problems_of
from app.requests import Fields
from app.schemas import Asked
from jobs.errors import Problem

PLACEHOLDERS: Fields = {
    "model": "-",
    "method": "-",
    "specs": [{}],
    "image_set": "-",
    "kind": "-",
    "target": 0,
    "graph": "-",
}


def valid(kind: type[Asked], fields: Fields, prefix: str, problems: list[Problem]) -> Fields:
    """The fields that are right, as the model reads them; the others become problems."""
    try:
        return dict(kind.model_validate(fields))
    except ValidationError as error:
        problems.extend(problems_of(error, prefix=prefix, known=kind.model_fields))
        wrong = {each["loc"][0] for each in error.errors(include_input=False) if each["loc"]}
    right = {name: value for name, value in fields.items() if name not in wrong}
    placeholders = {name: PLACEHOLDERS[name] for name in kind.model_fields.keys() & PLACEHOLDERS.keys()}
    whole = kind.model_validate(placeholders | right)
    return {name: value for name, value in whole if name in right}
