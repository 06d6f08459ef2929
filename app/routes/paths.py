"""Names in paths; one that cannot be right is not found."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Path

from app.analyses.documents import no_analysis
from app.evaluator.documents import no_evaluation
from app.image_sets.documents import no_set
from app.pictures import not_found
from app.repairs.documents import no_repair
from jobs.errors import NotFound
from jobs.fingerprint import ID

Spelled = Annotated[str, Path(json_schema_extra={"pattern": ID}, description="Id of an explanation.")]


def _id(name: str, what: str, missing: Callable[[], NotFound]) -> Callable[[str], Awaitable[str]]:
    """The id in a path; every other spelling is answered as an unknown one, without a question to Redis."""
    # The pattern is only described: FastAPI would answer 422, and a name that cannot be is just not there.
    spelled = Path(alias=name, json_schema_extra={"pattern": ID}, description=f"Id of {what}.")

    async def checked(value: str = spelled) -> str:
        if not re.fullmatch(ID, value):
            raise missing()
        return value

    return checked


explanation_id_of = _id("explanation_id", "an explanation", not_found)

AnalysisId = Annotated[str, Depends(_id("analysis_id", "an analysis", no_analysis))]
EvaluationId = Annotated[str, Depends(_id("evaluation_id", "an evaluation", no_evaluation))]
ImageSetId = Annotated[str, Depends(_id("image_set_id", "an image set", no_set))]
ExplanationId = Annotated[str, Depends(explanation_id_of)]
RepairId = Annotated[str, Depends(_id("repair_id", "a repair", no_repair))]
