"""Searches that ask about coalitions one round after the other; those of all rows share the forwards."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn import functional as F

from workers.perturbation.segment_canvas import SegmentCanvas
from workers.probe import Probe

AT_ONCE = 64  # inputs that are made at a time

Found = TypeVar("Found")


@dataclass(frozen=True)
class Question:
    """Coalitions `shown` (s, P of the image), and the share of the search that is done."""

    shown: Tensor
    done: float = 0.0


Dialogue = Generator[Question, Tensor, Found]  # it gets the logits (s, K), on the CPU


def converse(probe: Probe, stage: SegmentCanvas, dialogues: Sequence[Dialogue[Found]]) -> list[Found]:
    """What each row's search (R) returns. A search sees nothing of the others."""
    found: dict[int, Found] = {}
    answers: dict[int, Tensor | None] = dict.fromkeys(range(len(dialogues)))
    while answers:
        questions: dict[int, Question] = {}
        for row, answer in answers.items():
            try:
                questions[row] = dialogues[row].send(answer)  # type: ignore[arg-type]  # None starts it
            except StopIteration as end:
                found[row] = end.value
        answers = dict(_answers(probe, stage, questions))
    return [found[row] for row in range(len(dialogues))]


def _answers(
    probe: Probe, stage: SegmentCanvas, questions: dict[int, Question]
) -> Sequence[tuple[int, Tensor]]:
    if not questions:
        return []
    done = min(question.done for question in questions.values())
    part, device = probe.part(done, done), probe.image_of_row.device
    sizes = [len(question.shown) for question in questions.values()]
    missing = [stage.segments.most - question.shown.shape[1] for question in questions.values()]
    padded = [
        F.pad(question.shown, (0, beside))
        for question, beside in zip(questions.values(), missing, strict=True)
    ]
    shown = torch.cat(padded).to(device).unsqueeze(1)
    rows = torch.tensor(list(questions), device=device)
    images = probe.image_of_row[rows].repeat_interleave(torch.tensor(sizes, device=device))
    logits = torch.cat(
        [
            part.answers(stage.show(some, masks).squeeze(1))
            for some, masks in zip(torch.split(images, AT_ONCE), torch.split(shown, AT_ONCE), strict=True)
        ]
    )
    return list(zip(questions, torch.split(logits.cpu(), sizes), strict=True))
