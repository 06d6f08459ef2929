"""What may fail for one job without harm to the others, and what may not."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import torch

from jobs.errors import InternalError, JobFailed
from workers.probe import Interrupted

T = TypeVar("T")

# Words of errors that have no type of their own: of the CPU, of Apple's GPUs, and of the workspaces of CUDA.
OUT_OF_MEMORY = (
    "DefaultCPUAllocator",
    "MPS backend out of memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)

log = logging.getLogger(__name__)


def attempt(work: Callable[[], T]) -> T | JobFailed:
    """What `work` returns, or the failure that it ends in; a defect of ours is logged.

    Passes through: `Interrupted`, lack of memory, and errors of the device, after which it is of no use.
    """
    try:
        return work()
    except JobFailed as error:
        return error
    except (Interrupted, MemoryError, torch.AcceleratorError):
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        log.exception("an explanation failed")
        return InternalError(f"{type(error).__name__}; the worker's log has the details")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device, or the machine, could not hold what was asked of it."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return any(words in str(error) for words in OUT_OF_MEMORY)
