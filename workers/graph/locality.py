"""Which calls compute each place of their output from the places around it, and how they do so on patches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from workers.graph.calls import Call, Site, Value
from workers.graph.graph import Graph
from workers.graph.kinds import Kind, mixes_places, name_of
from workers.graph.reading import JOINTS
from workers.graph.regions import Slide

aten = torch.ops.aten
Slides = tuple[Slide, Slide]  # down and across

STILL: Slides = (Slide(), Slide())
EACH_FOR_ITSELF = frozenset(
    {Kind.BATCH_NORM, Kind.SHIFT, Kind.SCALE, Kind.RECTIFIER, Kind.ACTIVATION, Kind.SUM, Kind.BILINEAR}
)


@dataclass(frozen=True)
class Local:
    """A call on feature maps (N, C, H, W) that looks no further than its kernel.

    `compute` makes the output's patches of the inputs', which are larger by what the kernel reaches over;
    `filling` is what stands beyond the edges of the input.
    """

    call: Call
    compute: Callable[..., Tensor]
    slides: Slides = STILL
    filling: float = 0.0


def locals_of(graph: Graph) -> dict[str, Local]:
    """The local calls of a graph, by name."""
    fixed = _fixed(graph)
    shapes = {call.name: call.shape for call in graph.calls}
    found = (_local(call, fixed, shapes) for call in graph.calls if call.inputs)
    return {local.call.name: local for local in found if local is not None}


def _fixed(graph: Graph) -> dict[str, Any]:  # Any: a constant may be a number
    """The constants, and what is computed of them alone."""
    values: dict[str, Any] = dict(graph.constants)
    for call in graph.calls:
        names = [leaf.name for leaf in call.leaves if isinstance(leaf, Value)]
        if not call.inputs and values.keys() >= set(names):
            values[call.name] = call.site(values)()
    return values


def _local(
    call: Call, fixed: Mapping[str, Any], shapes: Mapping[str, tuple[int | None, ...]]
) -> Local | None:
    others = {
        leaf.name
        for place, leaf in enumerate(call.leaves)
        if isinstance(leaf, Value) and place not in call.inputs
    }
    maps = [shapes[name] for name in call.reads if name in shapes]
    if call.axis != 0 or len(call.shape) != 4 or not others <= fixed.keys():
        return None
    if any(len(shape) != 4 for shape in maps):
        return None
    site = call.site({**fixed, **dict.fromkeys(call.reads)})
    make = _SLIDING.get(name_of(call.function))
    if make is not None:
        return make(site)
    stays = all(shape[2:] == call.shape[2:] for shape in maps)
    return Local(call, site) if stays and _is_each_for_itself(site) else None


def _is_each_for_itself(site: Site) -> bool:
    """Whether each place of the output follows from the same place of the inputs, on any grid."""
    call = site.call
    arguments, keywords = site.arguments(*call.inputs)  # the places stand for the values
    if name_of(call.function) in JOINTS:
        return _joins_channels(arguments, keywords, len(call.inputs))
    if call.kind not in EACH_FOR_ITSELF or mixes_places(call.function):
        return False
    if call.kind is Kind.BATCH_NORM or name_of(call.function) == "prelu":
        return True
    constants = [one for one in (*arguments, *keywords.values()) if isinstance(one, Tensor)]
    return all(_is_the_same_everywhere(one) for one in constants)


def _joins_channels(arguments: Sequence[Any], keywords: Mapping[str, Any], inputs: int) -> bool:
    joined, *rest = arguments
    return rest in ([1], [-3]) and not keywords and len(joined) == inputs


def _is_the_same_everywhere(constant: Tensor) -> bool:
    """Whether a constant is one number for each channel, or for all."""
    shape = (1,) * (4 - constant.dim()) + tuple(constant.shape)
    return len(shape) == 4 and shape[0] == shape[2] == shape[3] == 1


def _convolution(site: Site) -> Local | None:
    given = site.named(("input", "weight", "bias", "stride", "padding", "dilation", "groups"))
    kernel = site.weight.shape[2:]
    stride, dilation = _pair(given.get("stride", 1)), _pair(given.get("dilation", 1))
    padding = _padding(given.get("padding", 0), kernel, dilation)
    weight, bias, groups = site.weight, site.bias, given.get("groups", 1)

    def compute(patches: Tensor) -> Tensor:
        result: Tensor = aten.conv2d.default(patches, weight, bias, stride, [0, 0], dilation, groups)
        return result

    return Local(site.call, compute, _slides(kernel, stride, padding, dilation))


def _max_pool(site: Site) -> Local | None:
    given = site.named(("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode"))
    kernel, dilation = _pair(given["kernel_size"]), _pair(given.get("dilation", 1))
    stride, padding = _pair(given.get("stride") or kernel), _pair(given.get("padding", 0))

    def compute(patches: Tensor) -> Tensor:
        result: Tensor = aten.max_pool2d.default(patches, kernel, stride, [0, 0], dilation)
        return result

    return Local(site.call, compute, _slides(kernel, stride, padding, dilation), -torch.inf)


def _average_pool(site: Site) -> Local | None:
    """Not where some outputs are means of fewer values: at edges that do not count, or stand over."""
    names = (
        "input",
        "kernel_size",
        "stride",
        "padding",
        "ceil_mode",
        "count_include_pad",
        "divisor_override",
    )
    given = site.named(names)
    kernel, padding = _pair(given["kernel_size"]), _pair(given.get("padding", 0))
    stride, divisor = _pair(given.get("stride") or kernel), given.get("divisor_override")
    if given.get("ceil_mode", False) or (any(padding) and not given.get("count_include_pad", True)):
        return None

    def compute(patches: Tensor) -> Tensor:
        result: Tensor = aten.avg_pool2d.default(patches, kernel, stride, [0, 0], False, True, divisor)
        return result

    return Local(site.call, compute, _slides(kernel, stride, padding, (1, 1)))


_SLIDING: Mapping[str, Callable[[Site], Local | None]] = {
    "conv2d": _convolution,
    "max_pool2d": _max_pool,
    "avg_pool2d": _average_pool,
}


def _pair(sizes: int | Sequence[int]) -> tuple[int, int]:
    """A size for both axes, or one for each."""
    both = [sizes] * 2 if isinstance(sizes, int) else [*sizes] * (2 // len(sizes))
    return both[0], both[1]


def _padding(
    padding: int | str | Sequence[int], kernel: Sequence[int], dilation: Sequence[int]
) -> tuple[int, int]:
    """What stands before each axis; `same` puts what cannot be shared out evenly behind it."""
    if padding == "valid":
        return 0, 0
    if isinstance(padding, str):
        return dilation[0] * (kernel[0] - 1) // 2, dilation[1] * (kernel[1] - 1) // 2
    return _pair(padding)


def _slides(
    kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int]
) -> Slides:
    down, across = (Slide(*sizes) for sizes in zip(kernel, stride, padding, dilation, strict=True))
    return down, across
