"""Which causal graphs a job takes along: those of the classes asked for, or of all classes that have one."""

from __future__ import annotations

from collections.abc import Mapping

from app.wishes import Wish
from jobs.catalogue import ModelCard
from jobs.errors import Problem
from jobs.excerpts import MOST_GRAPHS, MOST_NODES, GraphExcerpt

ASK = "ask for one with POST /api/v1/analyses, kind causal-graph"


def graphs_for(
    wish: Wish,
    model: ModelCard,
    known: Mapping[int, GraphExcerpt],
    prefix: str,
    problems: list[Problem],
) -> tuple[GraphExcerpt, ...]:
    """The graphs of a wish out of those known of its model, by class; what is missing becomes a problem."""
    field = f"{prefix}target"
    if any(problem.field == field for problem in problems):
        return ()
    own = {target: graph for target, graph in known.items() if graph.model == model.digest}
    missing = [f"{target} ({model.labels[target]})" for target in wish.targets if target not in own]
    chosen = [own[target] for target in wish.targets or own if target in own]
    if missing:
        words = f"{wish.method.name} needs a causal graph of class {', '.join(missing)}: {ASK}"
        problems.append(Problem(field=field, message=words))
    elif not chosen:
        words = f"{wish.method.name} needs a causal graph, and no class of {model.id} has one: {ASK}"
        problems.append(Problem(field=field, message=words))
    elif len(chosen) > MOST_GRAPHS or sum(graph.nodes for graph in chosen) > MOST_NODES:
        words = f"{len(chosen)} classes have a causal graph, more than fit into one job: name some of them"
        problems.append(Problem(field=field, message=words))
    return tuple(chosen)
