"""Every speed that is claimed, measured beside its peer in one run."""

import os

from workers.device import SPIN_COUNT

# Before anything loads torch, as in a worker: else a busy machine measures how long threads wait.
os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)
