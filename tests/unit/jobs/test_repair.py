"""Repairs: equal cuts in one spelling, digests, and jobs that carry them or know nothing of them."""

from __future__ import annotations

import hashlib
import itertools

import pytest

from jobs.fingerprint import job_id, repair_id
from jobs.job import Job, MethodRef, ModelRef
from jobs.repair import ModelCuts, WeightCut, merged, n_indices
from tests.samples import repaired_model, sample_job, sample_model


def cut(weight: str, rows: tuple[int, ...], columns: tuple[int, ...]) -> WeightCut:
    return WeightCut(weight=weight, rows=rows, columns=columns)


def zeros(cuts: tuple[WeightCut, ...]) -> set[tuple[str, int, int]]:
    return {(one.weight, row, column) for one in cuts for row in one.rows for column in one.columns}


CUTS = (cut("b", (2, 0, 2), (1,)), cut("a", (0,), (3, 1)), cut("b", (0, 2), (5,)), cut("b", (4,), (1, 5)))


def test_equal_cuts_in_any_order_and_in_pieces_are_one() -> None:
    orders = [merged(order) for order in itertools.permutations(CUTS)]
    assert orders[0] == (cut("a", (0,), (1, 3)), cut("b", (0, 2, 4), (1, 5)))
    assert set(orders) == {orders[0]}
    assert zeros(orders[0]) == zeros(CUTS)
    assert merged(orders[0]) == orders[0]
    assert n_indices(orders[0]) == 3 + 5


def test_a_digest_is_that_of_the_base_and_the_cuts() -> None:
    text = '{"base":"sha256:00","cuts":[{"columns":[1],"rows":[0,2],"weight":"b"}]}'
    expected = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    assert ModelCuts(base="sha256:00", cuts=(cut("b", (0, 2), (1,)),)).digest == expected


def test_a_repaired_model_waits_where_its_base_does_under_a_name_of_its_own() -> None:
    base = sample_model()
    model = repaired_model(base)
    assert model.base == base
    assert base.base is base
    assert model.key == base.key == base.own_key
    assert model.own_key == f"{model.id}@{model.digest[7:19]}" != base.own_key
    assert model.named == ModelRef(id=model.id, digest=model.digest)
    assert len({model, base, model.named, repaired_model(base)}) == 3


def test_a_job_carries_what_is_cut_and_one_of_a_plain_model_does_not_speak_of_it() -> None:
    plain = sample_job()
    assert plain.model_dump(mode="json")["model"] == {"id": plain.model.id, "digest": plain.model.digest}
    job = sample_job(model=repaired_model())
    again = Job.model_validate_json(job.model_dump_json())
    assert again == job
    assert again.model.repair == repaired_model().repair


def name_of(model: ModelRef) -> str:
    method = MethodRef(name="saliency", version=1)
    return job_id(
        b"secret",
        tenant="clinic",
        image_digest="sha256:00",
        model=model,
        method=method,
        targets=(),
        metrics=(),
        seed=0,
    )


def test_explanations_of_the_base_and_of_what_it_becomes_are_not_one() -> None:
    base, model = sample_model(), repaired_model()
    assert name_of(model) != name_of(base)
    assert name_of(model) == name_of(repaired_model())
    assert name_of(base) == "zuwbvlcvvc7oenlbiu3faxdxi2pgpqdb"  # as before there were repairs


@pytest.mark.parametrize("changed", [{"tenant": "other"}, {"model": "other"}, {"digest": "sha256:01"}])
def test_an_id_is_of_a_tenant_a_model_and_what_it_becomes(changed: dict[str, str]) -> None:
    known = {"tenant": "clinic", "model": "net", "digest": "sha256:00"}
    assert repair_id(b"secret", **known) == repair_id(b"secret", **known)
    assert repair_id(b"secret", **known) != repair_id(b"secret", **known | changed)
    assert repair_id(b"secret", **known) != repair_id(b"other secret", **known)
