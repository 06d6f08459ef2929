"""From the fields of a request to its webhook; what is wrong with them is named."""

from __future__ import annotations

from app.access import ApiKey
from app.requests import Fields
from app.webhooks.urls import check_url
from jobs.errors import Problem
from jobs.job import Subject, Webhook, WebhookEvent

NO_KEY = "is called only for an API key with registered hosts; here no key is asked for"
NO_HOSTS = (
    "may go nowhere: the API key has no host registered "
    "(`rationale keys create --webhook-host`, or `rationale keys webhooks`)"
)


def webhook_of(
    fields: Fields, key: ApiKey | None, problems: list[Problem], about: Subject = Subject.EXPLANATION
) -> Webhook | None:
    """Whom a request wants to be called; None when nobody, or when a problem was added."""
    url = fields.get("webhook")
    if url is None:
        if fields.get("webhook_events") and "webhook" not in _named(problems):
            problems.append(Problem(field="webhook_events", message="is of no use without `webhook`"))
        return None
    try:
        if key is None or not key.webhook_hosts:
            raise ValueError(NO_HOSTS if key else NO_KEY)
        check_url(url, key.webhook_hosts)
    except ValueError as error:
        problems.append(Problem(field="webhook", message=str(error)))
        return None
    return Webhook(tenant=key.tenant, key=key.id, url=url, about=about)


def events_of(fields: Fields) -> tuple[WebhookEvent, ...]:
    """Upon what a request wants it to be called, each once."""
    return tuple(dict.fromkeys(fields.get("webhook_events") or (WebhookEvent.COMPLETED,)))


def _named(problems: list[Problem]) -> set[str]:
    return {problem.field for problem in problems}
