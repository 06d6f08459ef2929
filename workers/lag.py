"""How far a device lags behind what it was told: a clock alone does not see it."""

from __future__ import annotations

import torch


class Lag:
    """At most the work since the last but one call is under way on a CUDA device; others do not lag.

    What was told a GPU waits in line there: without this a batch would have used its slice long before its
    thread notices, and a cheap one would wait for all of it. One part stays in line, so that the GPU does
    not wait for the CPU either.
    """

    def __init__(self, device: str) -> None:
        self._device = torch.device(device)
        self._last: torch.cuda.Event | None = None

    def catch_up(self) -> None:
        """Wait until the device has done what it was told before the last call."""
        if self._device.type != "cuda":
            return
        stream = torch.cuda.current_stream(self._device)
        if self._last is not None:
            self._last.synchronize()
        self._last = stream.record_event()
