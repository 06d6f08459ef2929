"""An analysis that is asked for, and whom to call about it."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.analysis import Analysis
from jobs.job import Webhook, WebhookEvent


@dataclass(frozen=True)
class AnalysisOrder:
    """The webhook belongs to the request: equal requests are one analysis, whoever is called."""

    analysis: Analysis
    webhook: Webhook | None
    webhook_events: tuple[WebhookEvent, ...]
