"""Paths: no forward more than needed, rows on their own, noise by seed."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.unit.workers.forwards import count_forwards
from tests.unit.workers.networks import SUBJECTS, Smooth, resnet18, seeded
from workers.methods import METHODS
from workers.methods.integrated_gradients import IntegratedGradientsParams
from workers.probe import Probe
from workers.probe.passes import Pass, Recording
from workers.probe.paths import rises


def test_a_start_that_all_images_share_is_passed_through_the_network_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network, images = seeded(Smooth), torch.rand(3, 3, 8, 8)
    probe = Probe(Pass(network, images), [0, 1, 2, 2], [4, 5, 6, 7])
    sizes = count_forwards(monkeypatch)

    shared = rises(probe, torch.zeros_like(images))
    assert sizes == [1, 3]  # the start; the images themselves
    own = rises(probe, images * torch.tensor([0.0, 0.0, 0.5]).view(3, 1, 1, 1))
    assert sizes == [1, 3, 3]

    with torch.no_grad():
        logits, start, half = network(images), network(images[:1] * 0), network(images[2:] / 2)
    expected = logits[[0, 1, 2, 2], [4, 5, 6, 7]]
    torch.testing.assert_close(shared, expected - start[0, [4, 5, 6, 7]])
    torch.testing.assert_close(own[2:], expected[2:] - half[0, [6, 7]])


def test_walking_again_with_more_nodes_costs_gradients_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    network, images = seeded(Smooth), torch.rand(2, 3, 8, 8)
    probe = Probe(Pass(network, images), [0, 1], [4, 5])
    sizes = count_forwards(monkeypatch)

    params = IntegratedGradientsParams(nodes=2, max_nodes=8, tolerance=1e-30)
    METHODS["integrated-gradients"].explain(probe, params)

    assert sum(sizes) == 1 + 2 + 2 * (2 + 4 + 8)


def test_gradients_at_inputs_of_each_row_are_those_of_plain_autograd() -> None:
    network, images = resnet18(), torch.randn(2, 3, 48, 64)
    probe = Probe(Pass(network, images), [0, 0, 1], [4, 5, 6])
    inputs = torch.randn(3, 3, 48, 64, requires_grad=True)
    (expected,) = torch.autograd.grad(network(inputs)[[0, 1, 2], [4, 5, 6]].sum(), inputs)

    with torch.no_grad():
        found = probe.gradients_of(inputs.detach())

    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    assert torch.equal(probe.rows(torch.tensor([1])).gradients_of(inputs.detach()[1:2]), found[1:2])


def test_answers_do_not_depend_on_how_the_work_is_cut() -> None:
    subject = SUBJECTS["vgg"]
    network, inputs = subject.network(), subject.images(5)

    found = Probe(Pass(network, inputs[:1]), [0], [0], chunk_rows=2).answers(inputs)

    torch.testing.assert_close(found, network(inputs).detach())
    assert not found.requires_grad


def test_an_image_has_the_noise_of_its_rows() -> None:
    probe = Probe(Pass(seeded(Smooth), torch.rand(2, 3, 8, 8)), [1, 0, 1], [0, 1, 2], seeds=[5, 5, 6])

    def drawn(generator: torch.Generator) -> Tensor:
        return torch.randn(4, generator=generator)

    of_images = [drawn(generator) for generator in probe.generators()]
    for row in range(3):
        assert torch.equal(of_images[int(probe.image_of_row[row])], drawn(probe.generator(row)))


def test_gradients_that_nobody_foresaw_are_right_and_cost_one_more_forward(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network, images = resnet18(), torch.randn(2, 3, 48, 64)
    layer = Pass(network, images).layer("layer3")
    recording = Recording((layer,), layer_gradients=True, input_gradients=True)
    sizes = count_forwards(monkeypatch)
    shared = Pass(network, images, recording)
    shared.expect([(0, 4), (1, 5)])

    first = Probe(shared, [0, 1], [4, 5]).input_gradients()
    Probe(shared, [0, 1], [4, 5]).gradients(layer)
    assert sizes == [2]
    second = Probe(shared, [0, 1, 0], [6, 7, 8]).input_gradients()
    assert sizes == [2, 2]

    fresh = Probe(Pass(network, images, recording), [0, 1, 0, 1, 0], [4, 5, 6, 7, 8]).input_gradients()
    torch.testing.assert_close(torch.cat([first, second]), fresh)
