"""When a device counts as broken."""

from __future__ import annotations

from workers.parent.health import MOST_JOBS, Health


def test_one_job_alone_never_makes_a_device_broken() -> None:
    health = Health()
    for _ in range(10):
        health.failed(["poison"])
    assert not health.is_broken


def test_jobs_that_failed_together_say_nothing_about_each_of_them() -> None:
    health = Health()
    health.failed([str(number) for number in range(10)])
    assert not health.is_broken


def test_different_jobs_in_a_row_make_it_broken() -> None:
    health = Health()
    for number in range(MOST_JOBS):
        assert not health.is_broken
        health.failed([str(number)])
    assert health.is_broken


def test_a_job_that_is_done_in_between_clears_it() -> None:
    health = Health()
    for number in range(10):
        health.failed([str(number)])
        health.worked()
    assert not health.is_broken
