"""The layers of a network between which causal graphs have paths."""

from __future__ import annotations

from jobs.causal import Skeleton, SkeletonQuestion
from workers.causal.discovery import anatomy
from workers.gathering import Gathering, Survey


def look(gathering: Gathering, _: SkeletonQuestion) -> Skeleton:
    """Follows the channels; no image goes through the network."""
    return anatomy(gathering.network, gathering.images).skeleton


SURVEY = Survey(name="causal-skeleton", version=1, params=SkeletonQuestion, look=look)
