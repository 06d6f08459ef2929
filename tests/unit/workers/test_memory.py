"""What is read of a process' memory, its machine and the groups that it is in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from workers import memory
from workers.memory import CudaGauge, Meter, NoGauge, ProcessGauge, gauge_of

MEBIBYTE = 2**20

needs_proc = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="/proc has no peaks here")


@needs_proc
def test_a_peak_is_seen_after_it_is_over_and_only_by_its_own_batch() -> None:
    meter = Meter("cpu")

    first = meter.begin()
    torch.ones(64 * MEBIBYTE)  # 256 MiB
    during, second = first(4), meter.begin()
    after = second(1)

    assert during.largest == 4
    assert during.peak_bytes is not None
    assert during.held_bytes is not None
    assert during.peak_bytes - during.held_bytes > 200 * MEBIBYTE
    assert after.peak_bytes is not None
    assert after.held_bytes is not None
    assert after.peak_bytes - after.held_bytes < 100 * MEBIBYTE
    assert during.room_bytes is not None
    assert during.room_bytes > during.held_bytes


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with 8000 KiB to spare, and a process that holds 1000 KiB and has held 3000."""
    monkeypatch.setattr(memory, "PROCESS", tmp_path / "self")
    monkeypatch.setattr(memory, "MACHINE", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "GROUPS", tmp_path / "groups")
    write(
        tmp_path,
        {
            "meminfo": "MemTotal:  16000 kB\nMemAvailable:  8000 kB\n",
            "self/status": "Name: python\nVmHWM:\t    3000 kB\nVmRSS:\t  1000 kB\n",
            "self/clear_refs": "",
        },
    )
    return tmp_path


def write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_what_a_process_holds_and_held_is_read_and_its_peak_can_be_forgotten(proc: Path) -> None:
    gauge = ProcessGauge()

    assert gauge.reset()
    assert (proc / "self/clear_refs").read_text() == "5"
    assert (gauge.held(), gauge.peak(), gauge.room()) == (1000 * 1024, 3000 * 1024, 9000 * 1024)


@pytest.mark.parametrize(
    ("files", "free"),
    [
        (
            {"self/cgroup": "0::/\n", "groups/memory.max": "max\n", "groups/memory.current": "9\n"},
            8000 * 1024,
        ),
        (
            {
                "self/cgroup": "0::/pod/box\n",
                "groups/pod/box/memory.max": "max\n",
                "groups/pod/box/memory.current": "100\n",
                "groups/pod/memory.max": "5000\n",
                "groups/pod/memory.current": "3000\n",
                "groups/pod/memory.stat": "anon 1\ninactive_file 500\n",
            },
            2500,
        ),
        (
            {
                "self/cgroup": "9:cpu:/\n4:memory:/elsewhere\n0::/\n",
                "groups/memory/memory.limit_in_bytes": "5000\n",
                "groups/memory/memory.usage_in_bytes": "4000\n",
                "groups/memory/memory.stat": "total_inactive_file 100\n",
            },
            1100,
        ),
        (
            {
                "self/cgroup": "0::/\n",
                "groups/memory.max": "5000\n",
                "groups/memory.current": "6000\n",
            },
            0,
        ),
    ],
    ids=["no limit", "a limit of an outer group", "the older kind, seen from inside", "outgrown"],
)
def test_the_narrowest_group_says_how_much_room_there_is(
    proc: Path, files: Mapping[str, str], free: int
) -> None:
    write(proc, files)

    assert ProcessGauge().room() == 1000 * 1024 + free


def test_a_peak_that_cannot_be_forgotten_is_not_reported(proc: Path) -> None:
    (proc / "self/clear_refs").unlink()
    (proc / "self/clear_refs").mkdir()

    assert Meter("cpu").begin()(2).peak_bytes is None


def test_what_cannot_be_read_is_not_reported(proc: Path) -> None:
    for name in ("self/status", "meminfo"):
        (proc / name).unlink()
    footprint = Meter("cpu").begin()(2)

    assert (footprint.held_bytes, footprint.peak_bytes, footprint.room_bytes) == (None, None, None)
    assert footprint.largest == 2


def test_every_device_has_its_gauge() -> None:
    assert isinstance(gauge_of("cuda:1"), CudaGauge)
    assert isinstance(gauge_of("mps"), NoGauge)
    nothing = Meter("mps").begin()(3)
    assert (nothing.largest, nothing.held_bytes, nothing.peak_bytes, nothing.room_bytes) == (
        3,
        None,
        None,
        None,
    )


def test_the_room_is_read_once_a_second_at_most(proc: Path) -> None:
    meter = Meter("cpu")
    before = meter.begin()(1).room_bytes
    (proc / "meminfo").write_text("MemAvailable: 1 kB\n")

    assert meter.begin()(1).room_bytes == before
