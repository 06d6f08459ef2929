"""Noise and moments: the same however the work is cut."""

from __future__ import annotations

import torch

from workers.tensors.moments import Moments
from workers.tensors.noise import NormalNoise


def test_variances_are_those_of_all_samples_at_once_even_far_from_zero() -> None:
    samples = 1e4 + torch.randn(3, 9, 2, 4)
    moments = Moments(samples[:, 0])

    moments.add(torch.tensor([0, 2]), samples[[0, 2], :5])
    moments.add(torch.tensor([1]), samples[[1]])
    moments.add(torch.tensor([0, 2]), samples[[0, 2], 5:])

    torch.testing.assert_close(moments.variances(), samples.double().var(dim=1).float(), rtol=1e-3, atol=0)


def test_draws_do_not_depend_on_the_size_of_the_parts() -> None:
    like = torch.zeros(2, 3, 5, 5)

    def noise() -> NormalNoise:
        return NormalNoise([torch.Generator().manual_seed(seed) for seed in (1, 2)], like)

    whole, parts = noise().draw(slice(None), 6), noise()
    first = torch.cat([parts.draw(slice(0, 1), 4), parts.draw(slice(0, 1), 2)], dim=1)

    assert whole.shape == (2, 6, 3, 5, 5)
    assert torch.equal(whole[:1], first)
    assert torch.equal(whole[1:], parts.draw(slice(1, 2), 6))
    assert not torch.equal(whole[0], whole[1])
