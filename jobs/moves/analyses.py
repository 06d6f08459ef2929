"""What becomes of an analysis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jobs.analysis import Analysis
from jobs.errors import Failure
from jobs.job import State, Webhook, WebhookEvent
from jobs.keys import Keys
from jobs.lua import Argument, Call, load
from jobs.moves.places import calls
from jobs.moves.webhooks import wanted


def open_analysis(
    keys: Keys, analysis: Analysis, most: int, webhook: Webhook | None, events: Sequence[WebhookEvent]
) -> Call:
    """Accept an analysis, unless its tenant has so many that are not finished."""
    words = (analysis.id, analysis.tenant, analysis.model_dump_json(), most, keys.lifetimes.result)
    arguments = (*words, *wanted(webhook, events))
    return Call(load("open_analysis"), _places(keys, analysis.tenant, analysis.id), arguments)


def take(keys: Keys, count: int, seconds: float) -> Call:
    """Take analyses that are due; whoever does not hold on to them loses them to another."""
    return Call(load("collect"), (keys.analyses,), (count, seconds, keys.lifetimes.result))


def begin_analysis(keys: Keys, analysis_id: str) -> Call:
    """Mark an analysis that was taken as running."""
    touched = (keys.analysis(analysis_id), keys.analyses, *calls(keys, analysis_id))
    return Call(load("begin_analysis"), touched, (analysis_id, keys.lifetimes.result))


def hold_analysis(keys: Keys, analysis: Analysis, until: str, seconds: float) -> Call:
    """Hold on to an analysis."""
    words = (analysis.id, until, seconds, keys.lifetimes.result)
    return Call(load("hold_analysis"), _places(keys, analysis.tenant, analysis.id), words)


def own_job(keys: Keys, analysis: Analysis, job_id: str) -> Call:
    """Note a job of an analysis."""
    touched = (keys.analysis(analysis.id), keys.analysis_jobs(analysis.id))
    return Call(load("own_job"), touched, (job_id, keys.lifetimes.result))


def note_part(
    keys: Keys, analysis: Analysis, part: str, content: bytes, job_id: str, *, parts: int | None
) -> Call:
    """Keep what came of a part, and how many there are if that is known by now."""
    name = analysis.id
    touched = (keys.analysis(name), keys.analysis_parts(name), keys.analysis_jobs(name))
    words = (part, content, job_id, parts or "", keys.lifetimes.result)
    return Call(load("note_part"), touched, words)


def report_analysis(keys: Keys, analysis: Analysis, shares: Mapping[str, float]) -> Call:
    """Note how far an analysis is that has done such shares of these parts."""
    words: list[Argument] = [analysis.id, keys.changes, analysis.parts or "", keys.lifetimes.result]
    for part, share in shares.items():
        words += (part, f"{share:.6f}")
    touched = (keys.analysis(analysis.id), keys.analysis_parts(analysis.id), *calls(keys, analysis.id))
    return Call(load("report_analysis"), touched, tuple(words))


def end_analysis(keys: Keys, analysis: Analysis, until: str, failure: Failure | None) -> Call:
    """End an analysis that is held."""
    state = State.FAILED if failure else State.DONE
    words = failure.model_dump_json() if failure else ""
    arguments = (analysis.id, until, state, words, keys.changes, keys.lifetimes.result)
    return Call(load("end_analysis"), _places(keys, analysis.tenant, analysis.id), arguments)


def erase_analysis(keys: Keys, tenant: str, analysis_id: str) -> Call:
    """Remove all that is kept of a tenant's analysis."""
    words = (analysis_id, tenant, keys.changes, keys.lifetimes.result)
    return Call(load("erase_analysis"), _places(keys, tenant, analysis_id), words)


def _places(keys: Keys, tenant: str, name: str) -> tuple[str, ...]:
    own = (keys.analysis(name), keys.analysis_parts(name), keys.analysis_jobs(name))
    return (*own, keys.analyses, keys.tenant_analyses(tenant), *calls(keys, name))
