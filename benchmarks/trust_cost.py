"""What measuring costs beside the forward passes that it needs, and beside one pass for each step."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
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
ASKED = ("deletion", "insertion", "max-sensitivity")
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
        }
        seconds = {name: min(_timed(side) for _ in range(ROUNDS)) for name, side in sides.items()}
    words = f"{', '.join(ASKED)} of Grad-CAM on ResNet-18, beside"
    return [
        _figure(f"{words} the passes that they need", seconds["ours"], seconds["forwards"], 1.15),
        _figure(f"{words} a pass for each step", seconds["ours"], seconds["steps"], 0.5),
    ]


def _figure(name: str, ours: float, peer: float, goal: float) -> Figure:
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
        MetricRef(name=name, version=METRICS[name].version, params=METRICS[name].params().model_dump())
        for name in ASKED
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
    asked = [METRICS[name] for name in ASKED]
    return round(JUDGED * sum(one.cost for one in asked)), round(sum(one.explanations for one in asked))


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


def _step_by_step(network: nn.Module, inputs: Tensor) -> None:
    """As libraries do it: change the image, ask the network, for each step of each map by itself."""
    _, n_maps = _counts()
    for image in inputs:
        maps = [workers.explain(network, image[None], TARGET)[0], torch.rand(SIDE, SIDE), image.mean(dim=0)]
        blurred = F.avg_pool2d(image[None], 31, stride=1, padding=15)[0]
        for one in maps:
            order = one.flatten().argsort(descending=True)
            for name in ASKED[:2]:
                steps = METRICS[name].params().model_dump()["steps"]
                for step in range(1, steps + 1):
                    through = torch.zeros(SIDE * SIDE, dtype=torch.bool)
                    through[order[: SIDE * SIDE * step // steps]] = True
                    shown = through if name == "insertion" else ~through
                    with torch.no_grad():
                        network(torch.where(shown.view(SIDE, SIDE), image, blurred)[None]).softmax(dim=1)
        for _ in range(n_maps):
            workers.explain(network, (image + 0.02 * torch.randn_like(image))[None], TARGET)


if __name__ == "__main__":
    from benchmarks.figures import print_figures

    print_figures(measure())
