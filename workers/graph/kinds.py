"""What an operator does to its input, as far as rules of propagation must tell operators apart."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

Leaf = Any  # tensors, numbers, and lists of both
Function = Callable[..., Any] | str  # Any: operators take whatever they take; a str is the name of a weight


class Kind(StrEnum):
    """The kinds of calls on the way from the image to the logits."""

    LINEAR = "linear"  # a weight and perhaps a bias: convolutions, matrices
    BATCH_NORM = "batch-norm"  # in evaluation mode: a scale and a shift for each channel
    AVERAGE = "average"  # linear without a weight: average pools, means, sums, interpolation
    ROUTE = "route"  # moves values and computes nothing: views, slices, concatenation
    SUM = "sum"  # adds two values that both depend on the image
    SHIFT = "shift"  # adds a constant
    SCALE = "scale"  # multiplies by a constant
    BILINEAR = "bilinear"  # multiplies two values that both depend on the image: gates, attention
    RECTIFIER = "rectifier"  # ReLU and its bounded kin: zero below zero, slope one above
    ACTIVATION = "activation"  # any other function of one number
    MAX_POOL = "max-pool"
    SOFTMAX = "softmax"
    NORMALISATION = "normalisation"  # statistics of the sample itself: layer norm, group norm
    OTHER = "other"


AFFINE = frozenset({Kind.LINEAR, Kind.BATCH_NORM, Kind.AVERAGE, Kind.ROUTE, Kind.SUM, Kind.SHIFT, Kind.SCALE})

_OPERATORS: dict[Kind, tuple[str, ...]] = {
    Kind.LINEAR: ("conv1d", "conv2d", "conv3d", "conv_transpose2d", "linear"),
    Kind.BATCH_NORM: ("batch_norm",),
    Kind.AVERAGE: (
        *("avg_pool1d", "avg_pool2d", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "mean", "sum"),
        *("upsample_bilinear2d", "upsample_nearest2d", "upsample_bicubic2d"),
    ),
    Kind.ROUTE: (
        *("view", "reshape", "flatten", "unflatten", "permute", "transpose", "t", "swapaxes", "movedim"),
        *("mT", "numpy_T", "diagonal", "broadcast_to", "tile"),
        *("select", "slice", "narrow", "unsqueeze", "squeeze", "expand", "expand_as", "cat", "stack"),
        *("chunk", "split", "split_with_sizes", "unbind", "contiguous", "clone", "alias", "roll", "flip"),
        *("pad", "constant_pad_nd", "reflection_pad2d", "replication_pad2d", "index", "index_select"),
        *("detach", "to", "_to_copy", "repeat", "pixel_shuffle", "pixel_unshuffle", "lift_fresh_copy"),
        *(
            "concat",
            "concatenate",
            "view_as",
            "reshape_as",
            "swapdims",
            "moveaxis",
            "type_as",
            "_unsafe_view",
        ),
    ),
    Kind.SCALE: ("div", "neg"),
    Kind.RECTIFIER: ("relu", "relu6"),
    Kind.ACTIVATION: (
        *(
            "gelu",
            "silu",
            "hardtanh",
            "mish",
            "sigmoid",
            "tanh",
            "hardswish",
            "hardsigmoid",
            "elu",
            "selu",
            "celu",
        ),
        *("leaky_relu", "softplus", "log_sigmoid", "softsign", "clamp", "clamp_min", "exp", "abs"),
        *("sqrt", "rsqrt", "log", "square", "prelu", "threshold", "hardshrink", "softshrink", "pow"),
    ),
    Kind.MAX_POOL: ("max_pool1d", "max_pool2d", "adaptive_max_pool1d", "adaptive_max_pool2d", "amax"),
    Kind.SOFTMAX: ("softmax", "_softmax"),
    Kind.NORMALISATION: ("layer_norm", "group_norm", "instance_norm", "rms_norm"),
}
_ALONE_OR_TOGETHER = {  # with a constant, and with another value that depends on the image
    **dict.fromkeys(("add", "sub", "rsub"), (Kind.SHIFT, Kind.SUM)),
    **dict.fromkeys(("mul", "matmul", "bmm", "einsum"), (Kind.SCALE, Kind.BILINEAR)),
}
_KIND_OF = {name: kind for kind, names in _OPERATORS.items() for name in names}
_BOUNDED_BELOW_BY_ZERO = frozenset(
    {"relu", "relu6", "sigmoid", "hardsigmoid", "softmax", "_softmax", "softplus", "exp", "abs", "square"}
)
_BETWEEN_BOUNDS = frozenset({"sigmoid", "hardsigmoid", "tanh", "softmax", "_softmax"})
_READS_THE_SHAPE_ONLY = frozenset(
    {"sym_size", "sym_numel", "new_zeros", "new_ones", "new_full", "new_empty"}
    | {"zeros_like", "ones_like", "full_like", "empty_like"}
)


def name_of(function: Function) -> str:
    """`conv2d` of `aten.conv2d.default`; a Python function has its own name."""
    packet = getattr(function, "overloadpacket", None)
    return str(packet.__name__) if packet is not None else str(getattr(function, "__name__", function))


def reads_the_shape_only(function: Function) -> bool:
    """Whether the result depends on the shape of the argument alone, not on its values."""
    return name_of(function) in _READS_THE_SHAPE_ONLY


def is_view(function: Function) -> bool:
    """Whether the result may share memory with an argument."""
    schema = getattr(function, "_schema", None)
    aliases = [one.alias_info for one in schema.arguments] if schema is not None else []
    return function is operator.getitem or any(one is not None and not one.is_write for one in aliases)


def kind_of(
    function: Function,
    arguments: Sequence[Leaf],
    active: Sequence[bool],
) -> Kind:
    """The kind of a call; `active` says which of the flat arguments depend on the image."""
    if function is operator.getitem:
        return Kind.ROUTE
    name, several = name_of(function), sum(active) > 1
    if name in _ALONE_OR_TOGETHER:
        return _ALONE_OR_TOGETHER[name][several]
    if (name == "div" and not active[0]) or (name == "batch_norm" and arguments[5]):
        return Kind.OTHER  # a quotient; statistics of the whole batch
    kind = _KIND_OF.get(name, Kind.OTHER)
    if name == "hardtanh" and _lower_bound(arguments) == 0:
        kind = Kind.RECTIFIER
    return Kind.OTHER if several and kind is not Kind.ROUTE else kind


def is_bounded_below_by_zero(function: Function, arguments: Sequence[Leaf]) -> bool:
    """Whether the result is never negative, whatever comes in."""
    name = name_of(function)
    return name in _BOUNDED_BELOW_BY_ZERO or (name == "hardtanh" and _lower_bound(arguments) >= 0)


def mixes_places(function: Function) -> bool:
    """Whether a product is one of matrices, in which places or tokens meet each other."""
    return name_of(function) in ("matmul", "bmm", "einsum")


def is_bounded(function: Function) -> bool:
    """Whether the result stays between fixed bounds, so that it can only weigh something else."""
    return name_of(function) in _BETWEEN_BOUNDS


def _lower_bound(arguments: Sequence[Leaf]) -> float:
    """Of a hardtanh."""
    lowest = arguments[1] if len(arguments) > 1 else -1.0
    return float(lowest)
