"""What measuring costs beside the passes that it needs, a pass for each step, and Quantus."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

import workers
from benchmarks.figures import Figure
from jobs.fingerprint import pixels_digest
from jobs.job import ImageRef, Job, MethodRef, MetricRef, Opened
from workers.methods import METHODS
from workers.metrics import METRICS
from workers.models.repository import Repository
from workers.onlooker import Onlooker
from workers.probe.passes import Pass
from workers.runner import CPU_CHUNK_ROWS, Runner

MODEL = """title = "ResNet-18"
architecture = "torchvision:resnet18"
weights = "random"
labels = {labels}
[arguments]
num_classes = 1000
[input]
mode = "rgb"
resize = 224
size = [224, 224]
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
"""
SIDE = 224
IMAGES = 2
ROUNDS = 3
STEPS = 21  # Quantus takes those that divide the number of pixels
PARAMS: dict[str, dict[str, Any]] = {  # Any: parameters of metrics
    "deletion": {"steps": STEPS},
    "insertion": {"steps": STEPS},
    "max-sensitivity": {"samples": 10},
}
JUDGED = 3  # the map, a random one and the edges
TARGET = 3


def measure() -> list[Figure]:
    """Each side takes turns with the others, and its fastest round counts."""
    pixels = torch.randint(0, 256, (IMAGES, SIDE, SIDE, 3), generator=torch.Generator().manual_seed(0))
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory) / "resnet18"
        folder.mkdir()
        (folder / "model.toml").write_text(MODEL.format(labels=[f"class {number}" for number in range(1000)]))
        repository = Repository(Path(directory), phantoms=False)
        runner = Runner(repository, "cpu")
        [card] = repository.cards()
        batch = [_opened(card.ref, image) for image in pixels.to(torch.uint8)]
        network = repository.get(card.ref, "cpu").network
        inputs = F.interpolate(pixels.permute(0, 3, 1, 2).float() / 255, size=SIDE) * 4 - 2
        sides: dict[str, Callable[[], object]] = {
            "ours": lambda: _answered(runner, batch),
            "forwards": lambda: _forwards_alone(network, inputs),
            "steps": lambda: _step_by_step(network, inputs),
            "quantus": lambda: _by_quantus(network, inputs),
        }
        seconds = {name: min(_timed(side) for _ in range(ROUNDS)) for name, side in sides.items()}
    words = f"{', '.join(PARAMS)} of Grad-CAM on ResNet-18, beside"
    return [
        _figure(f"{words} the passes that they need", seconds["ours"], seconds["forwards"], 1.15),
        _figure(f"{words} a pass for each step", seconds["ours"], seconds["steps"], 0.5),
        _figure(f"{words} Quantus", seconds["ours"], seconds["quantus"], None),
    ]


def _figure(name: str, ours: float, peer: float, goal: float | None) -> Figure:
    return Figure(
        name=name,
        ours=f"{ours / IMAGES:.2f} s an image",
        peer=f"{peer / IMAGES:.2f} s",
        value=ours / peer,
        goal=goal,
        lower_is_better=True,
    )


def _timed(side: Callable[[], object]) -> float:
    started = time.perf_counter()
    side()
    return time.perf_counter() - started


def _opened(model: object, image: Tensor) -> Opened:
    pixels = image.numpy().tobytes()
    digest = pixels_digest(pixels, shape=tuple(image.shape), dtype="uint8")
    metrics = [
        MetricRef(
            name=name, version=METRICS[name].version, params=METRICS[name].params(**params).model_dump()
        )
        for name, params in PARAMS.items()
    ]
    job = Job.model_validate(
        {
            "id": digest,
            "tenant": "bench",
            "model": model,
            "method": MethodRef(name="grad-cam", version=METHODS["grad-cam"].version),
            "image": ImageRef(key=digest, digest=digest, height=SIDE, width=SIDE, channels=3, dtype="uint8"),
            "targets": (TARGET,),
            "metrics": metrics,
        }
    )
    return Opened(job, pixels)


def _answered(runner: Runner, batch: list[Opened]) -> None:
    for answer in runner.run(batch, Onlooker()):
        if answer.outcome.result is None:
            raise RuntimeError(str(answer.outcome.failure))


def _counts() -> tuple[int, int]:
    """Forward passes and further maps for one image, with its peers."""
    return JUDGED * 2 * STEPS, PARAMS["max-sensitivity"]["samples"]


def _forwards_alone(network: nn.Module, inputs: Tensor) -> None:
    """The passes on images that are there already, and the maps, with nothing else done."""
    passes, maps = _counts()
    shared = Pass(network, inputs)
    with torch.no_grad():
        for start in range(0, passes * len(inputs), CPU_CHUNK_ROWS):
            rows = min(CPU_CHUNK_ROWS, passes * len(inputs) - start)
            shared.forward(inputs[:1].expand(rows, -1, -1, -1))
    for _ in range(0, (maps + 1) * len(inputs), CPU_CHUNK_ROWS):
        workers.explain(network, inputs[:1].expand(CPU_CHUNK_ROWS, -1, -1, -1), TARGET)


def _judged(network: nn.Module, image: Tensor) -> Tensor:
    """(JUDGED, H, W): the map of an image, and what is judged beside it."""
    own = workers.explain(network, image[None], TARGET)
    return torch.cat([own, torch.rand(1, SIDE, SIDE), image.mean(dim=0, keepdim=True)])


def _step_by_step(network: nn.Module, inputs: Tensor) -> None:
    """Change the image, ask the network, for each step of each map by itself."""
    _, n_maps = _counts()
    for image in inputs:
        blurred = F.avg_pool2d(image[None], 31, stride=1, padding=15)[0]
        for one in _judged(network, image):
            order = one.flatten().argsort(descending=True)
            for is_insertion in (False, True):
                for step in range(1, STEPS + 1):
                    through = torch.zeros(SIDE * SIDE, dtype=torch.bool)
                    through[order[: SIDE * SIDE * step // STEPS]] = True
                    shown = through if is_insertion else ~through
                    with torch.no_grad():
                        network(torch.where(shown.view(SIDE, SIDE), image, blurred)[None]).softmax(dim=1)
        for _ in range(n_maps):
            workers.explain(network, (image + 0.02 * torch.randn_like(image))[None], TARGET)


def _by_quantus(network: nn.Module, inputs: Tensor) -> None:
    """As many passes and maps of the same method; all images and maps go through the network together.

    It has no insertion: pixels are flipped in the other order for it. What it puts in their place is one
    number, which is the fastest that it can do.
    """
    import quantus

    # Any: what Quantus also hands over
    def explain(model: nn.Module, inputs: NDArray[np.float32], **_: Any) -> NDArray[np.float32]:
        return np.asarray(workers.explain(model, torch.as_tensor(inputs), TARGET).numpy())

    maps = torch.stack([_judged(network, image) for image in inputs])
    images, targets = inputs.repeat_interleave(JUDGED, dim=0).numpy(), np.full(JUDGED * len(inputs), TARGET)
    flat = maps.flatten(0, 1).numpy()
    usual: dict[str, Any] = {"normalise": False, "disable_warnings": True}
    flipping = quantus.PixelFlipping(features_in_step=3 * SIDE * SIDE // STEPS, perturb_baseline=0.0, **usual)
    for one in (flat, flat.max() - flat):
        flipping(network, images, targets, a_batch=one, softmax=True, channel_first=True)
    own = maps[:, 0].numpy()
    quantus.MaxSensitivity(nr_samples=PARAMS["max-sensitivity"]["samples"], lower_bound=0.02, **usual)(
        network,
        inputs.numpy(),
        targets[: len(inputs)],
        a_batch=own,
        explain_func=explain,
        channel_first=True,
    )


if __name__ == "__main__":
    from benchmarks.figures import print_figures

    print_figures(measure())
