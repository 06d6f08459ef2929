"""Names in paths; one that cannot be right is not found."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Depends, Path

from app.analyses.documents import no_analysis
from app.evaluator.documents import no_evaluation
from app.image_sets.documents import no_set
from app.pictures import not_found
from app.repairs.documents import no_repair
from jobs.fingerprint import ID

# The pattern is only described: FastAPI would answer 422, and a name that cannot be is just not there.
Spelled = Annotated[str, Path(json_schema_extra={"pattern": ID}, description="Id of an explanation.")]


async def explanation_id_of(explanation_id: Spelled) -> str:
    """Every other spelling is answered as an unknown id, without a question to Redis."""
    if not re.fullmatch(ID, explanation_id):
        raise not_found()
    return explanation_id


SpelledSet = Annotated[str, Path(json_schema_extra={"pattern": ID}, description="Id of an image set.")]


async def image_set_id_of(image_set_id: SpelledSet) -> str:
    """Every other spelling is answered as an unknown id."""
    if not re.fullmatch(ID, image_set_id):
        raise no_set()
    return image_set_id


SpelledEvaluation = Annotated[
    str, Path(json_schema_extra={"pattern": ID}, description="Id of an evaluation.")
]


async def evaluation_id_of(evaluation_id: SpelledEvaluation) -> str:
    """Every other spelling is answered as an unknown id."""
    if not re.fullmatch(ID, evaluation_id):
        raise no_evaluation()
    return evaluation_id


SpelledRepair = Annotated[str, Path(json_schema_extra={"pattern": ID}, description="Id of a repair.")]


async def repair_id_of(repair_id: SpelledRepair) -> str:
    """Every other spelling is answered as an unknown id."""
    if not re.fullmatch(ID, repair_id):
        raise no_repair()
    return repair_id


SpelledAnalysis = Annotated[str, Path(json_schema_extra={"pattern": ID}, description="Id of an analysis.")]


async def analysis_id_of(analysis_id: SpelledAnalysis) -> str:
    """Every other spelling is answered as an unknown id."""
    if not re.fullmatch(ID, analysis_id):
        raise no_analysis()
    return analysis_id


AnalysisId = Annotated[str, Depends(analysis_id_of)]
EvaluationId = Annotated[str, Depends(evaluation_id_of)]
ImageSetId = Annotated[str, Depends(image_set_id_of)]
ExplanationId = Annotated[str, Depends(explanation_id_of)]
RepairId = Annotated[str, Depends(repair_id_of)]
