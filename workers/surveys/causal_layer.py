"""The nodes of one layer: the effect of each on a class, and which of them stand out."""

from __future__ import annotations

from jobs.causal import LayerAnswer, LayerQuestion
from workers.causal.circumstances import Circumstances
from workers.causal.discovery import anatomy, examine_layer
from workers.gathering import Gathering, Survey


def look(gathering: Gathering, question: LayerQuestion) -> LayerAnswer:
    """One step of Algorithm 1; it may end before all nodes are done."""
    subject = anatomy(gathering.network, gathering.images)
    circumstances = Circumstances(gathering.chunk_rows, gathering.checkpoint, gathering.is_late)
    return examine_layer(subject, gathering.images, question, circumstances)


SURVEY = Survey(name="causal-layer", version=1, params=LayerQuestion, look=look)
