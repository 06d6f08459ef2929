"""One call of an operator: a place in the traced forward pass with its arguments and what it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.utils import _pytree as pytree

from workers.graph.kinds import Kind, Leaf

WEIGHT, BIAS = 1, 2


@dataclass(frozen=True)
class Value:
    """Stands among the arguments for what another call, a weight or the image gave."""

    name: str


@dataclass(frozen=True, eq=False)
class Call:
    """One place in the forward pass.

    `path` is the dotted path of the module in which it happens. `leaves` are the arguments, flat; `inputs`
    are the places among them of values that depend on the image. A linear call has its input, its weight
    and its bias (or None) in the first three places.
    `nonnegative` says that no input is ever below zero, `first` that a linear call, a shift or a scale has
    no input but the image itself, perhaps moved, shifted or scaled by constants before. `gate` is the input
    that only weighs the other. `axis` is the dimension of the output in which the images stand, alone or
    times something else; None where it is not known. `shape` are the sizes of the output, empty where it
    is no tensor; None is a size that depends on the number of images.
    """

    name: str
    path: str
    kind: Kind
    function: Callable[..., Any]
    leaves: tuple[Leaf, ...]
    form: pytree.TreeSpec
    inputs: tuple[int, ...]
    nonnegative: bool = False
    first: bool = False
    gate: int | None = None
    axis: int | None = None
    shape: tuple[int | None, ...] = ()

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the values that depend on the image, in order of the arguments."""
        return tuple(self.leaves[place].name for place in self.inputs)

    @property
    def label(self) -> str:
        """How messages name it: the operator, and the module around it."""
        name = getattr(self.function, "__name__", str(self.function)).partition(".")[0]
        return f"{name} in {self.path!r}" if self.path else f"{name} ({self.name})"

    def site(self, values: Mapping[str, Any]) -> Site:
        """The call with its constants filled in; `values` has at least these."""
        leaves = [values[leaf.name] if isinstance(leaf, Value) else leaf for leaf in self.leaves]
        return Site(self, leaves)


class Site:
    """A call whose weights and constants are at hand, as a function of its inputs alone."""

    def __init__(self, call: Call, leaves: Sequence[Leaf]) -> None:
        self.call = call
        self._leaves = list(leaves)
        for place in call.inputs:
            self._leaves[place] = None  # keeps no activation alive

    @property
    def weight(self) -> Tensor:
        """The weight of a linear call."""
        weight: Tensor = self._leaves[WEIGHT]
        return weight

    @property
    def bias(self) -> Tensor | None:
        """The bias of a linear call, if it has one."""
        bias: Tensor | None = self._leaves[BIAS]
        return bias

    def __call__(self, *inputs: Leaf) -> Tensor:
        """What the network computes here, for any inputs."""
        arguments, keywords = self.arguments(*inputs)
        result: Tensor = self.call.function(*arguments, **keywords)
        return result

    def arguments(self, *inputs: Leaf) -> tuple[tuple[Leaf, ...], dict[str, Leaf]]:
        """All arguments, by place and by keyword."""
        leaves = list(self._leaves)
        for place, value in zip(self.call.inputs, inputs, strict=True):
            leaves[place] = value
        arguments, keywords = pytree.tree_unflatten(leaves, self.call.form)
        return arguments, keywords

    def named(self, names: Sequence[str]) -> dict[str, Leaf]:
        """The arguments of a call with one input, which is left out, by the names of their places."""
        arguments, keywords = self.arguments(None)
        return {**dict(zip(names, arguments, strict=False)), **keywords}

    def linear(self, value: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """The same linear call with another weight and bias."""
        changed = Site(self.call, self._leaves)
        changed._leaves[WEIGHT], changed._leaves[BIAS] = weight, bias
        return changed(value)
