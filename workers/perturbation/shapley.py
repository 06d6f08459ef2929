"""Shapley values of segments: of all coalitions where these are few, else by a road that draws some."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import comb
from typing import Protocol

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from jobs.result import Stop
from workers.declare import Relevance
from workers.perturbation.coalitions import CoalitionParams
from workers.perturbation.sampling import Estimator, Sampler, sample
from workers.perturbation.segment_canvas import SEGMENT_FILLINGS, SegmentCanvas, SegmentFilling
from workers.probe import Output, Perturb, Probe
from workers.tensors.gaps import relative_gaps

MOST_COALITIONS = 1024  # that are shown in full instead of being drawn from
ALWAYS_COALITIONS = 16  # however little time there is


class ShapleyParams(CoalitionParams):
    """The segments, and what stands where one is hidden."""

    baseline: SegmentFilling = Field("mean", description=SEGMENT_FILLINGS)
    output: Output = Field(
        "logit", description="Whether the raw output is shared out among the segments or the probability."
    )


class Estimate(Estimator, Protocol):
    """What the samples say of each segment."""

    def values(self) -> Tensor:
        """(R, P)."""

    def standard_errors(self) -> Tensor:
        """(R, P)."""


@dataclass(frozen=True)
class Ends:
    """(R,) each: the scores with every segment `shown` and with every one `hidden`."""

    shown: Tensor
    hidden: Tensor

    @property
    def promised(self) -> Tensor:
        """(R,): what Shapley values sum to."""
        return self.shown - self.hidden


Road = Callable[[Probe, SegmentCanvas, Ends], tuple[Sampler, Estimate]]


def shapley_values(probe: Probe, params: ShapleyParams, road: Road) -> Relevance:
    """The map of Shapley values, exact for rows with few segments; the others take the road of samples.

    The two ends of every row count among its samples.
    """
    stage = SegmentCanvas.of(probe, params, params.baseline)
    ends = _ends(probe, stage, params.output)
    few = _few(stage, params)[probe.image_of_row]
    exact = _by_count(probe, stage, ends, few.nonzero().flatten(), params.output)
    sampler, estimate = road(probe, stage, ends)
    counts = stage.counts_of(probe.image_of_row)

    def describe(samples: Tensor, stops: tuple[Stop | None, ...]) -> Relevance:
        values, errors = exact, torch.zeros_like(exact)
        if not few.all():
            drawn = (~few).to(exact.device)[:, None]
            values = torch.where(drawn, estimate.values().to(exact), exact)
            errors = torch.where(drawn, estimate.standard_errors().to(exact), errors)
        return Relevance(
            maps=stage.paint(values, probe.image_of_row),
            native_grid=probe.input_size,
            gaps=relative_gaps(values.sum(dim=1), ends.promised.to(values)),
            samples=torch.where(few, 2**counts, samples + 2),
            stops=stops,
            standard_errors=stage.paint(errors, probe.image_of_row),
            details=_details(counts, ends),
        )

    left = params.model_copy(update={"max_samples": params.max_samples - 2})
    drawn = (~few).nonzero().flatten()
    return sample(probe, left, sampler, estimate, describe, output=params.output, rows=drawn)


def exact_shapley(scores: Tensor) -> Tensor:
    """(r, P) in float64, from scores (r, 2^P) of all coalitions; coalition k shows segment i by bit i of k.

    phi_i = sum over S without i of |S|! (P - |S| - 1)! / P! (v(S + i) - v(S)).
    """
    segments = scores.shape[1].bit_length() - 1
    shown = every_coalition(segments).double().to(scores.device)
    sizes = shown.sum(dim=1).long()
    joins = [1 / (size * comb(segments, size)) if size else 0.0 for size in range(segments + 1)]
    leaves = [*joins[:0:-1], 0.0]  # a coalition of s that i has left is one of s + 1 that it had joined
    with_it, without = (scores.new_tensor(each, dtype=torch.float64)[sizes] for each in (joins, leaves))
    weights = shown * with_it[:, None] - (1 - shown) * without[:, None]
    return scores.double() @ weights


def every_coalition(segments: int) -> Tensor:
    """(2^segments, segments), bool."""
    return (torch.arange(2**segments)[:, None] >> torch.arange(segments)) % 2 == 1


def _few(stage: SegmentCanvas, params: ShapleyParams) -> Tensor:
    """(S,), bool: images of which every coalition can be shown."""
    allowed = min(MOST_COALITIONS, params.max_samples) if params.max_seconds is None else ALWAYS_COALITIONS
    images = torch.arange(len(stage.like), device=stage.like.device)
    return 2.0 ** stage.counts_of(images) <= allowed


def _ends(probe: Probe, stage: SegmentCanvas, output: Output) -> Ends:
    both = torch.tensor([[True], [False]], device=probe.images.device).expand(-1, stage.segments.most)

    def show(images: slice, steps: Tensor) -> Tensor:
        return stage.show(images, both[steps].expand(images.stop - images.start, -1, -1))

    shown, hidden = probe.part(0, 0).scores(show, 2, output=output).unbind(dim=1)
    return Ends(shown, hidden)


def _by_count(probe: Probe, stage: SegmentCanvas, ends: Ends, rows: Tensor, output: Output) -> Tensor:
    """(R, P) in float64: the exact values of some rows (r,), nothing elsewhere."""
    values = torch.zeros(len(probe), stage.segments.most, dtype=torch.float64, device=rows.device)
    counts = stage.counts_of(probe.image_of_row)[rows]
    for count in sorted(set(counts.tolist())):
        some = rows[counts == count]
        own = torch.tensor(list(dict.fromkeys(probe.image_of_row[some].tolist())), device=rows.device)
        show = _shower(stage, own, count)
        between = probe.rows(some).scores(show, 2**count - 2, output=output)
        scores = torch.cat([ends.hidden[some, None], between, ends.shown[some, None]], dim=1)
        values[some, :count] = exact_shapley(scores)
    return values


def _shower(stage: SegmentCanvas, own: Tensor, segments: int) -> Perturb:
    """Every coalition but the ends, of images `own` (n,) of the stage."""
    coalitions = every_coalition(segments)[1:-1].to(own.device)
    padded = F.pad(coalitions, (0, stage.segments.most - segments))
    return lambda images, steps: stage.show(own[images], padded[steps].expand(len(own[images]), -1, -1))


def _details(counts: Tensor, ends: Ends) -> tuple[dict[str, float], ...]:
    each = zip(counts.tolist(), ends.shown.tolist(), ends.hidden.tolist(), strict=True)
    return tuple({"segments": count, "shown": shown, "hidden": hidden} for count, shown, hidden in each)
