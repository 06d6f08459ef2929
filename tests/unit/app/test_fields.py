"""Wrong fields are named once, in the words of JSON, with what would be right."""

from __future__ import annotations

import pytest

from app.analyses.kinds.causal_fidelity import FidelityParams
from app.analyses.kinds.causal_repair import RepairParams
from app.fields import valid
from app.repairs.desk import RepairRequest
from app.requests import Fields
from app.schemas import Asked
from jobs.errors import Problem


def wrong(kind: type[Asked], fields: Fields) -> dict[str, str]:
    problems: list[Problem] = []
    valid(kind, fields, "params.", problems)
    return {problem.field: problem.message for problem in problems}


@pytest.mark.parametrize(
    ("kind", "fields", "expected"),
    [
        (FidelityParams, {"top": []}, {"params.top": "must have 1 or more items"}),
        (FidelityParams, {"top": 3}, {"params.top": "must be a list"}),
        (
            FidelityParams,
            {"tops": [1]},
            {"params.tops": "is not a field of this request; there are: graph, top, draws, seed"},
        ),
        (
            FidelityParams,
            {"top": [-1]},
            {"params.top.0": "Input should be greater than or equal to 0"},
        ),
        (RepairRequest, {"cuts": []}, {"params.cuts": "must have 1 or more items"}),
        (RepairRequest, {"cuts": [7]}, {"params.cuts.0": "must be an object"}),
        (
            RepairRequest,
            {"cuts": [{"weight": "w", "rows": ["0"], "columns": [], "row": 1}]},
            {
                "params.cuts.0.rows.0": "Input should be a valid integer",
                "params.cuts.0.columns": "must have 1 or more items",
                "params.cuts.0.row": "is not a field of this request",
            },
        ),
    ],
)
def test_what_is_wrong(kind: type[Asked], fields: Fields, expected: dict[str, str]) -> None:
    graph = {"graph": "g"} if kind is FidelityParams else {}
    assert wrong(kind, graph | fields) == expected


def test_numbers_of_a_curve_come_in_order_and_once() -> None:
    assert FidelityParams(graph="g", top=(8, 0, 2, 2)).top == (0, 2, 8)
    shares = RepairParams(graph="g", shares=(0.5, -0.0, 0.1, 0.5)).shares
    assert repr(shares) == "(0.0, 0.1, 0.5)"
