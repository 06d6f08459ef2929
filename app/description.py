"""The OpenAPI document as a whole: what all routes have in common, and the schemas that they refer to."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from app import letters, models, schemas, targets
from app.analyses.desk import AnalysisRequest
from app.analyses.documents import AnalysesCatalogue, AnalysisDocument
from app.analyses.kinds import KINDS
from app.contract import Json, problem, ref
from app.errors import ProblemBody, status_of
from app.evaluator.asking import EvaluationRequest
from app.evaluator.documents import EvaluationDocument
from app.image_sets.documents import ImageSetDocument
from app.repairs.desk import RepairRequest
from app.repairs.documents import RepairDocument, RepairList
from app.webhooks.bodies import AnalysisMessage, WebhookMessage
from app.webhooks.contract import called
from jobs.catalogue import MethodCard
from jobs.errors import InternalError, InvalidRequest, RationaleError, Unauthorised, Unavailable
from jobs.job import Subject

ASKED: tuple[type[BaseModel], ...] = (
    schemas.ExplanationRequest,
    schemas.BatchRequest,
    schemas.Spec,
    EvaluationRequest,
    AnalysisRequest,
    RepairRequest,
)
ANSWERED: tuple[type[BaseModel], ...] = (
    ProblemBody,
    schemas.Explanation,
    schemas.Explanations,
    ImageSetDocument,
    EvaluationDocument,
    AnalysisDocument,
    AnalysesCatalogue,
    *(kind.result for kind in KINDS.values()),
    RepairDocument,
    RepairList,
    schemas.MethodList,
    MethodCard,
    schemas.MetricsCatalogue,
    models.Models,
    models.ModelEntry,
    targets.RawHeatmap,
    targets.ProgressDocument,
    letters.DeadLetterDocument,
    letters.DeadLetterPage,
    letters.Retried,
    letters.AllRetried,
    WebhookMessage,
    AnalysisMessage,
    schemas.Live,
    schemas.Ready,
)

CALLED = {
    Subject.EXPLANATION: WebhookMessage,
    Subject.ANALYSIS: AnalysisMessage,
    Subject.EVALUATION: AnalysisMessage,
}


def describe(app: FastAPI) -> None:
    """Make the app describe itself completely."""

    def openapi() -> Json:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way


def _document(app: FastAPI) -> Json:
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, tags=TAGS
    )
    components = document.setdefault("components", {})
    components.setdefault("schemas", {}).update(_schemas())
    for name in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(name, None)
    components["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key, `rat_<id>_<secret>`."}
    }
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _complete(operation, public=path in {"/livez", "/readyz"})
    document["webhooks"] = {
        subject.value: {"post": called(subject, ref(message))} for subject, message in CALLED.items()
    }
    return document


TAGS = [
    {"name": "explanations", "description": "Ask why, and follow the work."},
    {"name": "pictures", "description": "Look at the relevance."},
    {"name": "image sets", "description": "Pictures that are sent once and asked about many times."},
    {"name": "evaluations", "description": "How far the explanations of models can be believed."},
    {"name": "analyses", "description": "What can be found out about a model on many pictures."},
    {"name": "menu", "description": "What can be asked."},
    {"name": "dead letters", "description": "For operators: what was given up, and how to try it again."},
    {"name": "health", "description": "For probes and Prometheus; stands outside of `/api/v1`."},
]


def _schemas() -> Json:
    asked = models_json_schema(
        [(model, "validation") for model in ASKED], ref_template="#/components/schemas/{model}"
    )
    answered = models_json_schema(
        [(model, "serialization") for model in ANSWERED], ref_template="#/components/schemas/{model}"
    )
    return {**answered[1]["$defs"], **asked[1]["$defs"]}


def _complete(operation: Json, *, public: bool) -> None:
    """Add what holds for every route."""
    responses = operation["responses"]
    everywhere: list[type[RationaleError]] = [InternalError, Unavailable]
    if not public:
        operation["security"] = [{"key": []}]
        everywhere += [Unauthorised]
    if operation.get("parameters") or "requestBody" in operation:
        everywhere += [InvalidRequest]
    else:
        responses.pop("422", None)
    for error in everywhere:
        responses[str(status_of(error))] = problem(error)
    operation["responses"] = dict(sorted(responses.items()))
