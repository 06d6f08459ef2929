"""What a rule of propagation sees, and the walk in which rules take the place of the gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from jobs.errors import NotExplainable
from workers.graph.calls import Call, Site
from workers.graph.kinds import Kind

aten = torch.ops.aten


@dataclass(frozen=True)
class Witness:
    """What the same call met when another image, such as a baseline, went through the network."""

    inputs: tuple[Tensor, ...]
    output: Tensor


@dataclass(frozen=True)
class Passage:
    """One call with the values that went through it: `inputs` and `output`, all (N, ...)."""

    site: Site
    inputs: tuple[Tensor, ...]
    output: Tensor
    witnesses: tuple[Witness, ...] = ()

    @property
    def call(self) -> Call:
        """The place in the network."""
        return self.site.call

    def pulled_back(self, cotangent: Tensor) -> tuple[Tensor, ...]:
        """For each input the gradient of <cotangent, output>."""
        if self.call.kind is Kind.LINEAR:
            return (pull_back_linear(self.site, self.inputs[0], self.site.weight, cotangent),)
        leaves = [one.detach().requires_grad_() for one in self.inputs]
        with torch.enable_grad():
            output = self.site(*leaves)
        return torch.autograd.grad(output, leaves, cotangent)


Rule = Callable[[Passage, Tensor], Sequence[Tensor | None]]
"""(passage, relevance of the output) -> relevance of each input."""


class Composite(Protocol):
    """Maps a call to its rule, or to None for the gradient itself; equal composites give equal relevance.

    Raises NotExplainable naming the call that it cannot treat.
    """

    def __call__(self, call: Call, /) -> Rule | None: ...
    def __hash__(self) -> int: ...


def gradient(_: Call) -> None:
    """The composite of no rules."""


def pull_back_linear(site: Site, like: Tensor, weight: Tensor, cotangent: Tensor) -> Tensor:
    """The transpose of a linear call with any weight, applied to what stands at its output.

    `like` has the shape of the input. Nothing is computed forwards where the call is a common one.
    """
    if site.call.function is aten.linear.default:
        return cotangent @ weight
    if site.call.function is aten.conv2d.default:
        return _convolve_back(site, like, weight, cotangent)
    leaf = torch.zeros_like(like).requires_grad_()
    with torch.enable_grad():
        output = site.linear(leaf, weight)
    return torch.autograd.grad(output, leaf, cotangent)[0]


def _convolve_back(site: Site, like: Tensor, weight: Tensor, cotangent: Tensor) -> Tensor:
    arguments, keywords = site.arguments(like)
    given = {
        **dict(zip(("stride", "padding", "dilation", "groups"), arguments[3:], strict=False)),
        **keywords,
    }
    stride, padding, dilation = (
        given.get(name, [default]) for name, default in (("stride", 1), ("padding", 0), ("dilation", 1))
    )
    result: Tensor = aten.convolution_backward(
        *(cotangent, like, weight, None, stride, padding, dilation, False, [0, 0], given.get("groups", 1)),
        [True, False, False],
    )[0]
    return result


class Ruled(torch.autograd.Function):
    """Computes what the network computes; on the way back a rule speaks instead of the gradient."""

    @staticmethod
    # Any: the context and the inputs that autograd hands over.
    def forward(ctx: Any, site: Site, rule: Rule, witnesses: tuple[Witness, ...], *inputs: Tensor) -> Tensor:
        output = site(*inputs)
        if not isinstance(output, Tensor):
            raise NotExplainable(f"{site.call.label} returns several values, and no rule is made for that")
        ctx.set_materialize_grads(False)
        ctx.site, ctx.rule, ctx.witnesses = site, rule, witnesses
        ctx.save_for_backward(*inputs, output)
        return output

    @staticmethod
    # Any: see above.
    def backward(ctx: Any, *relevances: Tensor | None) -> tuple[Tensor | None, ...]:
        *inputs, output = ctx.saved_tensors
        if relevances[0] is None:  # nothing came, so nothing goes
            return (None, None, None, *(None for _ in inputs))
        passage = Passage(ctx.site, tuple(inputs), output, ctx.witnesses)
        with torch.no_grad():
            return (None, None, None, *ctx.rule(passage, relevances[0]))
