"""Which method is measured with which parameters, and against whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.methods import captum_segments
from benchmarks.methods import captum_side as captum
from benchmarks.methods import grad_cam_side as grad_cam
from benchmarks.methods import zennit_side as zennit
from benchmarks.methods.peers import Peer

NODES = 8
SAMPLES = 8
NOISE = 0.01
WINDOW = {"window": 64, "stride": 40}
REFERENCES = 4
SEGMENTS = 16
COALITIONS = 66  # the two ends among them where they are known
ORDERS = 6
KERNEL_WIDTH = 0.25
FINE = {"resnet18": "layer1", "mobilenet_v2": "features.3"}  # with a grid of 56 x 56
POOLS = "where windows of a max-pool overlap it shares out otherwise"
RELU6 = "it lets ReLU6 pass as a plain gradient"


@dataclass(frozen=True)
class Contest:
    """A method with its parameters beside those who have it; without peers it is measured in gradients.

    `goal` bounds our time, in shares of the fastest peer's; `times` says instead how many times as fast we
    must be. `pictures` is the size of the batch, and `layer` another layer than the network's usual one.
    """

    method: str
    peers: tuple[Peer, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)  # Any: parameters of methods
    goal: float = 1.0
    times: float | None = None
    pictures: int = 8
    layer: str | None = None


def contests(network: str) -> list[Contest]:
    """For a network by its name; what a peer does wrong on it is said in a note."""
    return [*_gradients(), *_class_activation_maps(network), *_backward_rules(network), *_perturbations()]


def _gradients() -> list[Contest]:
    nodes = {"nodes": NODES, "max_nodes": NODES}
    smooth = (captum.smooth_grad(SAMPLES, NOISE), zennit.smooth_grad(SAMPLES, NOISE))
    return [
        Contest("saliency", (captum.saliency(), zennit.saliency())),
        Contest("input-x-gradient", (captum.input_x_gradient(),)),
        Contest("integrated-gradients", (captum.integrated_gradients(NODES),), nodes),
        Contest("smoothgrad", smooth, {"samples": SAMPLES, "noise": NOISE}),
        Contest(
            "gradient-shap",
            (captum.gradient_shap(SAMPLES),),
            {"samples": SAMPLES, "baselines": 1, "noise": 0},
        ),
        Contest("blur-ig", params=nodes),
        Contest("guided-ig", params={"steps": NODES}),
        Contest("fullgrad", (grad_cam.full_grad(),)),
    ]


def _class_activation_maps(network: str) -> list[Contest]:
    eigen = (grad_cam.cam("eigen-cam", tolerance=None, note="any sign, nothing clipped"),)
    return [
        Contest("cam", (grad_cam.cam("cam"),), {"relu": True}),  # there Grad-CAM equals it
        Contest("grad-cam", (captum.grad_cam(), grad_cam.frozen_cam("grad-cam"))),
        Contest("grad-cam", (grad_cam.cam("grad-cam"),), goal=0.4),
        Contest("grad-cam++", (grad_cam.cam("grad-cam++", tolerance=None, note="its epsilon decides"),)),
        Contest("xgrad-cam", (grad_cam.cam("xgrad-cam"),)),
        Contest("hires-cam", (grad_cam.cam("hires-cam"),)),
        Contest("layer-cam", (grad_cam.cam("layer-cam"),)),
        Contest("eigen-cam", eigen),
        Contest("eigen-cam", eigen, times=20, layer=FINE[network]),
        Contest("score-cam", (grad_cam.cam("score-cam", tolerance=None, note="no f(0)"),), pictures=1),
        Contest(
            "ablation-cam",
            (grad_cam.cam("ablation-cam", tolerance=None, note="its float32 cancels"),),
            times=100,
        ),
    ]


def _backward_rules(network: str) -> list[Contest]:
    wrong: dict[str, Any] = {"tolerance": None, "note": RELU6} if network == "mobilenet_v2" else {}
    return [
        Contest("guided-grad-cam", (captum.guided_grad_cam(**wrong),)),
        Contest("deconvnet", (captum.deconvnet(**wrong), zennit.deconvnet(**wrong))),
        Contest("guided-backprop", (captum.guided_backprop(**wrong), zennit.guided_backprop(**wrong))),
        Contest("lrp", (zennit.epsilon_plus(),), {"composite": "epsilon-plus"}),
        Contest("deep-taylor", (zennit.deep_taylor(),)),
        Contest("deeplift", (captum.deep_lift(note=RELU6 if wrong else POOLS),)),
        Contest("deep-shap", (captum.deep_shap(REFERENCES, NOISE),), {"samples": REFERENCES, "noise": NOISE}),
        Contest("excitation-backprop", (zennit.excitation_backprop(),)),
        Contest("contrastive-excitation-backprop"),
        Contest("contextual-decomposition", params=WINDOW),
    ]


def _perturbations() -> list[Contest]:
    cut = {"segmentation": "grid", "segments": SEGMENTS, "baseline": "zero"}
    drawn, ordered = (
        {**cut, "max_samples": COALITIONS},
        {**cut, "max_samples": ORDERS * (SEGMENTS - 1) + 2},
    )
    return [
        Contest("occlusion", (captum.occlusion(**WINDOW),), WINDOW),
        Contest(
            "lime",
            (captum_segments.lime(SEGMENTS, COALITIONS, KERNEL_WIDTH),),
            {**drawn, "kernel_width": KERNEL_WIDTH, "output": "logit"},
            goal=0.7,
            pictures=2,
        ),
        Contest(
            "kernel-shap",
            (captum_segments.kernel_shap(SEGMENTS, COALITIONS),),
            drawn,
            goal=0.7,
            pictures=2,
        ),
        Contest(
            "shapley-sampling",
            (captum_segments.shapley_sampling(SEGMENTS, ORDERS),),
            ordered,
            goal=0.7,
            pictures=2,
        ),
    ]
