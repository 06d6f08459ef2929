"""How long every method takes beside the fastest library that has it: same batch, same map, in turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from benchmarks.figures import Figure
from benchmarks.methods import claims, sampling
from benchmarks.methods.clock import Lap, race
from benchmarks.methods.contests import Contest, contests
from benchmarks.methods.networks import DEVICE, Subject, subjects, transformer
from benchmarks.methods.ours import ask, explain
from benchmarks.methods.peers import Peer, likeness
from workers.methods import METHODS

THREADS = 2
OURS = "ours"


def measure() -> list[Figure]:
    """Best of several runs in turn, at two threads; methods that do not exist are named and left out."""
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    print(f"best of each side, in turn, {THREADS} threads, on {DEVICE.type}")
    try:
        figures = [figure for subject in subjects() for figure in _on(subject)]
        return [*figures, *claims.on_transformer(transformer()), *sampling.exactness()]
    finally:
        torch.set_num_threads(before)


def _on(subject: Subject) -> list[Figure]:
    every = contests(subject.name)
    missing = sorted({contest.method for contest in every} - METHODS.keys())
    if missing:
        print(f"left out, because they do not exist: {', '.join(missing)}")
    figures = [_measured(subject, contest) for contest in every if contest.method in METHODS]
    return [*figures, *claims.on(subject), *sampling.on(subject)]


def _measured(subject: Subject, contest: Contest) -> Figure:
    subject = replace(subject.first(contest.pictures), layer=contest.layer or subject.layer)
    if contest.peers:
        figure = _compare(subject, contest)
    else:
        figure = claims.in_gradients(subject, contest.method, contest.params)
    print(f"{figure.name}: {figure.ours} / {figure.peer}: {figure.value:.2f}{figure.unit}", flush=True)
    return figure


def _compare(subject: Subject, contest: Contest) -> Figure:
    """Our time in shares of the fastest peer's, and how much the maps differ."""
    asked = ask(contest.method, contest.params, subject)
    sides: Mapping[str, Callable[[], Tensor]] = {
        OURS: partial(explain, subject, asked),
        **{peer.library: peer.prepare(subject) for peer in contest.peers},
    }
    laps = race(sides)
    fastest = min(contest.peers, key=lambda peer: laps[peer.library].seconds)
    same = [_agreement(laps, peer) for peer in contest.peers]
    agreed = all(agreed for agreed, _ in same)
    ratio = laps[OURS].seconds / laps[fastest.library].seconds
    return Figure(
        name=f"{subject.name}, {contest.method}{_where(contest)}, batch of {len(subject.images)}",
        ours=f"{1000 * laps[OURS].seconds:.1f} ms",
        peer="; ".join(
            f"{peer.library} {1000 * laps[peer.library].seconds:.1f} ms ({words})"
            for peer, (_, words) in zip(contest.peers, same, strict=True)
        ),
        value=(1 / ratio if contest.times else ratio) if agreed else float("nan"),  # which reaches no goal
        goal=contest.times or contest.goal,
        lower_is_better=contest.times is None,
    )


def _where(contest: Contest) -> str:
    return f" at {contest.layer}" if contest.layer else ""


def _agreement(laps: Mapping[str, Lap], peer: Peer) -> tuple[bool, str]:
    """Whether the maps are as like as they should be, and in words how like they are."""
    least, mean = likeness(laps[OURS].result, laps[peer.library].result)
    if peer.tolerance is None:
        return True, f"{peer.note}; correlation {mean:.2f}"
    agreed = least >= 1 - peer.tolerance
    return agreed, f"{'the same' if agreed else 'ANOTHER'} map, correlation {least:.5f}"
