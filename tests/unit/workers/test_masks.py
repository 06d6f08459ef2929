"""Masks on their way to a metric: prepared like the image, one for each row, named where wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from jobs.fingerprint import pixels_digest
from jobs.job import ImageRef, Job, MetricRef, Opened
from jobs.trust import Measurement
from tests.unit.workers.models.folders import write_random
from workers.models.repository import Repository
from workers.onlooker import Onlooker
from workers.runner import Answer, Runner

Ask = Callable[..., tuple[Job, bytes]]
Pixels = np.ndarray[Any, np.dtype[np.uint8]]
LOCALISATION = ("pointing-game", "relevance-mass", "relevance-rank", "iou")
SHAPE = (70, 90)


def half(*, left: bool = True, shape: tuple[int, int] = SHAPE) -> Pixels:
    """The left half of a picture, or the right one."""
    mask = np.zeros(shape, np.uint8)
    middle = shape[1] // 2
    mask[:, slice(middle) if left else slice(middle, None)] = 255
    return mask


def masked(one: tuple[Job, bytes], mask: Pixels | None, *metrics: str) -> Opened:
    job, pixels = one
    changes: dict[str, Any] = {"metrics": tuple(MetricRef(name=name, version=1) for name in metrics)}
    if mask is not None:
        digest = pixels_digest(mask.tobytes(), shape=mask.shape, dtype="uint8")
        height, width = mask.shape
        changes["mask"] = ImageRef(
            key="m", digest=digest, height=height, width=width, channels=1, dtype="uint8"
        )
    changed = job.model_copy(update=changes)
    return Opened(changed, pixels, mask=None if mask is None else mask.tobytes())


def run(runner: Runner, batch: Sequence[Opened]) -> list[Answer]:
    return list(runner.run(batch, Onlooker()))


def measured(answer: Answer) -> list[dict[str, Measurement]]:
    """What was measured of each target."""
    assert answer.outcome.result is not None, answer.outcome.failure
    return [
        {one.metric: one for one in target.measurements} for target in answer.outcome.result.trust.targets
    ]


def test_the_figures_are_those_of_the_map_and_the_mask_at_the_input(runner: Runner, ask: Ask) -> None:
    left, right = half(), half(left=False)
    batch = [masked(ask(0, targets=(0, 2)), mask, *LOCALISATION) for mask in (left, right)]
    answers = run(runner, batch)
    both = [measured(answer) for answer in answers]

    for row, target in enumerate((0, 2)):
        found = np.frombuffer(answers[0].maps[str(target)], "<f4").reshape(64, 64).astype(np.float64)
        positive = np.clip(found, 0, None)
        one, other = (of_mask[row] for of_mask in both)
        expected = positive[:, :32].sum() / positive.sum()
        assert one["relevance-mass"].value == pytest.approx(expected)
        assert other["relevance-mass"].value == pytest.approx(1 - expected)
        assert one["relevance-mass"].random == pytest.approx(0.5, abs=0.05)
        assert one["relevance-mass"].edges == pytest.approx(0.5, abs=0.1)
        top = np.argsort(-found.ravel())[: 64 * 32] % 64
        assert one["relevance-rank"].value == pytest.approx((top < 32).mean(), abs=0.01)
        assert one["iou"].details == {"pixels": 204, "inside_share": 1.0}
    assert answers[0].maps == answers[1].maps


def test_rows_with_and_without_masks_share_a_batch(runner: Runner, ask: Ask) -> None:
    batch = [
        masked(ask(0, targets=(0, 2)), half(), "sparseness", "relevance-mass"),
        masked(ask(1, targets=(1,)), None, "sparseness"),
        Opened(*ask(2)),
        masked(ask(1, targets=(1,), seed=3), half(left=False), "relevance-mass"),
    ]
    together = [measured(answer) for answer in run(runner, batch)]

    assert [[list(target) for target in job] for job in together] == [
        [["sparseness", "relevance-mass"]] * 2,
        [["sparseness"]],
        [[]],
        [["relevance-mass"]],
    ]
    for one, of_job in zip(batch, together, strict=True):
        [alone] = [measured(answer) for answer in run(runner, [one])]
        for target, lonely in zip(of_job, alone, strict=True):
            for name, said in target.items():
                assert said.value == pytest.approx(lonely[name].value, abs=1e-4)
                assert ("inside_share" in said.details) == (name == "relevance-mass")


def test_a_mask_without_a_pixel_inside_has_no_figures(runner: Runner, ask: Ask) -> None:
    """Neither has what is too dark to be inside: 127 of 255."""
    for level in (0, 127):
        empty = np.full(SHAPE, level, np.uint8)
        [[found]] = [measured(answer) for answer in run(runner, [masked(ask(0), empty, *LOCALISATION)])]
        for said in found.values():
            assert (said.value, said.random, said.edges) == (None, None, None)
            assert said.details["inside_share"] is None


def test_what_the_network_did_not_see_is_no_part_of_the_mask(
    ask: Ask, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Of a wide picture the middle is cut out: a mask at its side is gone, or part of it."""
    root = tmp_path_factory.mktemp("cropping")
    write_random(root, "owls")
    path = root / "owls" / "model.toml"
    path.write_text(path.read_text() + "resize = 64\n")
    runner = Runner(Repository(root, phantoms=False), "cpu")
    model = runner.cards()[0].ref
    shape = (64, 128)
    gone, part = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    gone[:, :32] = 255
    part[:, :48] = 255
    shares = []
    for mask in (gone, part, half(shape=shape)):
        job, pixels = ask(0, targets=(0,), shape=(*shape, 3))
        opened = masked((job.model_copy(update={"model": model}), pixels), mask, "relevance-mass")
        [[found]] = [measured(answer) for answer in run(runner, [opened])]
        shares.append(
            (found["relevance-mass"].value is None, found["relevance-mass"].details["inside_share"])
        )
    assert shares == [(True, 0.0), (False, pytest.approx(1 / 3)), (False, 0.5)]


def test_the_result_names_its_mask(runner: Runner, ask: Ask) -> None:
    batch = [masked(ask(0), half(), "iou"), Opened(*ask(1))]
    results = [answer.outcome.result for answer in run(runner, batch)]

    assert results[0] is not None
    assert results[1] is not None
    assert batch[0].job.mask is not None
    assert results[0].provenance.mask == batch[0].job.mask.digest
    assert "mask" not in results[1].provenance.model_dump()


def test_what_is_wrong_with_a_mask_fails_its_own_job_and_names_it(runner: Runner, ask: Ask) -> None:
    broken = masked(ask(3), half(left=False), "iou")
    answers = run(
        runner,
        [
            masked(ask(0), None, "iou"),
            masked(ask(0), half(), "sparseness"),
            masked(ask(0), half(shape=(90, 70)), "iou"),
            Opened(broken.job, broken.pixels, mask=b"too short"),
            masked(ask(0), half(), "iou"),
        ],
    )

    failures = [answer.outcome.failure for answer in answers]
    assert failures[4] is None
    assert [failure and failure.code for failure in failures[:4]] == [
        "not-explainable",
        "not-explainable",
        "not-explainable",
        "internal-error",
    ]
    for failure in failures[:3]:
        assert failure is not None
        assert [problem.field for problem in failure.problems] == ["mask"]
