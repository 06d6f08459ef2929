"""A child that outlives its parent is a leak: this ties the one to the other."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


def start_child(
    words: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a process that dies with the calling thread, even when that is killed.

    It gets a session of its own, so that Ctrl-C reaches it only through its parent, and no standard input.
    """
    return subprocess.Popen(
        list(words),
        env=dict(environment) if environment is not None else None,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        pass_fds=tuple(pass_fds),
        start_new_session=True,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call, no lock and no allocation by Python
    )


def end_children(processes: Sequence[subprocess.Popen[bytes]], *, seconds: float) -> None:
    """Ask all of them to end at once and wait for each; one that takes longer than `seconds` is killed."""
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def die_with_parent() -> None:
    """Ask Linux to kill this process when the thread that started it ends; elsewhere: nothing."""
    if sys.platform == "linux":
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


# Loaded here, since a child between fork and exec must not load anything.
_LIBC = ctypes.CDLL(None, use_errno=True)
