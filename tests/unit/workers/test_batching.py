"""Which jobs run together, and whose turn it is."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from jobs.catalogue import Catalogue, Family, MethodCard, Need
from jobs.job import ImageRef, Job, MethodRef, ModelRef
from jobs.queue import Claim
from tests.samples import sample_job, sample_model
from workers.batching import Batch, Planner, Waiting, needs_of

A = sample_model("a")
B = sample_model("b")
NEEDS = {
    "saliency": frozenset({Need.INPUT_GRADIENTS}),
    "grad-cam": frozenset({Need.ACTIVATIONS, Need.LAYER_GRADIENTS}),
    "layer-cam": frozenset({Need.ACTIVATIONS, Need.LAYER_GRADIENTS}),
    "eigen-cam": frozenset({Need.ACTIVATIONS}),
}
PLANNER = Planner(NEEDS, max_batch=4, max_bytes=10_000)
_entries = count(1)


def claim(
    model: ModelRef = A,
    method: str = "saliency",
    *,
    entry: str = "",
    n_bytes: int = 64,
    image: str | None = None,
) -> Claim:
    job = sample_job(model=model, image=image)
    sized = ImageRef.model_validate(job.image.model_dump() | {"height": 1, "width": n_bytes})
    changed = job.model_copy(update={"method": MethodRef(name=method, version=1), "image": sized})
    return Claim(Job.model_validate(changed.model_dump()), entry or f"{next(_entries)}-0", "w", 0, 1)


def admitted(*claims: Claim) -> list[Waiting]:
    return [PLANNER.admit(one) for one in claims]


def all_batches(waiting: list[Waiting]) -> list[Batch]:
    """Plan until nobody waits."""
    batches = []
    while batch := PLANNER.plan(waiting):
        batches.append(batch)
        waiting = [one for one in waiting if one.claim not in batch.claims]
    return batches


def test_nobody_waits_and_nothing_is_planned() -> None:
    assert PLANNER.plan([]) is None


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


def test_methods_with_equal_needs_run_together_and_others_do_not() -> None:
    batches = all_batches(admitted(claim(method="grad-cam"), claim(), claim(method="layer-cam")))

    assert [[one.job.method.name for one in batch.claims] for batch in batches] == [
        ["grad-cam", "layer-cam"],
        ["saliency"],
    ]


def test_the_key_of_the_oldest_job_has_its_turn() -> None:
    late = [claim(A, entry=f"20-{number}") for number in range(4)]
    old = claim(B, entry="9-7")

    batch = PLANNER.plan(admitted(*late, old))

    assert batch == Batch((old,), full=False)


def test_a_batch_takes_its_oldest_jobs_first() -> None:
    claims = [claim(entry=f"{age}-0") for age in (30, 100, 4, 50, 20)]

    batch = PLANNER.plan(admitted(*claims))

    assert batch is not None
    assert [one.entry for one in batch.claims] == ["4-0", "20-0", "30-0", "50-0"]


def test_a_suspect_runs_alone_in_its_turn() -> None:
    before, suspect, after = claim(), claim(), claim()
    waiting = [PLANNER.admit(before), PLANNER.admit(suspect, suspect=True), PLANNER.admit(after)]

    assert all_batches(waiting) == [Batch((before, after), full=False), Batch((suspect,), full=True)]


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


@given(st.lists(st.tuples(st.sampled_from([A, B]), st.sampled_from([*NEEDS, "other"]), st.booleans())))
def test_every_job_is_planned_once_with_its_like(
    arrivals: list[tuple[ModelRef, str, bool]],
) -> None:
    waiting = [PLANNER.admit(claim(model, name), suspect=suspect) for model, name, suspect in arrivals]

    batches = all_batches(waiting)

    keys = {one.claim.job.id: one.key for one in waiting}
    planned = [one.job.id for batch in batches for one in batch.claims]
    assert sorted(planned) == sorted(keys)
    for batch in batches:
        assert len(batch.claims) <= PLANNER.max_batch
        assert len({keys[one.job.id] for one in batch.claims}) == 1


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
