"""Why a worker ends although nobody told it to."""

from __future__ import annotations

from jobs.errors import RationaleError


class NothingToServe(RationaleError):
    """The child knows no model at all."""

    code = "nothing-to-serve"


class DeviceBroken(RationaleError):
    """The device fails under one job after the other."""

    code = "device-broken"


ENDINGS = (NothingToServe, DeviceBroken)
