"""What random samples cost: beside bare forwards, for more classes, and for the same exactness."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from captum.attr import KernelShap
from torch import Tensor

from benchmarks.figures import Figure
from benchmarks.methods.clock import race
from benchmarks.methods.networks import Subject
from benchmarks.methods.ours import CHUNK_ROWS, ask, explain, explain_together
from benchmarks.methods.phantoms import scenes, trained
from workers.methods import METHODS
from workers.perturbation.fillings import Canvas
from workers.perturbation.random_grids import ROUND, RandomGrids
from workers.phantom.pictures import normalise
from workers.probe import Probe
from workers.probe.passes import Pass

FORWARDS = 512
# Gradient-free methods with as many forwards as make a fair comparison of one class with ten.
GRADIENT_FREE: Mapping[str, Mapping[str, Any]] = {  # Any: parameters of methods
    "occlusion": {"window": 64, "stride": 40},
    "rise": {"max_samples": 128},
    "lime": {"max_samples": 128, "segments": 24},
    "kernel-shap": {"max_samples": 128, "segments": 24},
    "shapley-sampling": {"max_samples": 256, "segments": 24},
    "sobol": {"max_samples": 128, "cells": 4},
    "hsic": {"samples": 128},
}
TEN = 10
PHANTOM = "phantom-resnet"
RUNS, SAMPLES, TRUTH_SAMPLES = 20, 512, 20_000
SEGMENTS = 16
GRID = {"segmentation": "grid", "segments": SEGMENTS, "baseline": "zero", "output": "probability"}


def on(subject: Subject) -> list[Figure]:
    """How fast masks are scored, and what ten classes cost beside one."""
    one = subject.first(1)
    ten = [_ten_classes(one, method, params) for method, params in GRADIENT_FREE.items() if method in METHODS]
    return [_rate(one), *ten]


def exactness() -> list[Figure]:
    """Forwards that we need for the error that plain sampling has, on a phantom."""
    figures = [_as_exact("rise", {"max_samples": SAMPLES}, _plain_rise)]
    if "kernel-shap" in METHODS:
        figures.append(_as_exact("kernel-shap", {"max_samples": SAMPLES, **GRID}, _plain_kernel_shap))
    return figures


def _rate(subject: Subject) -> Figure:
    """RISE beside the same number of forwards of one input, by the same traced network and by itself."""
    asked = ask("rise", {"max_samples": FORWARDS}, subject)
    shared = Pass(subject.network, subject.images)
    inputs = subject.images.expand(CHUNK_ROWS, -1, -1, -1).contiguous()

    def run(forward: Callable[[Tensor], Tensor]) -> Tensor:
        with torch.no_grad():
            return torch.cat([forward(inputs) for _ in range(FORWARDS // CHUNK_ROWS)])

    laps = race(
        {
            "ours": partial(explain, subject, asked),
            "bare": partial(run, shared.forward),
            "module": partial(run, subject.network),
        }
    )
    ours, bare, module = (FORWARDS / laps[side].seconds for side in ("ours", "bare", "module"))
    return Figure(
        name=f"{subject.name}, rise, masks / bare forwards",
        ours=f"{ours:.1f} /s",
        peer=f"forwards of the traced network {bare:.1f} /s, of the module {module:.1f} /s",
        value=ours / bare,
        goal=0.9,
    )


def _ten_classes(subject: Subject, method: str, params: Mapping[str, Any]) -> Figure:  # Any: see above
    asked = [ask(method, params, subject)]
    first = subject.targets[0]
    classes = tuple((first + 100 * step) % 1000 for step in range(TEN))
    laps = race(
        {
            "ten": lambda: explain_together(subject, asked, [classes])[0],
            "one": lambda: explain_together(subject, asked, [(first,)])[0],
        }
    )
    return Figure(
        name=f"{subject.name}, {method}, ten classes / one",
        ours=f"{1000 * laps['ten'].seconds:.0f} ms",
        peer=f"one class {1000 * laps['one'].seconds:.0f} ms",
        value=laps["ten"].seconds / laps["one"].seconds,
        goal=1.05,
        lower_is_better=True,
    )


Plain = Callable[[Pass, int, int], Tensor]  # (pass of one image, its class, seed) -> (H, W)


def _as_exact(method: str, params: Mapping[str, Any], plain: Plain) -> Figure:  # Any: see above
    """The mean squared error falls with the number of samples: its ratio is that of the forwards."""
    chosen, scene = METHODS[method], scenes()[0]
    images = normalise(torch.from_numpy(scene.image[None]))
    shared = Pass(trained(PHANTOM), images)

    def maps(seeds: range, samples: int) -> Tensor:
        probe = Probe(shared, [0] * len(seeds), [scene.label] * len(seeds), seeds=seeds)
        found: Tensor = chosen.explain(
            probe, chosen.params.model_validate({**params, "max_samples": samples})
        ).maps
        return found

    with torch.no_grad():
        truth = maps(range(10_000, 10_001), TRUTH_SAMPLES)
        ours = maps(range(RUNS), SAMPLES)
        theirs = torch.stack([plain(shared, scene.label, seed) for seed in range(RUNS)])
    errors = [float((some - truth).square().mean()) for some in (ours, theirs)]
    return Figure(
        name=f"{PHANTOM}, {method}, forwards for the error of plain sampling",
        ours=f"error {errors[0] ** 0.5:.2e} with {SAMPLES} forwards",
        peer=f"plain: error {errors[1] ** 0.5:.2e} with {SAMPLES} forwards",
        value=errors[0] / errors[1],
        goal=0.6,
        lower_is_better=True,
    )


def _plain_rise(shared: Pass, target: int, seed: int) -> Tensor:
    """As published, on masks of the same kind: each by itself, the mean of score times mask, over p."""
    keep, probe = 0.5, Probe(shared, [0], [target], seeds=[seed])
    sampler = RandomGrids(probe, Canvas(probe, "zero"), cells=7, keep=keep)
    first, every = torch.tensor([0]), torch.tensor([SAMPLES])
    masks = torch.cat([sampler.draw(first, every).codes[0, 0] for _ in range(2 * SAMPLES // ROUND)])
    scores = torch.cat(
        [shared.forward(some[:, None] * shared.images) for some in torch.split(masks, CHUNK_ROWS)]
    )
    weights = scores.softmax(dim=1)[:, target]
    maps: Tensor = torch.tensordot(weights, masks, 1) / len(masks) / keep
    return maps


def _plain_kernel_shap(shared: Pass, target: int, seed: int) -> Tensor:
    """captum's, on the same segments."""
    height, width = shared.images.shape[2:]
    side = int(SEGMENTS**0.5)
    rows, columns = torch.arange(height) * side // height, torch.arange(width) * side // width
    labels = rows[:, None] * side + columns[None, :]
    torch.manual_seed(seed)  # it draws from the global random numbers
    found = KernelShap(lambda inputs: shared.forward(inputs).softmax(dim=1)).attribute(
        shared.images,
        target=target,
        feature_mask=labels[None, None],
        n_samples=SAMPLES,
        perturbations_per_eval=CHUNK_ROWS,
    )
    return torch.as_tensor(found)[0, 0]
