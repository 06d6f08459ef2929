"""What is changed in an exported graph before it is read: work in place, dropout, attention, marks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import dropwhile
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Graph, Node

from jobs.errors import NotExplainable
from workers.graph.kinds import is_view, name_of, reads_the_shape_only
from workers.graph.pools import leave_out_places

aten = torch.ops.aten
DROPOUTS = ("dropout", "dropout_", "feature_dropout", "alpha_dropout", "feature_alpha_dropout")


def mark(_module: nn.Module, _inputs: object, output: object) -> Tensor | None:
    """A forward hook that leaves a mark behind what a module returns, for `rewrite` to find."""
    return aten.alias.default(output) if isinstance(output, Tensor) else None


def rewrite(graph: Graph, images: Node) -> dict[str, Node]:
    """Values never change after they were computed, nothing is left out at random, attention is explicit.

    What nobody reads is left out. Returns for the dotted path of each module what it returned last.
    Raises NotExplainable naming the call that stands against it.
    """
    for node in _calls(graph):
        if name_of(node.target) in DROPOUTS:
            _leave_out_dropout(graph, node)
    leave_out_places(graph)
    _work_on_copies(graph, images)
    for node in _calls(graph):
        if name_of(node.target) == "scaled_dot_product_attention":
            _spell_out_attention(graph, node)
    outputs = _take_marks_away(graph)
    gone = _leave_out_unread(graph)
    return {path: node for path, node in outputs.items() if node not in gone}


def depending_on(images: Node) -> set[Node]:
    """Every node whose value follows from the values of the images, not from their shape alone."""
    reached, left = {images}, [images]
    while left:
        new = [user for user in left.pop().users if user not in reached and not _reads_the_shape(user)]
        reached.update(new)
        left.extend(new)
    return reached


def module_path(node: Node) -> str:
    """The dotted path of the innermost module in which a node was made; empty for the network itself."""
    stack = node.meta.get("nn_module_stack") or {}
    return _plain([path for path, _ in stack.values()][-1]) if stack else ""


def _calls(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if node.op == "call_function"]


def _reads_the_shape(node: Node) -> bool:
    return node.op == "call_function" and reads_the_shape_only(node.target)


def _plain(path: str) -> str:
    """Without the mark `@1` of a module's second call."""
    return path.partition("@")[0]


def _leave_out_dropout(graph: Graph, node: Node) -> None:
    if node.args[2] is not False:
        raise NotExplainable(
            f"dropout in {module_path(node)!r} is random at every call; use nn.Dropout and eval()"
        )
    source: Node = node.args[0]  # type: ignore[assignment]  # of a dropout it is no number
    node.replace_all_uses_with(source)
    graph.erase_node(node)


def _work_on_copies(graph: Graph, images: Node) -> None:
    """Of what depends on the images, and of weights, nothing is written to."""
    active = {images}
    for node in _calls(graph):
        if not _reads_the_shape(node) and not active.isdisjoint(node.all_input_nodes):
            active.add(node)
        if _is_in_place(node) and (node in active or _root(node.all_input_nodes[0]).op == "placeholder"):
            _work_on_a_copy(graph, node)


def _is_in_place(node: Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    return schema is not None and bool(schema.is_mutable)


def _work_on_a_copy(graph: Graph, node: Node) -> None:
    """`relu_(x)` becomes `y = relu(x)`, and what reads x afterwards reads y."""
    changed, name = node.args[0], name_of(node.target)
    packet = getattr(aten, name.removesuffix("_"), None) if name.endswith("_") else None
    overload = getattr(packet, node.target._overloadname, None)  # type: ignore[union-attr]
    later = set(dropwhile(lambda one: one is not node, graph.nodes)) - {node}
    if (
        overload is None
        or not isinstance(changed, Node)
        or any(user in later for one in _aliases(changed) for user in one.users)
    ):
        raise NotExplainable(f"{name} in {module_path(node)!r} changes in place what is used elsewhere")
    changed.replace_all_uses_with(node, delete_user_cb=lambda user: user in later)
    node.target = overload


def _aliases(node: Node) -> Iterator[Node]:
    """Other nodes that share memory with it."""
    left = [_root(node)]
    while left:
        one = left.pop()
        if one is not node:
            yield one
        left.extend(user for user in one.users if user.op == "call_function" and is_view(user.target))


def _root(node: Node) -> Node:
    """What a view of a view is a view of."""
    while node.op == "call_function" and is_view(node.target) and isinstance(node.args[0], Node):
        node = node.args[0]
    return node


def _take_marks_away(graph: Graph) -> dict[str, Node]:
    outputs: dict[str, Node] = {}
    for node in graph.find_nodes(op="call_function", target=aten.alias.default):
        outputs.pop(module_path(node), None)  # a module that is called again moves to its last call
        outputs[module_path(node)] = node.args[0]
        node.replace_all_uses_with(node.args[0])
        graph.erase_node(node)
    return outputs


def _leave_out_unread(graph: Graph) -> set[Node]:
    """Assertions too; but not what fills a constant in place."""
    gone = set()
    for node in reversed(_calls(graph)):
        if not node.users and not _is_in_place(node):
            graph.erase_node(node)
            gone.add(node)
    return gone


def _spell_out_attention(graph: Graph, node: Node) -> None:
    """softmax(q k^T scale + mask) v, so that the weights can be read and rules can tell the two products."""
    given: dict[str, Any] = {  # Any: arguments of an operator
        **dict(
            zip(("query", "key", "value", "attn_mask", "dropout_p", "is_causal"), node.args, strict=False)
        ),
        **node.kwargs,
    }
    if given.get("dropout_p") or given.get("is_causal") or given.get("enable_gqa"):
        raise NotExplainable(f"attention in {module_path(node)!r} is causal, random or grouped")
    query: Tensor = given["query"].meta["val"]
    scale = given.get("scale") or query.shape[-1] ** -0.5
    with graph.inserting_before(node):
        scaled = graph.call_function(aten.mul.Tensor, (given["query"], scale))
        turned = graph.call_function(aten.transpose.int, (given["key"], -2, -1))
        scores = graph.call_function(aten.matmul.default, (scaled, turned))
        if given.get("attn_mask") is not None:
            scores = graph.call_function(aten.add.Tensor, (scores, _as_addend(graph, given["attn_mask"])))
        weights = graph.call_function(aten.softmax.int, (scores, -1))
        mixed = graph.call_function(aten.matmul.default, (weights, given["value"]))
    for new in (scaled, turned, scores, weights, mixed):
        new.meta["nn_module_stack"] = node.meta.get("nn_module_stack")
        new.meta["val"] = node.meta["val"]  # the images stand in the same dimension
    node.replace_all_uses_with(mixed)
    graph.erase_node(node)


def _as_addend(graph: Graph, mask: Node) -> Node:
    """A mask of truth values as zeros where attention is allowed and minus infinity elsewhere."""
    if mask.meta["val"].dtype is not torch.bool:
        return mask
    return graph.call_function(aten.where.Scalar, (mask, 0.0, float("-inf")))
