"""How requests name classes: by index or label, one or several."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

MAX_TARGETS = 32
MAX_CLASS = 1_000_000
MAX_LABEL = 256

TARGET_RULE = f"a class index, a label, or a list of 1 to {MAX_TARGETS} different ones"
_ONE_TARGET: dict[str, Any] = {  # Any: a JSON Schema
    "anyOf": [
        {"type": "integer", "minimum": 0, "maximum": MAX_CLASS},
        {"type": "string", "minLength": 1, "maxLength": MAX_LABEL},
    ]
}
TARGET_SCHEMA: dict[str, Any] = {  # Any: a JSON Schema
    "anyOf": [
        *_ONE_TARGET["anyOf"],
        {
            "type": "array",
            "items": _ONE_TARGET,
            "minItems": 1,
            "maxItems": MAX_TARGETS,
            "uniqueItems": True,
        },
    ],
    "description": "Class index, label, or several of them; absent: the predicted class.",
}


def read_targets(value: object) -> tuple[int | str, ...]:
    """One target or a list of them as a tuple without repeats; raises ValueError."""
    targets = tuple(value) if isinstance(value, list | tuple) else (value,)
    if not 1 <= len(targets) <= MAX_TARGETS or not all(_is_target(target) for target in targets):
        raise ValueError(f"must be {TARGET_RULE}")
    if len(set(targets)) < len(targets):
        raise ValueError(f"must be {TARGET_RULE}")
    return targets


def read_target(value: object) -> int | str:
    """One target; raises ValueError."""
    if not _is_target(value):
        raise ValueError("must be a class index or a label")
    return value  # type: ignore[return-value]  # looked at just now


def _is_target(target: object) -> bool:
    if isinstance(target, str):
        return 1 <= len(target) <= MAX_LABEL
    return isinstance(target, int) and not isinstance(target, bool) and 0 <= target <= MAX_CLASS


Targets = Annotated[tuple[int | str, ...], PlainValidator(read_targets), WithJsonSchema(TARGET_SCHEMA)]
Target = Annotated[int | str, PlainValidator(read_target), WithJsonSchema(_ONE_TARGET)]
