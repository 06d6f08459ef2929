"""What is changed in an exported graph before it is read: work in place, dropout, fused attention."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.fx import Graph, Node

from jobs.errors import NotExplainable
from workers.graph.kinds import is_view, name_of, reads_the_shape_only

aten = torch.ops.aten
DROPOUTS = ("dropout", "dropout_", "feature_dropout", "alpha_dropout", "feature_alpha_dropout")


def rewrite(graph: Graph, images: Node) -> None:
    """Values never change after they were computed, nothing is left out at random, attention is explicit.

    Raises NotExplainable naming the call that stands against it.
    """
    for node in list(graph.nodes):
        if node.op == "call_function" and name_of(node.target) in DROPOUTS:
            _leave_out_dropout(graph, node)
    active = depending_on(images)
    for node in list(graph.nodes):
        if node in active and _is_in_place(node):
            _work_on_a_copy(graph, node)
    for node in list(graph.nodes):
        if node.op == "call_function" and name_of(node.target) == "scaled_dot_product_attention":
            _spell_out_attention(graph, node)


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


def module_paths(node: Node) -> list[str]:
    """The dotted paths of all modules around a node, outermost first."""
    return [_plain(path) for path, _ in (node.meta.get("nn_module_stack") or {}).values()]


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
    source.meta.setdefault("also_output_of", []).extend(
        [*module_paths(node), *node.meta.get("also_output_of", [])]
    )
    graph.erase_node(node)


def _is_in_place(node: Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    return schema is not None and bool(schema.is_mutable)


def _work_on_a_copy(graph: Graph, node: Node) -> None:
    """`relu_(x)` becomes `y = relu(x)`, and what reads x afterwards reads y."""
    changed = node.args[0]
    packet = getattr(aten, name_of(node.target).removesuffix("_"), None)
    overload = getattr(packet, node.target._overloadname, None)  # type: ignore[union-attr]
    order = {one: place for place, one in enumerate(graph.nodes)}
    later = {one for one in order if order[one] > order[node]}
    shared = set(_aliases(changed)) if isinstance(changed, Node) else set()
    if (
        overload is None
        or not isinstance(changed, Node)
        or any(user in later for one in shared for user in one.users)
    ):
        raise NotExplainable(
            f"{name_of(node.target)} in {module_path(node)!r} changes in place what is used elsewhere"
        )
    changed.replace_all_uses_with(node, delete_user_cb=lambda user: user in later)
    node.target = overload


def _aliases(node: Node) -> Iterator[Node]:
    """Other nodes that share memory with it."""
    root = node
    while root.op == "call_function" and is_view(root.target) and isinstance(root.args[0], Node):
        root = root.args[0]
    left = [root]
    while left:
        one = left.pop()
        if one is not node:
            yield one
        left.extend(user for user in one.users if user.op == "call_function" and is_view(user.target))


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
            scores = graph.call_function(aten.add.Tensor, (scores, given["attn_mask"]))
        weights = graph.call_function(aten.softmax.int, (scores, -1))
        mixed = graph.call_function(aten.matmul.default, (weights, given["value"]))
    for new in (scaled, turned, scores, weights, mixed):
        new.meta["nn_module_stack"] = node.meta.get("nn_module_stack")
    node.replace_all_uses_with(mixed)
    graph.erase_node(node)
