"""The layers of a network that can be read: found once by a small trial, then named or taken by default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from jobs.errors import NotExplainable
from workers.probe.headroom import headroom
from workers.probe.hooks import watching
from workers.probe.layouts import Grids, Layout

NAMES_IN_MESSAGE = 6
RESAMPLERS = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)  # they stretch a feature map and are none
MAKERS_OF_MAPS = (nn.Conv2d, nn.ConvTranspose2d, nn.MaxPool2d, nn.AvgPool2d, nn.Upsample, *RESAMPLERS)


@dataclass(frozen=True)
class Layer:
    """A module by its dotted path, and how its output lies on a grid.

    `reached` says whether the gradient of the logits reaches any cell of the grid: the patch tokens after
    the last attention of a ViT, for example, no longer matter to its answer.
    A module that is called several times in one forward is read at its last call.
    """

    path: str
    layout: Layout
    reached: bool


@dataclass(frozen=True)
class Layers:
    """Every layer whose output has a grid, in the order of execution; `default` is the one to read."""

    named: Mapping[str, Layer]
    default: str | None
    vectors: tuple[str, ...] = ()

    def resolve(self, name: str | None, *, gradients: bool = False) -> Layer:
        """The layer of a name, or the default one. Raises NotExplainable naming the field `layer`.

        With `gradients` a layer that the gradient of the logits does not reach is refused, too.
        """
        chosen = name if name is not None else self.default
        if chosen is None:
            raise NotExplainable(
                "this network has no layer whose output keeps a grid and still matters to the answer; "
                f"it computes {_some(self.vectors)}"
            )
        layer = self.named.get(chosen)
        if layer is None:
            raise _refused(f"no layer {chosen!r} with a grid; there are {_some(self._useful())}")
        if gradients and not layer.reached:
            raise _refused(
                f"the answer does not depend on the grid of {chosen!r}, so its gradients are zero there; "
                f"choose an earlier layer, for example {_some(self._useful())}"
            )
        return layer

    def _useful(self) -> tuple[str, ...]:
        """Paths whose gradients are not zero, the default first, then from the output downwards."""
        later_first = [layer.path for layer in reversed(list(self.named.values())) if layer.reached]
        return tuple(sorted(later_first, key=lambda path: path != self.default))


_surveys: WeakKeyDictionary[nn.Module, dict[tuple[int, ...], Layers]] = WeakKeyDictionary()
_surveys_lock = Lock()


def layers_of(network: nn.Module, like: Tensor) -> Layers:
    """The layers of a network for images like these (N, C, H, W); the trial runs once and is kept.

    It runs in the dtype and on the device of the network, or of `like` where that has no parameters.
    """
    shape = tuple(like.shape[1:])
    with _surveys_lock:
        known = _surveys.setdefault(network, {})
    if shape not in known:
        known[shape] = _survey(network, shape, next(network.parameters(), like))
    return known[shape]


def _survey(network: nn.Module, shape: tuple[int, ...], like: Tensor) -> Layers:
    """One forward and one backward of two noise images through everything.

    The default layer is the last that is reached; of modules that return the same tensor, the outermost.
    """
    modules = {path: module for path, module in network.named_modules() if path}
    grids = Grids((shape[1], shape[2]))
    outputs: dict[str, Tensor] = {}
    versions: dict[str, int] = {}
    layouts: dict[str, Layout] = {}

    def keep(path: str, output: object) -> None:
        for known in (outputs, layouts):
            known.pop(path, None)  # a module that is called again moves to its last call
        if not isinstance(output, Tensor) or output.shape[:1] != (2,):
            return
        outputs[path], versions[path] = output, output._version
        if not _mixes(output) and (
            layout := grids.read(output.shape, maps=isinstance(modules[path], MAKERS_OF_MAPS))
        ):
            layouts[path] = layout

    noise = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0)).to(like)
    with torch.inference_mode(False), torch.enable_grad(), watching(modules, keep):
        logits = network(noise.requires_grad_())
        reached = _reached(logits, {path: outputs[path] for path in layouts}, layouts)
    named = {path: Layer(path, layout, path in reached) for path, layout in layouts.items()}
    vectors = tuple(f"{path} {tuple(output.shape[1:])}" for path, output in outputs.items())
    candidates = [path for path in reached if not isinstance(modules[path], RESAMPLERS)]
    values = {path: (id(outputs[path]), versions[path]) for path in candidates}
    return Layers(named, _outermost_last(values), vectors)


def _mixes(output: Tensor) -> bool:
    """Whether it holds attention weights: a square of which each row is not negative and sums to one."""
    if output.dim() < 3 or output.shape[-1] != output.shape[-2] or output.shape[-1] == 1:
        return False
    sums = output.sum(dim=-1, dtype=torch.float32)
    return bool((output >= 0).all()) and torch.allclose(sums, torch.ones_like(sums), atol=0.01)


def _reached(logits: object, outputs: dict[str, Tensor], layouts: dict[str, Layout]) -> list[str]:
    """The paths at whose grid some gradient of the logits is not zero, in the order of execution."""
    able = [path for path in outputs if outputs[path].requires_grad]
    if not able or not isinstance(logits, Tensor) or not logits.requires_grad:
        return []
    # Weights of no symmetry: a plain sum of the logits has no gradient after a softmax or a centring.
    weights = torch.randn(logits.shape, generator=torch.Generator().manual_seed(1)).to(logits)
    weights *= headroom(logits.dtype)
    gradients = torch.autograd.grad(
        (logits * weights).sum(), [outputs[path] for path in able], allow_unused=True
    )
    return [
        path
        for path, gradient in zip(able, gradients, strict=True)
        if gradient is not None and layouts[path].to_maps(gradient).count_nonzero()
    ]


def _outermost_last(values: Mapping[str, tuple[int, int]]) -> str | None:
    """The path of the last value; where several modules returned it, the shortest path.

    A value is a tensor by its identity and version: what is changed in place is another value.
    """
    if not values:
        return None
    last = list(values.values())[-1]
    return min((path for path in values if values[path] == last), key=lambda path: path.count("."))


def _refused(message: str) -> NotExplainable:
    return NotExplainable.about("layer", message)


def _some(names: tuple[str, ...]) -> str:
    if not names:
        return "none"
    rest = "" if len(names) <= NAMES_IN_MESSAGE else f" and {len(names) - NAMES_IN_MESSAGE} more"
    return ", ".join(names[:NAMES_IN_MESSAGE]) + rest
