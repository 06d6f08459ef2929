"""From a network to its traced forward pass: exported once for a kind of image, and kept."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from threading import Lock
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram, export

from jobs.errors import NotExplainable
from workers.graph.graph import Graph
from workers.graph.merging import merge_batch_norms
from workers.graph.reading import read
from workers.graph.rewriting import mark
from workers.tensors.memory_layouts import channels_last

Stamp = tuple[tuple[object, ...], ...]
Subject = tuple[
    tuple[int, ...], torch.dtype, torch.device, int | None
]  # shape, and the number if it is fixed


@dataclass(frozen=True)
class _Traced:
    plain: Graph

    @cached_property
    def merged(self) -> Graph:
        return merge_batch_norms(self.plain)

    @cached_property
    def swift(self) -> Graph:
        """Merged, and what merging made lies in memory as a CPU convolves it; rounding is another."""
        constants = {
            name: value if name in self.plain.constants else channels_last(value)
            for name, value in self.merged.constants.items()
        }
        return replace(self.merged, constants=constants)


_lock = Lock()
_kept: WeakKeyDictionary[nn.Module, tuple[Stamp, dict[Subject, _Traced | NotExplainable]]] = (
    WeakKeyDictionary()
)


_built_as: WeakKeyDictionary[nn.Module, nn.Module] = WeakKeyDictionary()


def trace_as(twin: nn.Module, network: nn.Module) -> None:
    """Says that a twin is the network with other weights: its calls are those of the network."""
    _built_as[twin] = network


def graph_of(network: nn.Module, like: Tensor, *, merged: bool = False, swift: bool = False) -> Graph:
    """The traced forward pass of a network for images like these (N, C, H, W), in the dtype of `like`.

    It is made once for a shape and kept until a weight changes. With `merged`, a batch norm right behind
    a linear call is a part of its weight and bias; `swift` is that for passes alone, faster.
    Raises NotExplainable when the network cannot be traced.
    """
    with _lock, torch.inference_mode(False):
        traced = _find_or_trace(network, like)
        if isinstance(traced, NotExplainable):
            raise NotExplainable(traced.detail)
        if swift:
            return traced.swift
        return traced.merged if merged else traced.plain


def _find_or_trace(network: nn.Module, like: Tensor) -> _Traced | NotExplainable:
    """What is known of images like these; a network that cannot be traced is tried once."""
    stamp = _stamp(network)
    if network not in _kept or _kept[network][0] != stamp:
        _kept[network] = (stamp, {})
    known = _kept[network][1]
    kind = (tuple(like.shape[1:]), like.dtype, like.device)
    for size in (None, len(like)):
        if (*kind, size) in known:
            return known[(*kind, size)]
    if network in _built_as:
        traced = _find_or_trace(_built_as[network], like)
        if isinstance(traced, NotExplainable):
            return traced
        graph = _with_weights_of(network, _built_as[network], traced.plain, like)
        return known.setdefault((*kind, None if graph.any_number else len(like)), _Traced(graph))
    try:
        graph = _trace(network, like, max(2, len(like)))
        if not graph.any_number and len(like) == 1:
            graph = _trace(network, like, 1)
    except NotExplainable as error:
        return known.setdefault((*kind, len(like)), NotExplainable(error.detail))
    return known.setdefault((*kind, None if graph.any_number else len(like)), _Traced(graph))


def _with_weights_of(twin: nn.Module, network: nn.Module, graph: Graph, like: Tensor) -> Graph:
    """The calls of a network with what is new in its twin in place of its weights and buffers."""
    old, new = _held(network), _held(twin)
    changed = {path: _weight(one, like).detach() for path, one in new.items() if one is not old.get(path)}
    constants = {
        name: changed.get(graph.sources.get(name, name), constant)
        for name, constant in graph.constants.items()
    }
    return replace(graph, constants=constants)


def _held(network: nn.Module) -> dict[str, Tensor]:
    """By every dotted path that leads to it."""
    parameters = network.named_parameters(remove_duplicate=False)
    return {**dict(parameters), **dict(network.named_buffers(remove_duplicate=False))}


def _stamp(network: nn.Module) -> Stamp:
    """Changes when a weight is written or replaced, a module by another, or a plain attribute of one."""
    weights = (
        (id(one), 0 if one.is_inference() else one._version, one.data_ptr())
        for one in (*network.parameters(), *network.buffers())
    )
    modules = ((id(one), type(one), *filter(_is_plain, vars(one).values())) for one in network.modules())
    return (*weights, *modules)


def _is_plain(attribute: object) -> bool:
    return isinstance(attribute, bool | int | float | str)


def _trace(network: nn.Module, like: Tensor, number: int) -> Graph:
    """Exports a copy of the modules, so that the network itself is not touched."""
    noise = torch.randn(number, *like.shape[1:], generator=torch.Generator().manual_seed(0)).to(like)
    try:
        with torch.enable_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program: ExportedProgram = export(
                _skeleton(network, like), (noise,), dynamic_shapes=({0: Dim.AUTO},), strict=False
            )
    except (RuntimeError, TypeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise NotExplainable(f"the network's forward pass cannot be traced: {reason}") from error
    graph = read(program)
    return replace(graph, outputs=_by_first_path(graph.outputs, network))


def _by_first_path(outputs: Mapping[str, str], network: nn.Module) -> dict[str, str]:
    """A module that has several paths is known by the first, as in `named_modules`."""
    first = {id(module): path for path, module in network.named_modules()}
    paths = {path: first[id(module)] for path, module in network.named_modules(remove_duplicate=False)}
    return {paths[path]: name for path, name in outputs.items() if path in paths}


def _skeleton(network: nn.Module, like: Tensor) -> nn.Module:
    """A copy of the modules around the same weights, which marks what each of them returns."""
    weights = {id(one): _weight(one, like) for one in (*network.parameters(), *network.buffers())}
    skeleton: nn.Module = copy.deepcopy(network, dict(weights))
    for path, module in skeleton.named_modules():
        if path:
            module.register_forward_hook(mark)
    return skeleton


def _weight(weight: Tensor, like: Tensor) -> Tensor:
    """The same memory where the dtype is the same; parameters stay parameters."""
    values = weight.detach()
    if values.is_floating_point():
        values = values.to(like.dtype)
    return nn.Parameter(values, requires_grad=False) if isinstance(weight, nn.Parameter) else values
