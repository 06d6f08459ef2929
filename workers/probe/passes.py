"""One forward of one network over one batch of images, and the backward passes that start from it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from jobs.errors import NotExplainable
from workers.graph import Graph, graph_of, walk
from workers.probe.headroom import gradients_of
from workers.probe.hooks import watching
from workers.probe.layers import Layer, Layers, layers_of
from workers.probe.rounds import rounds
from workers.tensors.memory_layouts import channels_last
from workers.tensors.patch_gaussians import PatchGaussian

INPUT = ""  # the name of the input among the recorded points; the network itself has it among modules

Pair = tuple[int, int]  # image index, target class


@dataclass(frozen=True)
class Recording:
    """What a pass must remember: outputs of layers, whether with gradients, and gradients of the input."""

    layers: tuple[Layer, ...] = ()
    layer_gradients: bool = False
    input_gradients: bool = False


class Pass:
    """A network in evaluation mode and a batch of N images; one forward, kept, and gradients kept by pair.

    The forward is recorded by autograd only from the earliest point whose gradients are wanted: below it
    nothing is kept. Gradients are asked of these points alone, so none of parameters is ever computed, and
    no module, parameter or mode of the network is touched.
    """

    def __init__(
        self,
        network: nn.Module,
        images: Tensor,
        recording: Recording | None = None,
        *,
        default_layer: str | None = None,
        black: Tensor | None = None,
        white: Tensor | None = None,
        patches: PatchGaussian | None = None,
        stands_for: nn.Module | None = None,
    ) -> None:
        """`images` is (N, C, H, W) in the model's units; `black` and `white` broadcast to (N, C, 1, 1).

        Without them the darkest and the brightest value of each image stand in. `patches` are the statistics
        that come with the model, if any do. Where the network stands for another that is built alike, its
        layers are those of the other, whatever its weights do to them.
        """
        if any(module.training for module in network.modules()):
            raise NotExplainable("the network is in training mode; call eval() on it first")
        like = next(network.parameters(), images)
        self.network = network
        self._built_as = stands_for or network
        images = images.clone() if images.is_inference() else images.detach()
        self._inputs = images.to(device=like.device, dtype=like.dtype)
        self.images = self._inputs.to(working_dtype(like.dtype))
        self.recording = recording or Recording()
        self.black = self._per_image(self.images.amin((1, 2, 3)) if black is None else black)
        self.white = self._per_image(self.images.amax((1, 2, 3)) if white is None else white)
        self.patches = patches
        self.default_layer = default_layer
        self._points: dict[str, Tensor] = {}
        self._gradients: dict[tuple[str, Pair], Tensor] = {}
        self._expected: tuple[Pair, ...] = ()
        self._is_spent = False
        self.kept: dict[Hashable, Tensor] = {}  # what methods share besides

    @property
    def layers(self) -> Layers:
        """The layers that can be read."""
        return layers_of(self._built_as, self._inputs)

    def layer(self, name: str | None, *, gradients: bool = False) -> Layer:
        """The layer of a name, or the default one. Raises NotExplainable naming the field `layer`."""
        return self.layers.resolve(name if name is not None else self.default_layer, gradients=gradients)

    @property
    def logits(self) -> Tensor:
        """(N, K)."""
        return self._recorded_logits.detach().to(self.images.dtype)

    def activations(self, layer: Layer) -> Tensor:
        """(N, C, h, w), as the layer returned them, whatever is done to them in place afterwards."""
        return layer.layout.to_maps(self._point(layer.path).detach().to(self.images.dtype))

    def expect(self, pairs: Sequence[Pair]) -> None:
        """Gradients of these pairs will be asked for: backward passes of other images bring them along.

        When all of them are there, the memory of the forward is given back.
        """
        self._expected = tuple(pairs)

    def gradients(self, layer: Layer | None, pairs: Sequence[Pair]) -> Tensor:
        """(P, C, h, w): for each pair the gradient of its logit at a layer, or at the input for None."""
        path = INPUT if layer is None else layer.path
        self._point(path)
        while missing := self._missing(path, pairs):
            now, *later = _rounds([*_rounds(missing)[0], *self._missing(path, self._expected)])
            self._backward(path, now, last=not later and set(missing) <= set(now))
        gradients = torch.stack([self._gradients[path, pair] for pair in pairs])
        return gradients if layer is None else layer.layout.to_maps(gradients)

    def pulled(self, layer: Layer, images: Sequence[int], cotangents: Tensor) -> Tensor:
        """(P, C, h, w): for each of P images the gradient at a layer of <cotangent, logits>, of (P, K)."""
        self._point(layer.path)
        found: dict[int, Tensor] = {}
        for places in rounds(images):
            chosen = [images[place] for place in places]
            self._renew(layer.path)
            with torch.inference_mode(False), torch.enable_grad():
                score = (self._recorded_logits[chosen] * cotangents[places].to(self._inputs.dtype)).sum()
            (gradient,) = gradients_of(score, [self._points[layer.path]], retain_graph=True)
            found.update({place: gradient[image] for place, image in zip(places, chosen, strict=True)})
        return layer.layout.to_maps(torch.stack([found[place] for place in range(len(images))]))

    def prepare(self) -> None:
        """Trace the network now, rather than at the first `forward`."""
        _ = self.graph

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, K) of any inputs (n, C, H, W), in the network's own dtype; recorded if grad mode is on.

        A network that can be traced is walked call by call, with its batch norms merged and channels last in
        memory: the same answer but for rounding, in down to half the time.
        """
        return self._answer(inputs, self.graph)

    def _answer(self, inputs: Tensor, graph: Graph | None) -> Tensor:
        inputs = inputs.to(self._inputs.dtype)
        logits = self.network(inputs) if graph is None else walk(graph, channels_last(inputs))[graph.answer]
        if not isinstance(logits, Tensor) or logits.dim() != 2 or len(logits) != len(inputs):
            found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise NotExplainable(f"the network must return logits of shape (N, classes), it returned {found}")
        return logits

    @cached_property
    def graph(self) -> Graph | None:
        """What `forward` walks through, batch norms merged; None where the network has to be run itself."""
        if self._inputs.dtype != self.images.dtype:
            return None  # merged weights would lose half of what half precision has
        try:
            graph = graph_of(self.network, self._inputs, swift=True)
        except NotExplainable:
            return None
        return graph if graph.any_number else None

    @cached_property
    def _recorded_logits(self) -> Tensor:
        recording = self.recording
        modules = {layer.path: self.network.get_submodule(layer.path) for layer in recording.layers}
        inputs = self._inputs
        with (
            torch.inference_mode(False),
            torch.set_grad_enabled(recording.input_gradients),
            watching(modules, self._record),
        ):
            if not recording.input_gradients:
                return self._answer(channels_last(inputs), None)
            self._points[INPUT] = inputs = inputs.clone().requires_grad_()
            inputs = inputs.clone()  # a first layer that works in place must not touch the leaf
            return self._answer(inputs, None)

    def _record(self, path: str, output: object) -> Tensor | None:
        """Keeps the output and hands on a copy, which later layers may change in place.

        The first recorded layer becomes the leaf of the graph and switches recording on.
        """
        if not isinstance(output, Tensor):  # the trial of the layers saw a tensor
            raise NotExplainable(f"{path!r} returned {type(output).__name__} instead of a tensor")
        if not self.recording.layer_gradients:
            self._points[path] = output.detach().clone()
            return None
        self._points.pop(path, None)  # called again: the last call counts
        self._points[path] = output if output.requires_grad else output.detach().requires_grad_()
        torch.set_grad_enabled(True)
        return self._points[path].clone()

    def _point(self, path: str) -> Tensor:
        _ = self._recorded_logits
        if path not in self._points:
            raise LookupError(f"{path or 'the input'!r} was not recorded: the method must declare its needs")
        return self._points[path]

    def _missing(self, path: str, pairs: Sequence[Pair]) -> list[Pair]:
        return [pair for pair in pairs if (path, pair) not in self._gradients]

    def _backward(self, path: str, pairs: Sequence[Pair], *, last: bool) -> None:
        """One backward pass for pairs of distinct images; keeps what it brings.

        A layer brings all recorded layers, those below it, too; only the input must be asked for itself.
        The `last` of those expected frees the graph on its way, which is faster, if it brings all that is
        recorded; should more be asked for after all, the forward is recorded again.
        """
        self._renew(path)
        names = [name for name in self._points if name != INPUT or path == INPUT]
        images, targets = zip(*pairs, strict=True)
        with torch.inference_mode(False), torch.enable_grad():
            score = self._recorded_logits[list(images), list(targets)].sum()
        self._is_spent = last and bool(self._expected) and len(names) == len(self._points)
        points = [self._points[name] for name in names]
        found = gradients_of(score, points, retain_graph=not self._is_spent)
        for name, gradient in zip(names, found, strict=True):
            self._gradients.update({(name, pair): gradient[pair[0]] for pair in pairs})

    def _renew(self, path: str) -> None:
        """Record the forward again if its graph was freed, and see that gradients can be had."""
        if self._is_spent:
            self._points.clear()
            del self._recorded_logits
            self._is_spent = False
        if not self._recorded_logits.requires_grad:
            raise NotExplainable(f"no gradient leads from the logits to {path or 'the input'!r}")

    def _per_image(self, bound: Tensor) -> Tensor:
        bound = bound.to(self.images).reshape(*bound.shape[:2], *(1,) * (4 - min(bound.dim(), 2)))
        return bound.expand(len(self.images), self.images.shape[1], 1, 1)


def working_dtype(dtype: torch.dtype) -> torch.dtype:
    """The dtype in which results are added up: float32, or float64 for a float64 network."""
    return torch.promote_types(dtype, torch.float32)


def _rounds(pairs: Sequence[Pair]) -> list[list[Pair]]:
    """Pairs in as few lists as possible, each with any image at most once; equal pairs count once."""
    distinct = list(dict.fromkeys(pairs))
    return [[distinct[place] for place in one] for one in rounds([image for image, _ in distinct])]
