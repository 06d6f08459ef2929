"""The product's child with slices that never end."""

from __future__ import annotations

import math

from workers.device import main

if __name__ == "__main__":
    main(slice_seconds=math.inf)
