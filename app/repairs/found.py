"""What an analysis has found to cut: the share of the distracting paths that a tenant asks for."""

from __future__ import annotations

import math
from dataclasses import dataclass

from app.analyses.causal.repair import Repair
from app.analyses.kind import earlier_result
from app.analyses.kinds.causal_repair import CAUSAL_REPAIR
from jobs.analyses import Analyses
from jobs.errors import Problem
from jobs.job import ModelRef
from jobs.repair import WeightCut


@dataclass(frozen=True)
class Proposal:
    """Which model is to be repaired, what is to be cut there, and the share of the analysis that found it."""

    model: ModelRef
    cuts: tuple[WeightCut, ...]
    share: float | None


async def proposal(
    analyses: Analyses, tenant: str, analysis_id: str, share: float | None, problems: list[Problem]
) -> Proposal | None:
    """What an analysis of a tenant proposes at a share, or at its best; None where a field is wrong."""
    content = await earlier_result(
        analyses, tenant, analysis_id, CAUSAL_REPAIR.name, name="analysis", problems=problems
    )
    if content is None:
        return None
    found = Repair.model_validate_json(content)
    wanted = found.best if share is None else share
    step = next((one for one in found.steps if math.isclose(one.share, wanted, abs_tol=1e-9)), None)
    if step is None:
        shares = ", ".join(f"{one.share:g}" for one in found.steps)
        problems.append(Problem(field="share", message=f"is none of that analysis; it has: {shares}"))
        return None
    if not step.weights:
        which = "the best one, " if share is None else ""
        cutting = ", ".join(f"{one.share:g}" for one in found.steps if one.weights)
        others = f"there are: {cutting}" if cutting else "nor is it at any other"
        message = f"must be one at which something is cut; at {which}{step.share:g}, nothing is; {others}"
        problems.append(Problem(field="share", message=message))
        return None
    return Proposal(found.model, step.weights, step.share)
