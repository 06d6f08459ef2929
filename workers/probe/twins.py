"""Twins of a network: the same modules around the same weights, but for layers whose weights are redrawn."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from jobs.errors import NotExplainable
from workers.graph import trace_as
from workers.probe.hooks import watching


@dataclass(frozen=True)
class Storey:
    """A layer with weights by its dotted path, and the modules that are redrawn with it.

    These are the layer itself and the ones after it that have vectors only, such as norms.
    """

    path: str
    modules: tuple[str, ...]


def storeys_of(network: nn.Module, like: Tensor) -> tuple[Storey, ...]:
    """From the input to the output, as they run for an image like these (N, C, H, W).

    A layer is a module with a parameter of its own of two or more dimensions. What comes before the first
    belongs to it.
    """
    owners = {path: module for path, module in network.named_modules() if _own(module)}
    moments = _moments(network, like) if owners else {}
    found: list[list[str]] = []
    before: list[str] = []
    for path in sorted(owners, key=lambda path: moments[path]):
        if any(one.dim() > 1 for one in _own(owners[path])):
            found.append([path])
        elif found:
            found[-1].append(path)
        else:
            before.append(path)
    if before and not found:
        return (Storey(before[0], tuple(before)),)
    return tuple(
        Storey(paths[0], (*paths, *before) if paths is found[0] else tuple(paths)) for paths in found
    )


def twin_of(network: nn.Module, redrawn: Collection[str], word: str = "") -> nn.Module:
    """The network with other weights in the modules of these dotted paths; all else is shared with it.

    Each parameter is drawn from a normal distribution with its own mean and standard deviation, by a seed
    that follows from its name and a word; batch norms forget what they have seen. Nothing of the network
    is touched, and its hooks are not taken along. What is shared or tied in it is so in the twin.

    Raises NotExplainable where a module does not compute with its own weights only.
    """
    with torch.inference_mode(False), torch.no_grad():
        tensors = _redrawn(network, frozenset(redrawn), word)
        twin = _copied(network, tensors, {})
    trace_as(twin, network)
    return twin


def _own(module: nn.Module) -> list[nn.Parameter]:
    return list(module.parameters(recurse=False))


def _moments(network: nn.Module, like: Tensor) -> dict[str, int]:
    """When each module begins to run, in one forward of noise; what never runs goes with its parent."""
    modules = dict(network.named_modules())
    finished: dict[str, int] = {}
    shape = (2, *like.shape[1:])
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))

    def note(path: str, _: object) -> None:
        finished.setdefault(path, len(finished))

    with torch.inference_mode(False), torch.no_grad(), watching(modules, note):
        network(noise.to(next(network.parameters(), like)))
    begun = dict(finished)
    for path, moment in finished.items():  # a module begins before what is inside it has finished
        for around in _around(path):
            begun[around] = min(begun.get(around, moment), moment)
    for path in modules:
        begun.setdefault(path, next((begun[one] for one in _around(path) if one in begun), 0))
    return begun


def _around(path: str) -> list[str]:
    """The paths of the modules that hold a module, the nearest first."""
    names = path.split(".") if path else []
    return [".".join(names[:number]) for number in range(len(names) - 1, -1, -1)]


def _redrawn(network: nn.Module, paths: Collection[str], word: str) -> dict[int, Tensor]:
    """New tensors by the identity of the old ones."""
    names = {id(one): name for name, one in network.named_parameters()}  # of tied ones the first
    found: dict[int, Tensor] = {}
    for path in paths:
        module = network.get_submodule(path)
        for one in _own(module):
            if one.is_floating_point():
                found[id(one)] = nn.Parameter(_drawn(one, f"{word} {names[id(one)]}"), one.requires_grad)
        if isinstance(module, _NormBase):
            found.update(_unseen(module))
    return found


def _drawn(parameter: Tensor, word: str) -> Tensor:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big") >> 1
    values = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(seed))
    known = parameter.float()
    return (values.to(known) * known.std(correction=0) + known.mean()).to(parameter)


def _unseen(norm: _NormBase) -> dict[int, Tensor]:
    """Statistics of a norm that has met no image: those at hand are of what the old weights made."""
    found: dict[int, Tensor] = {}
    if norm.running_mean is not None:
        found[id(norm.running_mean)] = torch.zeros_like(norm.running_mean)
    if norm.running_var is not None:
        found[id(norm.running_var)] = torch.ones_like(norm.running_var)
    return found


def _copied(module: nn.Module, tensors: Mapping[int, Tensor], known: dict[int, nn.Module]) -> nn.Module:
    """The same kind of module with the same attributes, around copies of its children."""
    if id(module) in known:
        return known[id(module)]
    _check(module)
    copy: nn.Module = object.__new__(type(module))  # a graph module would make itself another class
    known[id(module)] = copy
    for name, value in list(vars(module).items()):
        copy.__dict__[name] = _attribute(name, value, module, copy)
    for name in ("_parameters", "_buffers"):
        held = vars(module)[name]
        copy.__dict__[name] = {key: tensors.get(id(one), one) for key, one in held.items()}
    copy.__dict__["_modules"] = {
        name: None if child is None else _copied(child, tensors, known)
        for name, child in module._modules.items()
    }
    return copy


# Any: attributes of a module
def _attribute(name: str, value: Any, module: nn.Module, copy: nn.Module) -> Any:
    if name.startswith("_") and name.endswith(("_hooks", "_hooks_with_kwargs", "_hooks_always_called")):
        return OrderedDict()
    if isinstance(value, MethodType) and value.__self__ is module:
        return MethodType(value.__func__, copy)
    return value


def _check(module: nn.Module) -> None:
    forward = vars(module).get("forward")
    is_its_own = forward is None or getattr(forward, "__self__", None) is module
    has_weights = any(True for _ in module.parameters())
    if has_weights and (isinstance(module, torch.jit.ScriptModule) or not is_its_own):
        raise NotExplainable(f"the weights of a {type(module).__name__} cannot be replaced")
