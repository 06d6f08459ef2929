"""How many threads an operation gets, in a thread of its own so that the others of the tests keep theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from workers.cores import SECONDS_PER_CORE, Cores


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    before = torch.get_num_threads()
    with ThreadPoolExecutor(1) as pool:
        yield pool
    torch.set_num_threads(before)


def threads_after(pool: ThreadPoolExecutor, *steps: Callable[[], None]) -> list[int]:
    def take() -> list[int]:
        counts = []
        for step in steps:
            step()
            counts.append(torch.get_num_threads())
        return counts

    return pool.submit(take).result()


def cores_of(pool: ThreadPoolExecutor, most: int) -> Cores:
    def make() -> Cores:
        torch.set_num_threads(most)
        return Cores()

    return pool.submit(make).result()


def test_a_small_batch_has_one_and_a_large_one_all(pool: ThreadPoolExecutor) -> None:
    cores = cores_of(pool, 4)
    shares = (0.0, 0.4, 1.0, 2.0, 3.6, 100.0)
    steps = [lambda share=share: cores.begin(share * SECONDS_PER_CORE) for share in shares]

    assert threads_after(pool, *steps) == [1, 1, 1, 2, 4, 4]


def test_while_others_come_one_is_left_to_them(pool: ThreadPoolExecutor) -> None:
    cores = cores_of(pool, 4)
    steps = (
        lambda: cores.begin(1.0),
        lambda: cores.go_on(True),
        lambda: cores.go_on(True),
        lambda: cores.go_on(False),
    )

    assert threads_after(pool, *steps) == [4, 3, 3, 4]


def test_who_has_one_keeps_it(pool: ThreadPoolExecutor) -> None:
    alone = cores_of(pool, 1)
    assert threads_after(pool, lambda: alone.begin(1.0), lambda: alone.go_on(True)) == [1, 1]
    cores = cores_of(pool, 4)
    assert threads_after(pool, lambda: cores.begin(0.0), lambda: cores.go_on(True)) == [1, 1]
