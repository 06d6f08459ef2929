"""The GPU room: models, explanation methods and the processes that run them. It never imports FastAPI.

`workers.explain` is imported on first use, so that the parent process stays free of torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workers.explainer import explain

__all__ = ["explain"]


def __getattr__(name: str) -> object:
    if name != "explain":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from workers.explainer import explain

    return explain
