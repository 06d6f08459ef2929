"""How analyses of every kind are done, those with calls of their own too."""

from __future__ import annotations

from app.analyses.conductor import Doing
from app.analyses.kinds import KINDS
from app.evaluator.study import EVALUATION
from app.evaluator.work import Evaluating
from app.wishes import Wishes


def doings(wishes: Wishes, evaluation_in_flight: int) -> dict[str, Doing]:
    """By the names of the kinds."""
    evaluating = Evaluating(wishes, evaluation_in_flight)
    return {EVALUATION: evaluating.work} | {name: kind.work for name, kind in KINDS.items()}
