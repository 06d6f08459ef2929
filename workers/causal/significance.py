"""Which effects of a layer's nodes stand out: a z-test against the null distribution of the layer.

The null hypothesis says that a node does nothing in particular: its effect is a draw from a normal
distribution around zero, as wide as those of the layer vary. Their deviation is Rousseeuw and Croux's Qn
("Alternatives to the median absolute deviation", 1993), for the nodes that are looked for are among them: up
to half of the effects may be of another kind and move it little. It is an estimate, in which the effect that
is judged takes part, so the tails are Student's; their two constants were fitted to normal draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from jobs.causal import Correction

Numbers = NDArray[np.float64]

SILENT = 1e-7  # a smaller effect is rounding
LEAST = 8  # effects of which a null distribution can be made
FREEDOM_LOST = 3
SPREAD_LOST = 1.45
TO_NORMAL = 2.21914  # Qn of a normal distribution is its deviation


@dataclass(frozen=True)
class Verdict:
    """For each effect its distance from zero in deviations of the null, and its two-sided p-value."""

    z: Numbers
    p_values: Numbers
    deviation: float


def judge(effects: Numbers, errors: Numbers) -> Verdict:
    """Of effects (n,), each with the standard error (n,) of a mean over images.

    Nodes that do nothing at all say nothing of the others, where enough do something. Effects cannot vary
    less than they are uncertain.
    """
    is_active = np.abs(effects) > SILENT
    kept = is_active if is_active.sum() >= LEAST else np.ones_like(is_active)
    null = effects[kept]
    deviation = max(scale(null), float(np.median(errors[kept])), SILENT)
    z = effects / deviation
    spread, freedom = max(0.5, 1 - SPREAD_LOST / len(null)), max(1, len(null) - FREEDOM_LOST)
    p_values = 2 * stats.t.sf(np.abs(z) / spread, freedom)
    return Verdict(z, np.where(is_active, p_values, 1.0), deviation)


def scale(numbers: Numbers) -> float:
    """Qn of (n,), an estimate of the standard deviation of a normal distribution; 0 of a single number."""
    n = len(numbers)
    if n < 2:
        return 0.0
    half = n // 2 + 1
    upper, lower = np.triu_indices(n, 1)
    distances = np.abs(numbers[upper] - numbers[lower])
    rank = half * (half - 1) // 2
    return TO_NORMAL * _correction(n) * float(np.partition(distances, rank - 1)[rank - 1])


def significant(p_values: Numbers, level: float, correction: Correction) -> NDArray[np.bool_]:
    """(n,) bool: at a level for each, or so that the chance of any wrong one is the level (Holm 1979)."""
    if correction is Correction.NONE:
        found: NDArray[np.bool_] = p_values <= level
        return found
    order = np.argsort(p_values)
    allowed = level / np.arange(len(p_values), 0, -1)
    found = np.zeros(len(p_values), dtype=bool)
    found[order] = np.logical_and.accumulate(p_values[order] <= allowed)
    return found


def _correction(n: int) -> float:
    """The factor that makes Qn unbiased at few numbers."""
    few = {2: 0.399, 3: 0.994, 4: 0.512, 5: 0.844, 6: 0.611, 7: 0.857, 8: 0.669, 9: 0.872}
    return few.get(n) or (n / (n + 1.4) if n % 2 else n / (n + 3.8))
