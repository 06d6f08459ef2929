"""Random logit: whether the map of another class of the same image looks alike."""

from __future__ import annotations

import torch
from pydantic import Field

from jobs.catalogue import Aspect
from workers.declare import Measure, Metric, Params
from workers.probe.trial import Trial
from workers.tensors.similarities import SIMILARITIES, Similarity, alike


class RandomLogitParams(Params):
    """How the two maps are compared."""

    similarity: Similarity = Field("spearman", description=SIMILARITIES)


def measure(trial: Trial, params: RandomLogitParams) -> Measure:
    """s(map of the target t, map of a class drawn by the seed among all others), -1 to 1.

    Signs count: a map turned round, as that of the other of two classes, is another answer, and far from
    the same map. Not a number where there is one class only, or the map is constant.
    Sixt, Granz, Landgraf: When explanations lie, 2020, section 4, arXiv:1912.09818.
    """
    classes = trial.probe.logits.shape[1]
    values = trial.maps.new_full((len(trial),), torch.nan, dtype=torch.float64)
    if classes < 2:
        return Measure(values)
    targets = trial.probe.targets.tolist()
    others = [
        (target + int(torch.randint(1, classes, (), generator=chance))) % classes
        for target, chance in zip(targets, trial.generators("random-logit"), strict=True)
    ]

    for part in trial.elsewhere(trial.unchanged, 1, targets=others):
        values[part.rows] = alike(trial.maps[part.rows], part.maps[:, 0], params.similarity)
    return Measure(values, tuple({"other": other} for other in others))


METRIC = Metric(
    name="random-logit",
    title="Random logit",
    version=1,
    aspect=Aspect.RANDOMISATION,
    higher_is_better=False,
    cost=0,
    explanations=1,
    summary="Whether the map of another class of the image, drawn by the seed, looks alike.",
    weaknesses=(
        "Classes that look alike to the network have alike maps, and rightly so.",
        "One other class is drawn of many: another seed may say something else.",
    ),
    reference="Sixt et al. 2020, arXiv:1912.09818",
    params=RandomLogitParams,
    measure=measure,
    has_peers=False,
    limit=0.95,
)
