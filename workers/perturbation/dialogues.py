"""Searches that ask about coalitions one round after the other; those of all rows share the forwards."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

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
    part = probe.part(done, done)
    sizes = [len(question.shown) for question in questions.values()]
    rows = torch.tensor(list(questions), device=probe.image_of_row.device)
    images = probe.image_of_row[rows].repeat_interleave(torch.tensor(sizes, device=rows.device))
    most = stage.segments.most
    shown = torch.zeros(len(images), most, dtype=torch.bool)
    for some, question in zip(torch.arange(len(images)).split(sizes), questions.values(), strict=True):
        shown[some, : question.shown.shape[1]] = question.shown
    shown = shown.to(rows.device).unsqueeze(1)
    logits = [
        part.answers(stage.show(images[some], shown[some]).squeeze(1))
        for some in torch.arange(len(images), device=rows.device).split(AT_ONCE)
    ]
    return list(zip(questions, torch.cat(logits).cpu().split(sizes), strict=True))
