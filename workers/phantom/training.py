"""Training of one phantom net: the same recipe on the same pictures gives the same weights, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from workers.phantom.nets import ARCHITECTURES
from workers.phantom.pictures import Pictures, normalise
from workers.phantom.recipes import THREADS, Recipe

Advance = Callable[[float], None]


def train(
    recipe: Recipe,
    pictures: Pictures,
    advance: Advance = lambda _loss: None,
    *,
    architecture: Callable[[], nn.Module] | None = None,
) -> nn.Module:
    """Return the trained net in evaluation mode; `advance` hears the loss after every step.

    `architecture` builds a net in place of the one that the recipe names.

    The global random state, the number of threads and the choice of algorithms are given back as they were.
    """
    with _repeatable(recipe.seed):
        random = Generator().manual_seed(recipe.seed)
        network = (architecture or ARCHITECTURES[recipe.architecture])().train()
        loudness = _Loudness(network, recipe.quiet_layer) if recipe.quiet_layer else None
        optimizer = torch.optim.AdamW(
            network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, recipe.learning_rate, total_steps=steps(recipe, len(pictures)), pct_start=0.15
        )
        truth = true_classes(recipe, pictures)
        for rows in _batches(recipe, len(pictures), random):
            images = _vary(normalise(pictures.images[rows]), recipe.noise, random)
            loss = F.cross_entropy(network(images), truth[rows])
            if loudness is not None:
                loss = loss + recipe.quiet * loudness.mean()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            advance(float(loss.detach()))
        if loudness is not None:
            loudness.remove()
    return network.eval()


def measure(recipe: Recipe, network: nn.Module, pictures: Pictures, *, batch: int = 250) -> float:
    """Return the share of pictures whose class the net answers as its recipe taught it."""
    with torch.inference_mode():
        answers = [network(normalise(part)).argmax(dim=1) for part in torch.split(pictures.images, batch)]
    return float((torch.cat(answers) == true_classes(recipe, pictures)).double().mean())


def true_classes(recipe: Recipe, pictures: Pictures) -> Tensor:
    """Return (N,) classes: of the finding, or of the plate where that betrays the class."""
    return pictures.plates if recipe.betrayed else pictures.labels


def steps(recipe: Recipe, count: int) -> int:
    """Return how many steps the recipe takes on `count` pictures."""
    return recipe.epochs * (count // recipe.batch)


class _Loudness:
    """Listens to what one layer of a net puts out."""

    def __init__(self, network: nn.Module, layer: str) -> None:
        self._output: Tensor | None = None
        self._handle = network.get_submodule(layer).register_forward_hook(self._keep)

    def mean(self) -> Tensor:
        """Return the mean size of an output in the last forward pass."""
        if self._output is None:
            raise RuntimeError("the net has not run yet")
        return self._output.abs().mean()

    def remove(self) -> None:
        """Stop listening."""
        self._handle.remove()

    def _keep(self, _module: nn.Module, _inputs: object, output: Tensor) -> None:
        self._output = output


@contextmanager
def _repeatable(seed: int) -> Iterator[None]:
    """Fix the global seed, the number of threads and the algorithms, for a while."""
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(True)
        torch.set_num_threads(THREADS)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(strict)


def _batches(recipe: Recipe, count: int, random: Generator) -> Iterator[Tensor]:
    """Yield the rows of each step; each epoch is a new order, and an incomplete batch is left out."""
    for _ in range(recipe.epochs):
        order = torch.randperm(count, generator=random)
        for number in range(count // recipe.batch):
            yield order[number * recipe.batch : (number + 1) * recipe.batch]


def _vary(images: Tensor, noise: float, random: Generator) -> Tensor:
    """Return the images with another contrast, another brightness and more grain, each at random."""

    def uniform() -> Tensor:
        return torch.rand(len(images), 1, 1, 1, generator=random)

    images = images * (0.9 + 0.2 * uniform()) + 0.3 * (uniform() - 0.5)
    return images + noise * uniform() * torch.randn(images.shape, generator=random)
