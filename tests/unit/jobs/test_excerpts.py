"""What a job carries of a causal graph: what maps are drawn from, and the digest of the whole."""

from __future__ import annotations

from jobs.causal import CausalGraph
from jobs.excerpts import LayerExcerpt
from tests.samples import sample_job
from tests.unit.app.analyses.graphs import graph, layer

GRAPH = graph(layer("stem", 0, 0.5, 0), layer("block", -0.5, 0.25, -0.125, 0))


def test_necessary_nodes_are_kept_with_their_effects_and_others_where_there_is_none() -> None:
    found = GRAPH.excerpt
    assert found.layers == (
        LayerExcerpt(name="stem", necessary=(), effects=(), others=(0, 2)),
        LayerExcerpt(name="block", necessary=(0, 2), effects=(-0.5, -0.125)),
    )
    assert [one.parents for one in found.layers] == [(0, 2), (0, 2)]
    assert found.nodes == 4
    assert (found.target, found.label, found.images) == (2, "nodule", 7)
    assert (found.digest, found.model) == (GRAPH.digest, GRAPH.model.digest)


def test_equal_graphs_have_equal_digests_whatever_they_took_and_wherever_they_were() -> None:
    slower = GRAPH.model_copy(update={"seconds": 99.0, "forwards": 5.0})
    assert CausalGraph.model_validate_json(slower.model_dump_json()).digest == GRAPH.digest
    others: list[dict[str, object]] = [{"target": 1}, {"images": 8}, {"layers": GRAPH.layers[:1]}]
    assert GRAPH.digest not in {GRAPH.model_copy(update=other).digest for other in others}


def test_a_job_without_graphs_does_not_speak_of_them() -> None:
    job = sample_job()
    assert "graphs" not in job.model_dump_json()
    carrying = job.model_copy(update={"graphs": (GRAPH.excerpt,)})
    assert type(job).model_validate_json(carrying.model_dump_json()) == carrying
