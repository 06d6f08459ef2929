"""The devices that torch finds here, as a JSON list: `python -m workers.devices`."""

from __future__ import annotations

import json
import sys

import torch


def devices() -> list[str]:
    """Names for people; the CPU comes last, for it is what is left."""
    found = [f"cuda:{n} ({torch.cuda.get_device_name(n)})" for n in range(torch.cuda.device_count())]
    metal = ["mps"] if torch.backends.mps.is_available() else []
    return [*found, *metal, f"cpu ({torch.get_num_threads()} threads)"]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(devices()) + "\n")
