"""Bounds on probabilities against closed forms and their own definition."""

from __future__ import annotations

import torch

from workers.tensors.kl_bounds import divergences, lower_bounds, upper_bounds


def test_of_hits_alone_the_lower_bound_has_a_closed_form() -> None:
    """count * -log q <= level."""
    counts, level = torch.tensor([1.0, 10.0, 100.0]).double(), torch.tensor(3.0).double()

    found = lower_bounds(torch.ones(3).double(), counts, level)

    torch.testing.assert_close(found, torch.exp(-level / counts), rtol=1e-6, atol=1e-7)


def test_at_the_bounds_the_divergence_is_what_is_allowed() -> None:
    seen, counts = torch.tensor([0.1, 0.5, 0.9]).double(), torch.tensor([40.0, 40.0, 40.0]).double()
    level = torch.tensor(4.0).double()

    low, high = lower_bounds(seen, counts, level), upper_bounds(seen, counts, level)

    for bound in (low, high):
        torch.testing.assert_close(counts * divergences(seen, bound), level.expand(3), rtol=1e-5, atol=0)
    assert ((low < seen) & (seen < high)).all()


def test_nothing_counted_says_nothing() -> None:
    nothing = torch.zeros(1).double()

    assert upper_bounds(nothing, nothing, nothing + 1).item() > 0.999999
    assert lower_bounds(nothing, nothing, nothing + 1).item() < 1e-6
