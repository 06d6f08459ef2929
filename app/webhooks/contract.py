"""What the OpenAPI document says of the calls to webhooks."""

from __future__ import annotations

from typing import Any

from jobs.job import Subject

Json = dict[str, Any]  # Any: parts of an OpenAPI document

HEADERS = {
    "webhook-id": "Name of the message: equal on every try, so that one that comes twice is known.",
    "webhook-timestamp": "Seconds since 1970 of this try; refuse what is older than some minutes.",
    "webhook-signature": "`v1,` and the HMAC-SHA256 of `id.timestamp.body` in base64; a space between two.",
}
DESCRIPTION = (
    "Made to the `webhook` of a request, at least once, signed after Standard Webhooks. Upon statuses 408, "
    "425, 429, 500, 502, 503 and 504, and when no answer comes, it is tried again for most of a day."
)


TAGS = {
    Subject.EXPLANATION: "explanations",
    Subject.ANALYSIS: "analyses",
    Subject.EVALUATION: "evaluations",
}


def called(subject: Subject, schema: Json) -> Json:
    """The operation that a receiver offers."""
    return {
        "tags": [TAGS[subject]],
        "summary": f"Be told of an {subject}",
        "description": DESCRIPTION,
        "operationId": f"{subject}_webhook",
        "security": [],
        "parameters": [_header(name, words) for name, words in HEADERS.items()],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {"2XX": {"description": "Taken; the body is not read."}},
    }


def _header(name: str, words: str) -> Json:
    return {
        "name": name,
        "in": "header",
        "required": True,
        "description": words,
        "schema": {"type": "string"},
    }
