"""The GPU room: models, explanation methods and the processes that run them. It never imports FastAPI.

`workers.explain` and `workers.measure` are imported on first use: the parent process stays free of torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workers.explainer import explain
    from workers.measurer import measure

__all__ = ["explain", "measure"]


def __getattr__(name: str) -> object:
    if name == "explain":
        from workers.explainer import explain

        return explain
    if name == "measure":
        from workers.measurer import measure

        return measure
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
