"""Forward hooks that are only ours: seen by the thread that set them, and gone when it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

Reaction = Callable[[str, object], Tensor | None]

_watcher: ContextVar[object | None] = ContextVar("watcher", default=None)


@contextmanager
def watching(modules: Mapping[str, nn.Module], react: Reaction) -> Iterator[None]:
    """Calls `react(name, output)` after each module's forward; a tensor that it returns replaces the output.

    Another thread that runs the same modules meanwhile meets the hooks too, but not their reaction.
    """
    token = object()

    def hook_for(name: str) -> Callable[[nn.Module, object, object], Tensor | None]:
        return lambda _module, _inputs, output: react(name, output) if _watcher.get() is token else None

    handles: list[RemovableHandle] = []
    before = _watcher.set(token)
    try:
        for name, module in modules.items():
            handles.append(module.register_forward_hook(hook_for(name)))
        yield
    finally:
        _watcher.reset(before)
        for handle in handles:
            handle.remove()
