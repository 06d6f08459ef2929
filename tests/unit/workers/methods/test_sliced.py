"""A method whose work is cut into slices among others gives the maps that it gives alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Lock

import pytest
import torch
from torch import Tensor, nn

from jobs.job import Flow, Lane
from tests.unit.workers.graphs import graphs_of
from tests.unit.workers.methods.likeness import assert_equal_maps
from tests.unit.workers.methods.test_every_method import (
    FINENESS,
    OF_THE_PREDICTED,
    REFUSED,
    TARGETS,
    cheap,
    fitting,
    network_of,
    references,
    run,
    traces,
)
from tests.unit.workers.networks import SUBJECTS
from workers.child.baton import Baton
from workers.graph import tracing
from workers.methods import METHODS
from workers.probe import Circumstances, Interrupted, Probe, layers
from workers.probe.passes import Pass
from workers.tasks import recording_for

# They read layers, walk on the graph, and go down slopes: all on the same network meanwhile.
COMPANY = ("guided-grad-cam", "meaningful-perturbation")
LOCKS: tuple[Lock, ...] = (tracing._lock, layers._surveys_lock)

FLOW = Flow(Lane.INTERACTIVE, "clinic")

Pause = Callable[[], None]


class Sliced:
    """Batches on one network that pass the device on at every checkpoint."""

    def __init__(self, network: nn.Module, images: Tensor) -> None:
        self._network, self._images = network, images
        self._ended: SimpleQueue[tuple[int, Tensor | BaseException]] = SimpleQueue()
        self.turns: list[int] = []
        self._baton = Baton(0.0, self.turns.append, torch.get_num_threads)

    def explain(self, methods: Sequence[str]) -> list[Tensor]:
        """The maps of all methods, computed by turns."""
        for number, method in enumerate(methods):
            self._baton.open(number, [FLOW], self._work(number, method))
        found = dict(self._ended.get(timeout=60) for _ in methods)
        self._baton.stop()
        for answer in found.values():
            if isinstance(answer, BaseException):
                raise answer
        return [answer for _, answer in sorted(found.items()) if isinstance(answer, Tensor)]

    def _work(self, number: int, method: str) -> Callable[[], None]:
        def work() -> None:
            try:
                with torch.no_grad():
                    answer = maps(self._network, self._images, method, lambda: self._pause(number))
                self._ended.put((number, answer))
            except BaseException as error:  # noqa: BLE001 - the test raises it
                self._ended.put((number, error))

        return work

    def _pause(self, number: int) -> None:
        assert_nothing_is_left_on(self._network)
        self._baton.checkpoint(number)


def maps(network: nn.Module, images: Tensor, method: str, pause: Pause) -> Tensor:
    """Those of `workers.explain`, with a checkpoint."""
    chosen, params = METHODS[method], METHODS[method].params(**cheap(method))
    shared = Pass(network, images, recording_for(chosen, params, Pass(network, images)))
    targets = shared.logits.argmax(dim=1).tolist() if method in OF_THE_PREDICTED else TARGETS
    rows = range(len(images))
    shared.expect(list(zip(rows, targets, strict=True)))
    probe = Probe(
        shared,
        rows,
        targets,
        circumstances=Circumstances(lambda _: pause()),
        references=references(images),
        graphs=[[graph.excerpt for graph in graphs_of(network, images, targets)]] * len(images),
    )
    return chosen.explain(probe, params).maps.detach().float()


def assert_nothing_is_left_on(network: nn.Module) -> None:
    """No hook and no lock is held at a checkpoint: what others compute meanwhile would meet them."""
    hooks = [
        hook
        for module in network.modules()
        for held in (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks)
        for hook in held
    ]
    assert not hooks
    assert not any(lock.locked() for lock in LOCKS)


@pytest.mark.parametrize("method", METHODS)
def test_slices_among_others_change_nothing(method: str) -> None:
    subject = fitting(method, "reused-in-place")
    network, images = network_of(subject), SUBJECTS[subject].images()
    company = [other for other in COMPANY if subject not in REFUSED.get(other, ())]
    before = traces(network)

    sliced = Sliced(network, images)
    found, *others = sliced.explain([method, *company])

    assert_equal_maps(found, run(method, subject).maps, tolerance=FINENESS.get(method, 1e-5))
    for other, theirs in zip(company, others, strict=True):
        assert_equal_maps(theirs, run(other, subject).maps, tolerance=FINENESS.get(other, 1e-5))
    assert traces(network) == before
    assert len(sliced.turns) > len(company) + 1, "they took turns"


@pytest.mark.parametrize("method", ["rise", "smoothgrad", "lrp", "meaningful-perturbation"])
def test_a_batch_that_is_interrupted_among_others_does_not_disturb_them(method: str) -> None:
    subject = fitting(method, "reused-in-place")
    network, images = network_of(subject), SUBJECTS[subject].images()
    before, stops = traces(network), iter([False] * 2 + [True] * 99)
    gone: list[BaseException] = []
    baton, done = Baton(0.0, lambda _: None, torch.get_num_threads), SimpleQueue[Tensor | None]()

    def interrupt() -> None:
        baton.checkpoint(1)
        if next(stops):
            raise Interrupted

    def interrupted() -> None:
        try:
            maps(network, images, method, interrupt)
        except Interrupted as error:
            gone.append(error)
        done.put(None)

    def whole() -> None:
        with torch.no_grad():
            done.put(maps(network, images, "lime", lambda: baton.checkpoint(2)))

    for number, work in ((1, interrupted), (2, whole)):
        baton.open(number, [FLOW], work)
    found = [done.get(timeout=60), done.get(timeout=60)]
    baton.stop()

    [answer] = [one for one in found if one is not None]
    assert_equal_maps(answer, run("lime", subject).maps)
    assert traces(network) == before
