"""How much memory the work on a device holds, and how much it could hold; None where that cannot be read."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import torch

from workers.pipe import Footprint

PROCESS = Path("/proc/self")
MACHINE = Path("/proc/meminfo")
GROUPS = Path("/sys/fs/cgroup")
FORGET_PEAK = "5"  # in the language of clear_refs
ROOM_SECONDS = 1.0  # for which a reading of the room is good: it takes longer than a small batch may


class Meter:
    """Measures batches on one device. Those that run in slices see each other's peaks: this errs upwards."""

    def __init__(self, device: str) -> None:
        self._gauge = gauge_of(device)
        self._room: int | None = None
        self._read_at = -ROOM_SECONDS

    def begin(self) -> Callable[[int], Footprint]:
        """A batch begins; call what is returned when it is done, with the most jobs that ran together."""
        held = self._gauge.held()
        is_fresh = self._gauge.reset()

        def footprint(largest: int) -> Footprint:
            peak = self._gauge.peak() if is_fresh else None
            return Footprint(largest=largest, held_bytes=held, peak_bytes=peak, room_bytes=self._room_now())

        return footprint

    def _room_now(self) -> int | None:
        if time.monotonic() - self._read_at >= ROOM_SECONDS:
            self._room, self._read_at = self._gauge.room(), time.monotonic()
        return self._room


class Gauge(Protocol):
    """What can be read of a device's memory, in bytes."""

    def reset(self) -> bool:
        """Forget the peak, if that can be done."""

    def held(self) -> int | None:
        """What this process holds."""

    def peak(self) -> int | None:
        """The most that it held since the peak was forgotten."""

    def room(self) -> int | None:
        """The most that it could hold, what it holds included."""


class CudaGauge:
    """A GPU, as torch's allocator sees it: blocks that it keeps for later are room."""

    def __init__(self, device: str) -> None:
        self._device = torch.device(device)

    def reset(self) -> bool:
        torch.cuda.reset_peak_memory_stats(self._device)
        return True

    def held(self) -> int:
        return torch.cuda.memory_allocated(self._device)

    def peak(self) -> int:
        return torch.cuda.max_memory_allocated(self._device)

    def room(self) -> int:
        free, _ = torch.cuda.mem_get_info(self._device)
        return int(free) + torch.cuda.memory_reserved(self._device)


class ProcessGauge:
    """The memory of the machine, or of the control group that this process may not outgrow."""

    def reset(self) -> bool:
        try:
            (PROCESS / "clear_refs").write_text(FORGET_PEAK)
        except OSError:
            return False
        return True

    def held(self) -> int | None:
        return _kilobytes(PROCESS / "status", "VmRSS:")

    def peak(self) -> int | None:
        return _kilobytes(PROCESS / "status", "VmHWM:")

    def room(self) -> int | None:
        free = [_kilobytes(MACHINE, "MemAvailable:"), *map(_left_in, _groups())]
        known = [n_bytes for n_bytes in free if n_bytes is not None]
        held = self.held()
        return None if held is None or not known else held + max(0, min(known))


class NoGauge:
    """A device of which nothing can be read."""

    def reset(self) -> bool:
        return False

    def held(self) -> None:
        return None

    def peak(self) -> None:
        return None

    def room(self) -> None:
        return None


def gauge_of(device: str) -> Gauge:
    """The gauge of a device by its name."""
    if device.startswith("cuda"):
        return CudaGauge(device)
    return ProcessGauge() if device == "cpu" and PROCESS.is_dir() else NoGauge()


def give_back(device: str) -> None:
    """Free what nobody holds any more, also what torch would have kept for the next batch."""
    gc.collect()
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
    elif device.startswith("mps"):
        torch.mps.empty_cache()


def _groups() -> Iterator[Path]:
    """The folders of the control groups that limit this process, from the innermost outwards.

    In a container its own group often stands at the top, whatever /proc says.
    """
    for line in _text(PROCESS / "cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "memory"):
            root = GROUPS / controllers
            own = root / path.lstrip("/")
            yield from (own, *(parent for parent in own.parents if parent.is_relative_to(root)))


def _left_in(group: Path) -> int | None:
    """Bytes that a group may still take; cached files in it make way."""
    for limit, usage, cached in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        most, used = _text(group / limit).strip(), _text(group / usage).strip()
        if most.isdigit() and used.isdigit():
            return int(most) - int(used) + (_number(_text(group / "memory.stat"), cached) or 0)
    return None


def _kilobytes(path: Path, name: str) -> int | None:
    number = _number(_text(path), name)
    return None if number is None else number * 1024


def _number(text: str, name: str) -> int | None:
    for line in text.splitlines():
        key, *values = line.split()
        if key == name:
            return int(values[0])
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
