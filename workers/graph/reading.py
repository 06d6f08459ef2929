"""From an exported program to our calls: kinds, weights, modules and signs are found once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import SymInt, Tensor
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind
from torch.fx import Node
from torch.utils import _pytree as pytree

from jobs.errors import NotExplainable
from workers.graph.calls import Call, Value
from workers.graph.graph import IMAGE, Graph
from workers.graph.kinds import (
    Kind,
    is_bounded,
    is_bounded_below_by_zero,
    kind_of,
    name_of,
    reads_the_shape_only,
)
from workers.graph.rewriting import depending_on, module_path, rewrite

KEEP_THE_SIGN = frozenset({Kind.ROUTE, Kind.AVERAGE, Kind.MAX_POOL, Kind.SUM})
MEETS_THE_IMAGE = frozenset({Kind.LINEAR, Kind.SHIFT, Kind.SCALE})
JOINTS = ("cat", "concat", "concatenate", "stack")


def read(program: ExportedProgram) -> Graph:
    """The calls of a program with one input, the images, and one output, the logits."""
    specs = {spec.arg.name: spec for spec in program.graph_signature.input_specs}
    placeholders = {node.name: node for node in program.graph.find_nodes(op="placeholder")}
    images = next(placeholders[name] for name, spec in specs.items() if spec.kind is InputKind.USER_INPUT)
    outputs = rewrite(program.graph, images)
    reader = _Reader(images)
    for node in program.graph.nodes:
        if node.op == "call_function":
            reader.take(node)
    return Graph(
        calls=tuple(reader.calls.values()),
        constants={
            name: _constant(program, spec.target)
            for name, spec in specs.items()
            if spec.kind is not InputKind.USER_INPUT
        },
        outputs={path: reader.name(node) for path, node in outputs.items()},
        answer=_answer(program.graph.output_node()),
        any_number=_is_free(images.meta["val"].shape[0]),
        sources={name: spec.target for name, spec in specs.items() if spec.target is not None},
    )


class _Reader:
    """Takes the nodes in order; what they are follows from what came before."""

    def __init__(self, images: Node) -> None:
        self._images = images
        self._active = depending_on(images)
        self._nonnegative: set[str] = set()
        self._straight = {IMAGE}  # values that are the image, moved, shifted or scaled
        self.calls: dict[str, Call] = {}

    def take(self, node: Node) -> None:
        call = self._call(node)
        self.calls[call.name] = call
        if call.inputs:
            self._learn(call)

    def name(self, node: Node) -> str:
        """The name of a node's value."""
        return IMAGE if node is self._images else node.name

    def _call(self, node: Node) -> Call:
        arguments = _filled_up(node) if _is_linear(node) else (node.args, dict(node.kwargs))
        leaves, form = pytree.tree_flatten(arguments, is_leaf=lambda one: isinstance(one, Node))
        active = [isinstance(leaf, Node) and leaf in self._active for leaf in leaves]
        kind = kind_of(node.target, leaves, active)
        inputs = () if reads_the_shape_only(node.target) else tuple(p for p, one in enumerate(active) if one)
        call = Call(
            name=node.name,
            path=module_path(node),
            kind=kind,
            function=node.target,  # type: ignore[arg-type]  # of a call_function node it is no str
            leaves=tuple(self._leaf(leaf) for leaf in leaves),
            form=form,
            inputs=inputs,
        )
        reads = call.reads
        return replace(
            call,
            nonnegative=bool(reads) and self._nonnegative.issuperset(reads),
            first=kind in MEETS_THE_IMAGE and bool(reads) and self._straight.issuperset(reads),
            gate=self._gate(call),
            axis=_axis(node),
            shape=_shape(node),
        )

    def _leaf(self, leaf: Any) -> Any:  # Any: arguments of operators
        if not isinstance(leaf, Node):
            return leaf
        return Value(self.name(leaf))

    def _learn(self, call: Call) -> None:
        if (call.nonnegative and _keeps_the_sign(call)) or is_bounded_below_by_zero(
            call.function, call.leaves
        ):
            self._nonnegative.add(call.name)
        if call.kind in (Kind.ROUTE, Kind.SHIFT, Kind.SCALE) and self._straight.issuperset(call.reads):
            self._straight.add(call.name)

    def _gate(self, call: Call) -> int | None:
        """Which of two multiplied values only weighs the other: a softmax, or a function between bounds."""
        if call.kind is not Kind.BILINEAR:
            return None
        gates = [place for place, name in enumerate(call.reads) if self._weighs(name)]
        return gates[0] if len(gates) == 1 else None

    def _weighs(self, name: str) -> bool:
        while name in self.calls and self.calls[name].kind is Kind.ROUTE:
            name = self.calls[name].reads[0]
        if name not in self.calls:
            return False
        return is_bounded(self.calls[name].function)


def _keeps_the_sign(call: Call) -> bool:
    """Whether values that are never below zero stay so."""
    name = name_of(call.function)
    if name in JOINTS:
        return len(call.inputs) == sum(isinstance(leaf, Value) for leaf in call.leaves)
    if "pad" in name or call.kind is Kind.SUM:  # a filled border; a factor of the second
        return name not in ("sub", "rsub") and not any(_is_negative(leaf) for leaf in call.leaves)
    return call.kind in KEEP_THE_SIGN and name != "upsample_bicubic2d"


def _is_negative(leaf: Any) -> bool:  # Any: arguments of operators
    return isinstance(leaf, int | float) and leaf < 0


def _axis(node: Node) -> int | None:
    """The first dimension whose size was left open, which is that of the images."""
    value = node.meta.get("val")
    sizes = value.shape if isinstance(value, Tensor) else ()
    return next((place for place, size in enumerate(sizes) if _is_free(size)), None)


def _shape(node: Node) -> tuple[int | None, ...]:
    """The sizes of a tensor, None where one was left open."""
    value = node.meta.get("val")
    sizes = value.shape if isinstance(value, Tensor) else ()
    return tuple(None if _is_free(size) else int(size) for size in sizes)


def _is_free(size: int | SymInt) -> bool:
    """Whether a size was left open."""
    return isinstance(size, SymInt) and size.node.maybe_as_int() is None


def _is_linear(node: Node) -> bool:
    """Whether the operator has a weight and a place for a bias."""
    return name_of(node.target) in ("conv1d", "conv2d", "conv3d", "conv_transpose2d", "linear")


def _filled_up(node: Node) -> tuple[tuple[Any, ...], dict[str, Any]]:  # Any: arguments of operators
    """The arguments with input, weight and bias in the first three places."""
    keywords = dict(node.kwargs)
    arguments = list(node.args)
    arguments += [keywords.pop(name, None) for name in ("input", "weight", "bias")[len(arguments) :]]
    return tuple(arguments), keywords


def _constant(program: ExportedProgram, target: str | None) -> Tensor:
    held: Mapping[str, Any] = {**program.state_dict, **program.constants}  # Any: scripted objects too
    constant: Tensor = held[target or ""]
    return constant.detach() if not constant.is_inference() else constant.clone()


def _answer(output: Node) -> str:
    answers = [one for one in pytree.tree_leaves(output.args) if isinstance(one, Node)]
    if len(answers) != 1:
        raise NotExplainable(f"the network must return logits alone, it returns {len(answers)} tensors")
    return answers[0].name
