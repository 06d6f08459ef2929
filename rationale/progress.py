"""Bars for those who wait, where they want one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager

Progress = bool | Callable[[float], object]
"""True: a bar; a function: it gets the share that is done, or of many images how many are."""


@contextmanager
def shown(
    progress: Progress, title: str, many: Iterable[object] | None = None
) -> Iterator[Callable[[float], object] | None]:
    """The function to tell of progress, None where nobody wants to know."""
    if not isinstance(progress, bool):
        yield progress
    elif progress:
        from rich.progress import Progress as Bar

        total = 1.0 if many is None else float(len(many)) if isinstance(many, Sized) else None
        with Bar() as bar:
            task = bar.add_task(title, total=total)
            yield lambda done: bar.update(task, completed=done)
    else:
        yield None
