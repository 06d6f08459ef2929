"""The probe: what is computed once, what is recorded, how work is cut, and who may see what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from jobs.errors import NotExplainable
from tests.unit.workers.forwards import count_forwards
from tests.unit.workers.networks import CLASSES, SUBJECTS, ReusedInPlace, resnet18, seeded, vision_transformer
from workers.probe import Circumstances, Interrupted, Probe
from workers.probe.passes import Pass, Recording


@pytest.fixture
def images() -> Tensor:
    return torch.randn(3, 3, 48, 64, generator=torch.Generator().manual_seed(1))


def recorded(network: nn.Module, images: Tensor, layer: str | None = None, *, inputs: bool = False) -> Pass:
    found = Pass(network, images).layer(layer)
    return Pass(network, images, Recording((found,), layer_gradients=True, input_gradients=inputs))


def test_ten_targets_three_layers_and_the_input_share_one_forward(
    images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = resnet18()
    trial = Pass(network, images)
    layers = tuple(trial.layer(name) for name in ("layer2", "layer3", "layer4"))
    sizes = count_forwards(monkeypatch)
    shared = Pass(network, images, Recording(layers, layer_gradients=True, input_gradients=True))
    probe = Probe(shared, [0] * 10 + [2], [*range(10), 4])

    probe.input_gradients()
    for layer in layers:
        probe.activations(layer)
        probe.gradients(layer)

    assert sizes == [3]
    assert probe.logits.shape == (2, CLASSES)


@pytest.mark.parametrize("order", [["layer2", "layer3", "layer4"], ["layer4", "layer2", "layer3"]])
def test_layers_share_a_backward_whichever_is_asked_for_first(
    order: list[str], images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = resnet18()
    trial = Pass(network, images)
    layers = tuple(trial.layer(name) for name in order)
    expected = {layer: recorded(network, images, layer.path).gradients(layer, [(1, 7)]) for layer in layers}
    shared = Pass(network, images, Recording(layers, layer_gradients=True, input_gradients=True))
    _ = shared.logits
    backward, calls = torch.autograd.grad, []

    def count(*arguments: Any, **options: Any) -> Any:  # Any: whatever is handed on
        calls.append(1)
        return backward(*arguments, **options)

    monkeypatch.setattr(torch.autograd, "grad", count)
    for layer in layers:
        torch.testing.assert_close(shared.gradients(layer, [(1, 7)]), expected[layer])

    assert len(calls) == 1


def test_gradients_too_small_for_float16_are_not_lost() -> None:
    head = nn.Linear(4, 2)
    nn.init.constant_(head.weight, 1e-6)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head).eval()
    images = torch.ones(1, 3, 34, 34)
    expected = recorded(network, images, "0").gradients(recorded(network, images, "0").layer("0"), [(0, 1)])

    shared = recorded(network.half(), images, "0")
    gradients = shared.gradients(shared.layer("0"), [(0, 1)])

    assert gradients.dtype == torch.float32
    torch.testing.assert_close(gradients, expected, rtol=0.1, atol=0)
    (path,) = Probe(shared, [0], [1]).gradients_at(lambda chosen, _: images[chosen, None], 1)
    assert path.values.abs().max() > 0


def test_gradients_too_large_for_the_headroom_are_taken_again_without_it() -> None:
    head = nn.Linear(4 * 4, 2)
    nn.init.constant_(head.weight, 100.0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), head).eval()

    shared = recorded(network.half(), torch.ones(1, 3, 4, 4), "0")
    gradients = shared.gradients(shared.layer("0"), [(0, 1)])

    torch.testing.assert_close(gradients, torch.full((1, 4, 2, 2), 100.0))


@pytest.mark.parametrize("name", ["layer1.0.bn1", "layer3", "layer4"])
def test_activations_and_gradients_are_those_of_plain_autograd(name: str, images: Tensor) -> None:
    network, images = resnet18().double(), images.double()
    kept: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        kept.append(output.detach().requires_grad_())
        return kept[0].clone()

    with network.get_submodule(name).register_forward_hook(keep):
        logits = network(images)
    (expected,) = torch.autograd.grad(logits[0, 3] + logits[2, 5], kept[0])
    probe = Probe(recorded(network, images, name, inputs=name == "layer3"), [2, 0], [5, 3])

    layer = probe.layer(name)
    torch.testing.assert_close(probe.activations(layer), kept[0].detach()[[2, 0]])
    torch.testing.assert_close(probe.gradients(layer), expected[[2, 0]])


def test_activations_are_what_the_layer_returned_not_what_was_made_of_it_in_place(images: Tensor) -> None:
    network = resnet18()
    layer = Pass(network, images).layer("layer1.0.bn1")  # an in-place ReLU follows

    for recording in (Recording((layer,)), Recording((layer,), layer_gradients=True)):
        assert Pass(network, images, recording).activations(layer).min() < 0


def test_below_the_lowest_recorded_layer_nothing_is_recorded(images: Tensor) -> None:
    network = SUBJECTS["resnet18"].network()  # its parameters ask for gradients
    layer = Pass(network, images).layer("layer3")
    seen: dict[str, bool] = {}
    for name in ("layer1", "layer2", "layer4"):
        network.get_submodule(name).register_forward_hook(
            lambda _module, _inputs, output, name=name: seen.__setitem__(name, output.requires_grad)
        )

    _ = Pass(network, images, Recording((layer,), layer_gradients=True)).logits

    assert seen == {"layer1": False, "layer2": False, "layer4": True}


def test_gradients_of_parameters_are_never_computed(images: Tensor) -> None:
    network = SUBJECTS["resnet18"].network()

    def refuse(_gradient: Tensor) -> None:
        raise AssertionError("a gradient of a parameter was computed")

    for parameter in network.parameters():
        parameter.register_hook(refuse)  # type: ignore[no-untyped-call]
    probe = Probe(recorded(network, images, inputs=True), [0, 1], [2, 3])

    probe.input_gradients()
    probe.gradients(probe.layer())
    list(probe.gradients_at(lambda chosen, _: probe.images[chosen, None], 1))


def test_what_was_not_declared_is_not_there(images: Tensor) -> None:
    probe = Probe(Pass(resnet18(), images), [0], [0])

    with pytest.raises(LookupError, match="declare its needs"):
        probe.activations(probe.layer())
    with pytest.raises(LookupError, match="the input"):
        probe.input_gradients()


def test_a_network_that_cuts_its_gradients_is_refused(images: Tensor) -> None:
    class Cut(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.mean(3).mean(2).detach()

    probe = Probe(Pass(Cut().eval(), images, Recording(input_gradients=True)), [0], [0])
    with pytest.raises(NotExplainable, match="no gradient leads"):
        probe.input_gradients()


@pytest.mark.parametrize("network", [nn.Identity(), nn.Flatten(0)])
def test_a_network_without_one_row_of_logits_for_each_image_is_refused(
    network: nn.Module, images: Tensor
) -> None:
    with pytest.raises(NotExplainable, match="logits of shape"):
        _ = Pass(network.eval(), images).logits


@pytest.mark.parametrize("chunk_rows", [1, 4, 7, 1000])
def test_scores_do_not_depend_on_how_the_work_is_cut(
    chunk_rows: int, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = resnet18()
    probe = Probe(Pass(network, images), [0, 2, 0], [1, 1, 6], chunk_rows=chunk_rows)
    sizes = count_forwards(monkeypatch)

    scores = probe.scores(dimmed(probe), 5)

    assert scores.shape == (3, 5)
    assert max(sizes) <= chunk_rows
    assert sum(sizes) == 2 * 5  # two distinct images, whatever the number of targets
    with torch.no_grad():
        expected = torch.stack([network(images[[0, 2, 0]] * (step / 5)) for step in range(5)], dim=1)
    torch.testing.assert_close(scores, expected[[0, 1, 2], :, [1, 1, 6]])


def test_scores_can_be_probabilities(images: Tensor) -> None:
    network = resnet18()
    probe = Probe(Pass(network, images), [1], [4])

    scores = probe.scores(lambda chosen, _: probe.images[chosen, None], 1, output="probability")

    torch.testing.assert_close(scores, network(images[[1]]).softmax(dim=1)[:, [4]])
    torch.testing.assert_close(scores[:, 0], probe.target_probabilities)


@pytest.mark.parametrize("chunk_rows", [1, 4, 1000])
def test_path_gradients_come_in_order_and_targets_share_their_forwards(
    chunk_rows: int, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = resnet18()
    probe = Probe(Pass(network, images), [0, 2, 0], [1, 1, 6], chunk_rows=chunk_rows)
    sizes = count_forwards(monkeypatch)
    found = torch.zeros(3, 5, 3, 48, 64)
    visited: list[list[int]] = [[], [], []]

    for part in probe.gradients_at(dimmed(probe), 5):
        found[part.rows, part.steps] = part.values
        for row in part.rows.tolist():
            visited[row] += range(part.steps.start, part.steps.stop)

    assert visited == [[*range(5)]] * 3
    assert sum(sizes) == 2 * 5
    point = (images[0] * 0.6).requires_grad_()
    (expected,) = torch.autograd.grad(network(point.unsqueeze(0))[0, 6], point)
    torch.testing.assert_close(found[2, 3], expected, rtol=1e-4, atol=1e-6)


def test_between_chunks_the_checkpoint_sees_the_share_that_is_done(images: Tensor) -> None:
    shares: list[float] = []
    probe = Probe(
        Pass(resnet18(), images), [0, 1], [0, 0], chunk_rows=1, circumstances=Circumstances(shares.append)
    )

    probe.scores(dimmed(probe), 4)

    assert shares == [step / 8 for step in range(8)]


def test_an_interruption_between_chunks_stops_the_work(
    images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = resnet18()
    sizes = count_forwards(monkeypatch)

    def stop_at_half(share: float) -> None:
        if share >= 0.5:
            raise Interrupted

    probe = Probe(Pass(network, images), [0], [0], chunk_rows=1, circumstances=Circumstances(stop_at_half))
    with pytest.raises(Interrupted):
        probe.scores(dimmed(probe), 4)

    assert sizes == [1, 1]


def test_rows_can_be_narrowed_and_keep_their_pass(images: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    network = resnet18()
    probe = Probe(recorded(network, images), [0, 2, 1, 2], [3, 4, 5, 6], seeds=[9, 8, 7, 6])
    sizes = count_forwards(monkeypatch)

    some = probe.rows(torch.tensor([3, 0]))

    assert len(some) == 2
    assert some.seeds == (6, 9)
    assert some.targets.tolist() == [6, 3]
    assert torch.equal(some.inputs, images[[2, 0]])
    layer = probe.layer()
    torch.testing.assert_close(some.gradients(layer), probe.gradients(layer)[[3, 0]])
    assert sizes == [3]


def test_noise_depends_on_the_seed_alone(images: Tensor) -> None:
    probe = Probe(Pass(resnet18(), images), [0, 1, 1], [0, 0, 1], seeds=[5, 5, 6])

    first, second, third = (torch.rand(4, generator=probe.generator(row)) for row in range(3))

    assert torch.equal(first, second)
    assert not torch.equal(second, third)


def test_an_image_with_two_seeds_counts_twice(images: Tensor) -> None:
    probe = Probe(Pass(resnet18(), images), [1, 1, 1], [0, 1, 2], seeds=[5, 6, 5])

    assert probe.image_of_row.tolist() == [0, 1, 0]
    assert torch.equal(probe.images, images[[1, 1]])
    assert torch.equal(probe.inputs, images[[1, 1, 1]])


def test_black_and_white_are_the_range_of_each_image_unless_they_are_given(images: Tensor) -> None:
    plain = Probe(Pass(resnet18(), images), [2], [0])
    told = Probe(
        Pass(resnet18(), images, black=torch.tensor([[1.0, 2, 3]]).view(1, 3, 1, 1), white=torch.ones(1, 3)),
        [2],
        [0],
    )

    assert plain.black.flatten().tolist() == [images[2].min()] * 3
    assert plain.white.shape == (1, 3, 1, 1)
    assert told.black.flatten().tolist() == [1, 2, 3]
    assert told.white.flatten().tolist() == [1, 1, 1]


@pytest.mark.parametrize("make", [lambda: seeded(ReusedInPlace), vision_transformer])
def test_the_input_is_not_changed_by_a_layer_that_works_in_place(make: Callable[[], nn.Module]) -> None:
    network = nn.Sequential(nn.ReLU(inplace=True), make()).eval()
    images = torch.randn(1, *((1, 33, 47) if isinstance(network[1], ReusedInPlace) else (3, 32, 32)))
    before = images.clone()

    probe = Probe(Pass(network, images, Recording(input_gradients=True)), [0], [0])
    gradients = probe.input_gradients()

    assert torch.equal(images, before)
    assert torch.equal(probe.images, before)
    assert gradients[before < 0].count_nonzero() == 0


def dimmed(probe: Probe) -> Callable[[slice, Tensor], Tensor]:
    """Versions of the images at 0, 1/5, 2/5 ... of their brightness."""
    return lambda chosen, steps: probe.images[chosen, None] * (steps / 5).view(1, -1, 1, 1, 1)
