"""What is claimed of our side beyond single methods: one pass for many, and costs counted in gradients."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmarks.figures import Figure
from benchmarks.methods import grad_cam_side
from benchmarks.methods.clock import race
from benchmarks.methods.networks import Subject
from benchmarks.methods.ours import ask, explain, explain_together
from workers.methods import METHODS

EIGHT_CAMS = (
    "cam",
    "grad-cam",
    "grad-cam++",
    "xgrad-cam",
    "hires-cam",
    "layer-cam",
    "eigen-cam",
    "ablation-cam",
)
PEERS_OWN = tuple(name if name != "ablation-cam" else "grad-cam" for name in EIGHT_CAMS)
TEN = 10
IN_GRADIENTS: Mapping[str, tuple[float, Mapping[str, Any]]] = {  # Any: parameters of methods
    "guided-backprop": (1.2, {}),
    "deconvnet": (1.2, {}),
    "lrp": (3.0, {"composite": "epsilon-plus"}),
}
ON_TRANSFORMERS = ("attention-rollout", "transformer-relevance", "transformer-lrp")


def on(subject: Subject) -> list[Figure]:
    """All that can be measured with the methods that exist."""
    figures = [
        in_gradients(subject, method, params, goal=goal)
        for method, (goal, params) in IN_GRADIENTS.items()
        if method in METHODS
    ]
    if set(EIGHT_CAMS) <= METHODS.keys():
        figures.append(_eight_cams(subject))
    return [*figures, _ten_targets(subject)]


def on_transformer(subject: Subject) -> list[Figure]:
    """The methods that no peer has."""
    return [in_gradients(subject, method, {}) for method in ON_TRANSFORMERS if method in METHODS]


def in_gradients(
    subject: Subject,
    method: str,
    params: Mapping[str, Any],  # Any: parameters of methods
    *,
    goal: float | None = None,
) -> Figure:
    """Our time in plain gradients of the input on the frozen network."""
    asked = ask(method, params, subject)
    laps = race({"ours": partial(explain, subject, asked), "gradient": partial(gradient, subject)})
    ours, plain = laps["ours"].seconds, laps["gradient"].seconds
    return Figure(
        name=f"{subject.name}, {method}{_in_words(params)}, in gradients",
        ours=f"{1000 * ours:.1f} ms",
        peer=f"torch, forward and gradient of the input {1000 * plain:.1f} ms",
        value=ours / plain,
        goal=goal,
        unit=" gradients",
        lower_is_better=True,
    )


def _in_words(params: Mapping[str, Any]) -> str:  # Any: parameters of methods
    return f" ({', '.join(f'{name}={value}' for name, value in params.items())})" if params else ""


def gradient(subject: Subject) -> Tensor:
    """(N, H, W): one forward and one gradient of the input, in plain torch."""
    images = subject.images.clone().requires_grad_()
    logits = subject.network(images)
    score = logits.gather(1, torch.tensor(subject.targets, device=logits.device)[:, None]).sum()
    return torch.autograd.grad(score, images)[0].sum(1)


def _eight_cams(subject: Subject) -> Figure:
    """The peer has no CAM, and its Ablation-CAM is measured apart: a Grad-CAM stands for each."""
    asked = [ask(method, {}, subject) for method in EIGHT_CAMS]
    targets = [(target,) for target in subject.targets]
    calls = [grad_cam_side.caller(grad_cam_side.CAMS[method], subject) for method in PEERS_OWN]
    laps = race(
        {
            "ours": lambda: torch.stack(explain_together(subject, asked, targets)),
            "peer": lambda: torch.stack([call() for call in calls]),
        }
    )
    ours, peer = laps["ours"].seconds, laps["peer"].seconds
    return Figure(
        name=f"{subject.name}, eight CAMs from one request",
        ours=f"{1000 * ours:.1f} ms",
        peer=f"pytorch-grad-cam, eight calls {1000 * peer:.1f} ms",
        value=peer / ours,
        goal=8,
    )


def _ten_targets(subject: Subject) -> Figure:
    """Grad-CAM of ten classes for every picture, beside one."""
    asked = [ask("grad-cam", {}, subject)]
    one = [(target,) for target in subject.targets]
    ten = [tuple((target + 100 * step) % 1000 for step in range(TEN)) for target in subject.targets]
    laps = race(
        {
            "ten": lambda: explain_together(subject, asked, ten)[0],
            "one": lambda: explain_together(subject, asked, one)[0],
        }
    )
    return Figure(
        name=f"{subject.name}, grad-cam, ten targets / one",
        ours=f"{1000 * laps['ten'].seconds:.1f} ms",
        peer=f"one target {1000 * laps['one'].seconds:.1f} ms",
        value=laps["ten"].seconds / laps["one"].seconds,
        goal=1.6,
        lower_is_better=True,
    )
