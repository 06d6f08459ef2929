"""Networks taught random labels: as many nodes stand out as the level allows, in the last layer and below."""

from __future__ import annotations

from benchmarks.causal.chance import shares

NETWORKS = 100


def test_as_many_nodes_are_found_by_chance_as_the_level_says() -> None:
    found = shares(range(NETWORKS))

    assert found["upper"].networks == NETWORKS
    assert found["lower"].networks >= NETWORKS // 2  # where the layer above had a necessary node
    assert {layer: share.is_level(0.05) for layer, share in found.items()} == {"upper": True, "lower": True}
