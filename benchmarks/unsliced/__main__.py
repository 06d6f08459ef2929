"""The product's worker with another child."""

from __future__ import annotations

from workers.main import main

if __name__ == "__main__":
    main(child="benchmarks.unsliced.child")
