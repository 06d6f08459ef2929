"""The fields of requests as forms and queries spell them: files, and what is written as text."""

from __future__ import annotations

from typing import Any

from app.schemas import MAX_DEADLINE_SECONDS, MAX_LABEL, MAX_METRICS, MAX_SEED, MAX_TARGETS, MAX_WEBHOOK
from jobs.job import Lane, WebhookEvent

IMAGE_TYPES = ("image/png", "image/jpeg", "image/webp", "image/tiff", "application/octet-stream")
Schema = dict[str, Any]  # Any: a JSON Schema


def _text_fields() -> dict[str, Schema]:
    name = {"type": "string", "minLength": 1, "maxLength": 64}
    target = {"type": "string", "minLength": 1, "maxLength": MAX_LABEL}
    many = {"type": "array", "minItems": 1, "uniqueItems": True}
    return {
        "model": name,
        "method": name,
        "target": {**many, "items": target, "maxItems": MAX_TARGETS},
        "params": {"type": "string", "contentMediaType": "application/json"},
        "metrics": {**many, "items": name, "maxItems": MAX_METRICS},
        "metric_params": {"type": "string", "contentMediaType": "application/json"},
        "seed": {"type": "integer", "minimum": 0, "maximum": MAX_SEED},
        "lane": {"type": "string", "enum": [lane.value for lane in Lane]},
        "deadline": {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_DEADLINE_SECONDS},
        **_webhook_fields(),
    }


def _webhook_fields() -> dict[str, Schema]:
    events = {"type": "string", "enum": [event.value for event in WebhookEvent]}
    return {
        "webhook": {"type": "string", "format": "uri", "pattern": "^https://", "maxLength": MAX_WEBHOOK},
        "webhook_events": {"type": "array", "minItems": 1, "uniqueItems": True, "items": events},
    }


FILES: dict[str, Schema] = {
    "image": {"type": "string", "format": "binary", "description": "The image to explain."},
    "reference": {
        "type": "string",
        "format": "binary",
        "description": "A second image, for the methods that need `reference`, and for no other.",
    },
    "mask": {
        "type": "string",
        "format": "binary",
        "description": "A picture as large as the image, bright where the finding lies, for the metrics that "
        "need `mask`, and for no other.",
    },
}
EXPLANATION_TEXTS = _text_fields()
BATCH_TEXTS: dict[str, Schema] = {
    "model": EXPLANATION_TEXTS["model"],
    "specs": {"type": "string", "contentMediaType": "application/json"},
    **_webhook_fields(),
}
