"""All experiments in one run, and the page that tells of them."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator

import torch

from benchmarks.causal import cost, explanations, fidelity, reliability, repair, shortcut, subjects
from benchmarks.causal.page import page
from benchmarks.causal.sections import Section, Verdict
from benchmarks.causal.subjects import Subject
from benchmarks.classics.kept import folder
from benchmarks.figures import Figure
from jobs.causal import CausalGraph
from workers.causal.discovery import discover

THREADS = 1
DIGITS, ANIMALS = range(10), (2, 3, 5)
KNOWN, FEW_KNOWN = 100, 50  # images of a class that a graph is made from

Graphs = dict[int, CausalGraph]


def measure() -> list[Figure]:
    """Write the page into the user's cache, and count the claims that hold.

    Without real images some experiments are left out.
    """
    torch.set_num_threads(THREADS)
    started = time.perf_counter()
    sections = [_timed(make) for make in _experiments()]
    words = (
        f"{platform.machine()}, {os.cpu_count()} cores, {THREADS} thread, torch {torch.__version__}; "
        f"{time.perf_counter() - started:.0f} seconds in all."
    )
    if not subjects.are_here():
        words += " The real images do not lie beside the checkout: what needs them was left out."
    path = folder() / "causal.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(sections, about=words), encoding="utf-8")
    print(f"written to {path}")
    return [_figure(section) for section in sections]


def _experiments() -> Iterator[Callable[[], Section]]:
    if subjects.are_here():
        yield from _on_real_images()
    yield shortcut.section
    yield cost.oracles


def _on_real_images() -> Iterator[Callable[[], Section]]:
    lenet, resnet, worn = subjects.lenet(), subjects.resnet(), subjects.worn()
    of_lenet, of_worn = (_graphs(one, tuple(DIGITS), KNOWN) for one in (lenet, worn))
    of_resnet = _graphs(resnet, ANIMALS, FEW_KNOWN)
    both = [(lenet, of_lenet), (resnet, of_resnet)]
    some = {digit: of_lenet[digit] for digit in (0, 3, 5, 8)}
    yield lambda: reliability.section([(lenet, (0, 3, 5, 8), KNOWN), (resnet, ANIMALS[:2], 20)])
    yield lambda: explanations.section([(lenet, some, 8), (resnet, of_resnet, 5)])
    yield lambda: fidelity.section(both)
    yield lambda: repair.section([(lenet, of_lenet), (worn, of_worn), (resnet, of_resnet)])
    yield lambda: cost.section(cost.graph_of_lenet(lenet), both)


def _graphs(subject: Subject, targets: tuple[int, ...], images: int) -> Graphs:
    return {target: discover(subject.network, subject.known_of(target, images), target) for target in targets}


def _timed(make: Callable[[], Section]) -> Section:
    started = time.perf_counter()
    section = make()
    seconds = time.perf_counter() - started
    for claim in section.claims:
        print(f"{section.title}: {claim.text} {claim.verdict.upper()}: {claim.figures}", flush=True)
    return Section(section.title, section.setting, section.claims, section.shown, seconds)


def _figure(section: Section) -> Figure:
    agreeing = sum(claim.verdict is Verdict.AGREES for claim in section.claims)
    return Figure(
        name=f"causal graphs: {section.title}",
        ours="; ".join(claim.verdict for claim in section.claims),
        peer=f"{len(section.claims)} claims",
        value=float(agreeing),
        goal=None,
        unit="",
    )
