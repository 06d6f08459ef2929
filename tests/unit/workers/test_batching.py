"""Which jobs run together, and whose turn it is."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.catalogue import Catalogue, Family, MethodCard, Need
from jobs.job import Lane, ModelRef
from jobs.queue import Claim
from tests.samples import repaired_model
from tests.unit.workers.claims import A, B, claim, survey
from workers.batching import AFFINITY_SECONDS, Batch, Planner, Waiting, needs_of

NEEDS = {
    "saliency": frozenset({Need.INPUT_GRADIENTS}),
    "grad-cam": frozenset({Need.ACTIVATIONS, Need.LAYER_GRADIENTS}),
    "layer-cam": frozenset({Need.ACTIVATIONS, Need.LAYER_GRADIENTS}),
    "eigen-cam": frozenset({Need.ACTIVATIONS}),
}


def planner(max_batch: int = 4) -> Planner:
    return Planner(NEEDS, max_batch, max_bytes=10_000)


def admitted(*claims: Claim) -> list[Waiting]:
    return [planner().admit(one, 0.0) for one in claims]


def next_of(turns: Planner, waiting: list[Waiting], now_seconds: float = 0.0) -> Batch | None:
    """The cheap ones first."""
    batches = (turns.plan(waiting, now_seconds, cheap=cheap) for cheap in (True, False))
    return next(filter(None, batches), None)


def all_batches(waiting: list[Waiting], *, now_seconds: float = 0.0) -> list[Batch]:
    """Plan until nobody waits."""
    batches, turns = [], planner()
    while batch := next_of(turns, waiting, now_seconds):
        turns.begin(batch)
        batches.append(batch)
        waiting = [one for one in waiting if one.claim not in batch.claims]
    return batches


def plan(*claims: Claim) -> Batch:
    batch = next_of(planner(), admitted(*claims))
    assert batch is not None
    return batch


def test_nobody_waits_and_nothing_is_planned() -> None:
    assert next_of(planner(), []) is None


def test_what_reads_layers_joins_a_pass_that_records_their_gradients() -> None:
    batches = all_batches(admitted(claim(method="eigen-cam"), claim(), claim(method="grad-cam")))

    assert [[one.job.method.name for one in batch.claims] for batch in batches] == [
        ["eigen-cam", "grad-cam"],
        ["saliency"],
    ]


def test_alternating_arrivals_make_full_batches() -> None:
    arrivals = admitted(*(claim(model) for _ in range(4) for model in (A, B)))

    first, second = all_batches(arrivals)

    assert [one.job.model for one in first.claims] == [A] * 4
    assert [one.job.model for one in second.claims] == [B] * 4
    assert first.full
    assert second.full


def test_a_repaired_model_shares_a_queue_with_its_base_but_no_pass() -> None:
    repaired = repaired_model(A)
    arrivals = [claim(model) for _ in range(2) for model in (A, repaired)]
    assert {one.job.model.key for one in arrivals} == {A.key}

    batches = all_batches(admitted(*arrivals))

    assert [[one.job.model for one in batch.claims] for batch in batches] == [[A] * 2, [repaired] * 2]


def test_methods_with_equal_needs_run_together_and_others_do_not() -> None:
    batches = all_batches(admitted(claim(method="grad-cam"), claim(), claim(method="layer-cam")))

    assert [[one.job.method.name for one in batch.claims] for batch in batches] == [
        ["grad-cam", "layer-cam"],
        ["saliency"],
    ]


def test_the_key_of_the_oldest_job_has_its_turn() -> None:
    late = [claim(A, entry=f"20-{number}") for number in range(4)]
    old = claim(B, entry="9-7")

    assert plan(*late, old) == Batch((old,), full=False)


def test_a_batch_takes_its_oldest_jobs_first() -> None:
    claims = [claim(entry=f"{age}-0") for age in (30, 100, 4, 50, 20)]

    assert [one.entry for one in plan(*claims).claims] == ["4-0", "20-0", "30-0", "50-0"]


def test_a_suspect_runs_alone_in_its_turn() -> None:
    before, suspect, after = claim(), claim(), claim()
    waiting = [planner().admit(one, 0.0, suspect=one is suspect) for one in (before, suspect, after)]

    assert all_batches(waiting) == [Batch((before, after), full=False), Batch((suspect,), full=True)]


def test_a_survey_runs_alone_and_waits_for_no_mates() -> None:
    first, second, other = survey(), survey(), claim(method="headcount")
    waiting = admitted(first, other, second)

    assert sorted(all_batches(waiting), key=lambda batch: batch.claims[0].entry) == [
        Batch((first,), full=True, cheap=False),
        Batch((second,), full=True, cheap=False),
        Batch((other,), full=False),
    ]


def test_a_batch_is_full_when_its_pixels_are_many() -> None:
    first, second, third = (claim(n_bytes=4_000) for _ in range(3))

    assert all_batches(admitted(first, second, third)) == [
        Batch((first, second), full=True),
        Batch((third,), full=False),
    ]


def test_an_image_larger_than_a_batch_runs_alone() -> None:
    large, small = claim(n_bytes=10_001), claim()

    assert all_batches(admitted(large, small)) == [Batch((large,), full=True), Batch((small,), full=False)]


def test_many_questions_about_one_large_image_run_together() -> None:
    same = [claim(n_bytes=10_000, image="one") for _ in range(3)]

    assert all_batches(admitted(*same)) == [Batch(tuple(same), full=True)]


def test_references_count_among_the_pixels_of_a_batch() -> None:
    def with_reference(key: str) -> Claim:
        one = claim(n_bytes=1_000)
        reference = one.job.image.model_copy(update={"key": key, "width": 3_000})
        return replace(one, job=one.job.model_copy(update={"reference": reference}))

    shared, apart = ([with_reference(key) for key in keys] for keys in ("rrr", "abc"))

    assert all_batches(admitted(*shared)) == [Batch(tuple(shared), full=False)]
    assert [len(batch.claims) for batch in all_batches(admitted(*apart))] == [2, 1]


def test_a_method_that_is_not_on_the_menu_does_not_stop_the_others() -> None:
    known, unknown = claim(), claim(method="of-tomorrow")

    assert all_batches(admitted(known, unknown)) == [
        Batch((known,), full=False),
        Batch((unknown,), full=False),
    ]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([A, B]),
            st.sampled_from([*NEEDS, "other"]),
            st.booleans(),
            st.sampled_from(["t", "u"]),
            st.sampled_from(Lane),
        )
    )
)
def test_every_job_is_planned_once_with_its_like(
    arrivals: list[tuple[ModelRef, str, bool, str, Lane]],
) -> None:
    waiting = [
        planner().admit(claim(model, name, tenant=tenant, lane=lane), 0.0, suspect=suspect)
        for model, name, suspect, tenant, lane in arrivals
    ]

    batches = all_batches(waiting)

    keys = {one.claim.job.id: one.key for one in waiting}
    planned = [one.job.id for batch in batches for one in batch.claims]
    assert sorted(planned) == sorted(keys)
    for batch in batches:
        assert len(batch.claims) <= 4
        assert len({keys[one.job.id] for one in batch.claims}) == 1


def test_the_model_that_ran_last_is_preferred_for_a_while() -> None:
    turns = planner()
    batch = next_of(turns, admitted(claim(A)))
    assert batch is not None
    turns.begin(batch)
    of_b, of_a = claim(B), claim(A)
    waiting = [turns.admit(of_b, 10.0), turns.admit(of_a, 11.9)]

    def first(now_seconds: float) -> Claim:
        batch = next_of(turns, waiting, now_seconds)
        assert batch is not None
        return batch.claims[0]

    assert first(10.0 + AFFINITY_SECONDS - 0.01) == of_a
    assert first(10.0 + AFFINITY_SECONDS) == of_b


def test_a_model_without_end_of_jobs_keeps_others_waiting_no_longer_than_affinity_lasts() -> None:
    turns, began = planner(), []
    waits, other = turns.admit(claim(A), 0.0), turns.admit(claim(B), 0.0)
    for quarter in range(12):
        batch = next_of(turns, [waits, other], quarter / 4)
        assert batch is not None
        turns.begin(batch)
        began.append(batch.claims[0].job.model)
        waits = turns.admit(claim(A), quarter / 4)

    assert began.index(B) == AFFINITY_SECONDS * 4


def test_a_plan_that_is_not_begun_changes_nothing() -> None:
    turns = planner()
    waiting = [turns.admit(claim(tenant=tenant), 0.0) for tenant in "tu"]

    assert next_of(turns, waiting) == next_of(turns, waiting)


def test_tenants_take_turns_before_anything_is_answered() -> None:
    jobs = [claim(A, tenant="t", cost=10) for _ in range(12)] + [claim(B, tenant="u", cost=10)]

    assert [{one.job.tenant for one in batch.claims} for batch in all_batches(admitted(*jobs))][:2] == [
        {"t"},
        {"u"},
    ]


def test_compatible_jobs_of_others_fill_what_a_flow_leaves_empty() -> None:
    others = [claim(tenant="u", entry=f"{age}-0") for age in (2, 3)]
    bulk = claim(tenant="t", lane=Lane.BULK, entry="1-5")
    own = [claim(tenant="t", entry=f"{age}-0") for age in (1, 4)]

    assert plan(*others, bulk, *own).claims == (*own, *others)


def test_bulk_joins_an_interactive_batch_only_as_far_as_a_slice_goes() -> None:
    urgent = claim(entry="1-0", cost=1)
    bulk = [claim(lane=Lane.BULK, cost=2) for _ in range(3)]  # 20 ms each, as far as anybody knows

    assert plan(urgent, *bulk) == Batch((urgent, *bulk[:2]), full=False)


def test_a_batch_is_as_urgent_as_its_most_urgent_job_and_as_old_as_its_oldest() -> None:
    turns = planner()
    bulk, urgent = claim(entry="1-0", lane=Lane.BULK), claim(tenant="u")
    alone = next_of(turns, [turns.admit(bulk, 3.0)])
    together = next_of(turns, [turns.admit(bulk, 3.0), turns.admit(urgent, 2.0)])

    assert alone == Batch((bulk,), full=False, lane=Lane.BULK, since_seconds=3.0)
    assert together == Batch((bulk, urgent), full=False, lane=Lane.INTERACTIVE, since_seconds=2.0)


def test_what_takes_long_runs_singly_and_is_full_at_once() -> None:
    costly = [claim(method="rise", cost=4000) for _ in range(2)]

    assert all_batches(admitted(*costly)) == [Batch((one,), full=True, cheap=False) for one in costly]


def test_cheap_jobs_and_costly_ones_make_batches_apart() -> None:
    cheap, costly = claim(cost=4.9, entry="9-0"), claim(cost=5, entry="2-0")  # 49 ms and 50 ms
    waiting = admitted(cheap, costly)

    assert planner().plan(waiting, 0.0, cheap=True) == Batch((cheap,), full=False)
    assert planner().plan(waiting, 0.0, cheap=False) == Batch((costly,), full=False, cheap=False)


def test_what_a_flow_owes_for_costly_jobs_does_not_delay_its_cheap_ones() -> None:
    turns = planner()
    jobs = [claim(tenant="t", cost=100), claim(tenant="t", entry="8-0"), claim(tenant="u", entry="9-0")]
    waiting = [turns.admit(one, 0.0) for one in jobs]
    batch = turns.plan(waiting, 0.0, cheap=False)
    assert batch is not None
    turns.begin(batch)

    batch = turns.plan(waiting, 0.0, cheap=True)

    assert batch is not None
    assert batch.claims == tuple(jobs[1:])


def test_a_flow_that_is_busy_has_no_turn() -> None:
    waiting = admitted(claim(tenant="t", cost=100), claim(tenant="u", cost=100))
    busy = [waiting[0].flow]

    batch = planner().plan(waiting, 0.0, cheap=False, busy=busy)

    assert batch is not None
    assert batch.claims == (waiting[1].claim,)


def test_a_batch_that_would_take_too_long_is_cut() -> None:
    jobs = [claim(cost=45) for _ in range(3)]  # 0.45 s each, as far as anybody knows

    assert all_batches(admitted(*jobs)) == [
        Batch(tuple(jobs[:2]), full=True, cheap=False),
        Batch((jobs[2],), full=False, cheap=False),
    ]


@pytest.mark.no_cover  # it has the profiler's place
@pytest.mark.parametrize("of_one_tenant", [1, 4, 128])
def test_the_work_of_a_plan_grows_with_the_number_of_jobs_and_no_faster(of_one_tenant: int) -> None:
    few, many = (calls_of_a_plan(number, of_one_tenant) for number in (128, 512))
    assert few < 30 * 128
    assert many < 5 * few


def calls_of_a_plan(jobs: int, of_one_tenant: int) -> int:
    """How many functions a plan of so many waiting jobs calls."""
    turns, methods, calls = planner(max_batch=32), list(NEEDS), 0
    waiting = [
        turns.admit(claim((A, B)[number % 2], methods[number % 4], tenant=f"{number // of_one_tenant}"), 0.0)
        for number in range(jobs)
    ]

    def count(_frame: object, event: str, _detail: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        assert next_of(turns, waiting)
    finally:
        sys.setprofile(None)
    return calls


def test_needs_are_read_from_the_menu() -> None:
    card = MethodCard(
        name="saliency",
        title="Saliency",
        version=1,
        family=Family.GRADIENT,
        needs=(Need.INPUT_GRADIENTS,),
        signed=True,
        class_specific=True,
        cost=2,
        requires="",
        weaknesses=(),
        summary="",
        reference="",
        parameters={},
    )

    assert needs_of(Catalogue(methods=(card,))) == {"saliency": frozenset({Need.INPUT_GRADIENTS})}
