"""What becomes of a repair."""

from __future__ import annotations

from jobs.keys import Keys
from jobs.lua import Call, load


def keep_repair(keys: Keys, tenant: str, repair: tuple[str, str, str], most: int) -> Call:
    """Keep a repair: its id, its record and what it cuts; of a tenant there may be so many."""
    return Call(load("keep_repair"), (keys.repairs(tenant), keys.repair_cuts(tenant)), (*repair, most))
