"""What a network predicts for many images while paths in it are blocked."""

from __future__ import annotations

from jobs.causal import MaskingAnswer, MaskingQuestion
from workers.causal.circumstances import Circumstances
from workers.causal.discovery import anatomy
from workers.causal.masking import masked_predictions
from workers.gathering import Gathering, Survey


def look(gathering: Gathering, question: MaskingQuestion) -> MaskingAnswer:
    """One set of cuts after the other; it may end before all are done."""
    subject = anatomy(gathering.network, gathering.images)
    circumstances = Circumstances(gathering.chunk_rows, gathering.checkpoint, gathering.is_late)
    return masked_predictions(subject, gathering.images, question, circumstances)


SURVEY = Survey(name="masked-predictions", version=1, params=MaskingQuestion, look=look)
