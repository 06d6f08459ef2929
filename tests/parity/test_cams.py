"""Class activation maps beside pytorch-grad-cam: they agree where it is sound, else a test says why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import workers
from tests.parity.nets import (
    NAMES,
    TARGETS,
    assert_close_maps,
    images,
    needs_real_weights,
    network,
    normalised,
    real_images,
    real_network,
)
from workers.methods import METHODS
from workers.probe import Probe
from workers.probe.passes import Pass, Recording

peers = pytest.importorskip("pytorch_grad_cam")

Reshape = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Place:
    """The layer of a network that is read, how the peer is told its grid, and whether it is after a ReLU."""

    layer: str
    reshape: Reshape | None = None
    rectified: bool = False


def _channels_first(values: Tensor) -> Tensor:
    return values.permute(0, 3, 1, 2)


def _patches(side: int) -> Reshape:
    return lambda tokens: tokens[:, 1:].transpose(1, 2).reshape(len(tokens), -1, side, side)


PLACES: Mapping[str, Place] = {
    "resnet18": Place("layer4", rectified=True),
    "vgg11_bn": Place("features", rectified=True),
    "mobilenet_v2": Place("features", rectified=True),
    "densenet121": Place("features.denseblock4"),
    "convnext_tiny": Place("features"),
    "vit_b_16": Place("encoder.layers.encoder_layer_3.ln_1", _patches(4)),
    "swin_t": Place("norm", _channels_first),
}
PEERS = {
    "grad-cam": "GradCAM",
    "grad-cam++": "GradCAMPlusPlus",
    "xgrad-cam": "XGradCAM",
    "hires-cam": "HiResCAM",
    "layer-cam": "LayerCAM",
    "eigen-cam": "EigenCAM",
    "score-cam": "ScoreCAM",
    "ablation-cam": "AblationCAM",
}


@pytest.mark.parametrize("name", NAMES)
def test_maps_of_a_recorded_pass_agree(name: str) -> None:
    place, peer = PLACES[name], plain(name)
    methods = ["grad-cam", "hires-cam", "layer-cam", *(["xgrad-cam"] if place.rectified else [])]
    for method in methods:
        maps = workers.explain(network(name), images(name), TARGETS, method, place.layer)
        assert_close_maps(normalised(maps), ask(method, peer, images(name), place))
    assert_eigen_cams_agree(network(name), ask("eigen-cam", peer, images(name), place), images(name), place)


@needs_real_weights
def test_maps_of_a_recorded_pass_agree_on_real_weights() -> None:
    net, pictures, place = real_network("imagenet_squeezenet1_1"), real_images(), Place("features")
    peer = without_in_place(net)
    for method in ("grad-cam", "xgrad-cam", "hires-cam", "layer-cam"):
        maps = workers.explain(net, pictures, TARGETS, method, "features")
        assert_close_maps(normalised(maps), ask(method, peer, pictures, place))


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2"])
def test_grad_cam_plus_plus_agrees_where_gradients_are_large(name: str) -> None:
    """The peer's epsilon of 1e-6 stands beside the squares of the gradients."""
    net, place = plain(name), PLACES[name]
    last = [module for module in net.modules() if isinstance(module, nn.Linear)][-1]
    last.weight.data *= 1e4
    expected = ask("grad-cam++", net, images(name), place)

    maps = workers.explain(net, images(name), TARGETS, "grad-cam++", place.layer)

    assert_close_maps(normalised(maps), expected)


def test_grad_cam_plus_plus_of_small_gradients_is_decided_by_the_peers_epsilon() -> None:
    """Its formula needs no epsilon: in float64 without one it gives our map, far from the peer's."""
    name = "mobilenet_v2"
    place = PLACES[name]
    theirs = ask("grad-cam++", plain(name), images(name), place)
    ours = workers.explain(network(name), images(name), TARGETS, "grad-cam++", place.layer)
    exact = workers.explain(
        network(name, double=True), images(name, double=True), TARGETS, "grad-cam++", place.layer
    )

    assert_close_maps(ours, exact)
    assert (normalised(ours) - theirs).abs().max() > 0.02


def test_the_peers_xgrad_cam_is_one_channel_where_features_cancel() -> None:
    """Two channels: the first holds the evidence, the second cancels to 1e-6 and has hardly any gradient."""
    head = nn.Linear(32, 1, bias=False)
    net = nn.Sequential(nn.Identity(), nn.Flatten(), head).eval()
    picture = torch.zeros(1, 2, 4, 4)
    picture[0, 0, 1, 1] = 1
    picture[0, 1, 2, 2], picture[0, 1, 3, 3] = 1 + 1e-6, -1
    head.weight.data = torch.zeros(1, 2, 4, 4).index_put(
        (torch.tensor(0), torch.tensor(1)), torch.tensor(0.01)
    )
    head.weight.data[0, 0], head.weight.data[0, 1, 2, 2] = 1, 0.02
    head.weight.data = head.weight.data.view(1, 32)
    place = Place("0")

    theirs = ask("xgrad-cam", net, picture.requires_grad_(), place, [0])
    ours = workers.explain(net, picture.detach(), 0, "xgrad-cam", "0")

    assert theirs.flatten().argmax() == 2 * 4 + 2
    assert ours.flatten().argmax() == 1 * 4 + 1


def test_the_peer_reads_what_a_relu_in_place_left_of_the_activations() -> None:
    stock, picture = deepcopy(network("resnet18")).requires_grad_(True), images("resnet18")
    place = Place("layer4.1.bn1")
    expected = ask("grad-cam", plain("resnet18"), picture, place)

    maps = workers.explain(stock, picture, TARGETS, "grad-cam", place.layer)

    assert_close_maps(normalised(maps), expected)
    assert (ask("grad-cam", stock, picture, place) - expected).abs().max() > 0.01


def test_the_peer_leaves_gradients_on_the_weights_and_cannot_read_frozen_ones() -> None:
    net, place = plain("resnet18").requires_grad_(True), PLACES["resnet18"]
    ask("grad-cam", net, images("resnet18"), place)
    assert all(parameter.grad is not None for parameter in net.parameters())

    with pytest.raises(RuntimeError):
        ask("grad-cam", net.requires_grad_(False), images("resnet18"), place)


def test_the_peer_does_not_say_that_all_evidence_was_against_the_class() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2)).eval()
    nn.init.constant_(net.get_submodule("3").get_parameter("weight"), -1.0)
    picture = torch.rand(1, 3, 8, 8)
    assert not ask("grad-cam", net, picture, Place("1"), [0]).any()

    shared = Pass(net, picture, Recording((Pass(net, picture).layer("1"),), layer_gradients=True))
    grad_cam = METHODS["grad-cam"]
    relevance = grad_cam.explain(Probe(shared, [0], [0]), grad_cam.params(layer="1"))

    assert not relevance.maps.any()
    assert relevance.negative_only is not None
    assert relevance.negative_only.all()


def test_the_sign_of_the_peers_eigen_cam_is_chance() -> None:
    net = nn.Sequential(nn.Identity(), nn.Flatten(), nn.Linear(128, 2)).eval()
    pictures = torch.randn(32, 8, 4, 4, generator=torch.Generator().manual_seed(0)).relu()
    theirs = ask("eigen-cam", net, pictures, Place("0"), [0] * 32)
    ours = workers.explain(net, pictures, 0, "eigen-cam", "0", centre=True)

    alike = [correlation(mine, other) > 0 for mine, other in zip(ours, theirs, strict=True)]
    assert 0 < sum(alike) < 32


def test_score_cam_agrees_where_nothing_is_enlarged() -> None:
    """The peer enlarges with aligned corners; its softmax leaves no trace of the baseline it forgot."""
    net, pictures = small_network(nn.ReLU()), small_pictures()
    expected = ask("score-cam", net, pictures, Place("1"))

    maps = workers.explain(net, pictures, TARGETS, "score-cam", "1")

    assert_close_maps(normalised(maps), expected)


def test_ablation_cam_agrees_after_a_relu_where_scores_are_positive() -> None:
    net, pictures = small_network(nn.ReLU(), bias=10.0), small_pictures()
    expected = ask("ablation-cam", net, pictures, Place("1"))

    maps = workers.explain(net, pictures, TARGETS, "ablation-cam", "1")

    assert_close_maps(normalised(maps), expected)


def test_the_peers_ablation_cam_is_turned_over_by_a_negative_score() -> None:
    pictures, place = small_pictures(), Place("1")
    positive, negative = small_network(nn.ReLU(), bias=10.0), small_network(nn.ReLU(), bias=-10.0)
    expected = ask("ablation-cam", positive, pictures, place)

    maps = workers.explain(negative, pictures, TARGETS, "ablation-cam", "1")

    assert_close_maps(normalised(maps), expected)
    assert (ask("ablation-cam", negative, pictures, place) - expected).abs().max() > 0.5


def test_the_peers_ablation_cam_replaces_signed_features_by_huge_numbers() -> None:
    """Not by zero but by their least value minus 1e7, minus 2e7 for the next channel, and so on."""
    net, pictures = small_network(nn.Identity(), bias=10.0), small_pictures()
    seen: list[Tensor] = []
    net.get_submodule("2").register_forward_hook(lambda _module, inputs, _output: seen.extend(inputs))

    ask("ablation-cam", net, pictures, Place("1"))

    assert min(float(values.detach().min()) for values in seen) < -3e7


def test_the_peers_ablation_cam_leaves_its_layer_in_the_network_after_an_error() -> None:
    net, pictures = small_network(nn.ReLU()), small_pictures()
    before = [type(module) for module in net]

    def fail(_output: Tensor) -> Tensor:
        if type(net[1]).__name__ == "AblationLayer":
            raise ArithmeticError
        return torch.zeros(1)

    with peers.AblationCAM(net, [net[1]]) as peer, pytest.raises(ArithmeticError):
        peer(pictures, [fail, fail])

    assert [type(module) for module in net] != before


def assert_eigen_cams_agree(net: nn.Module, theirs: Tensor, pictures: Tensor, place: Place) -> None:
    """The peer's are centred and cut off below zero, and where their sign is the other one show the rest."""
    whole, above = (
        workers.explain(net, pictures, 0, "eigen-cam", place.layer, centre=True, relu=relu)
        for relu in (False, True)
    )
    for row, other in enumerate(theirs):
        if correlation(whole[row], other) > 0:
            assert_close_maps(normalised(above[[row]]), other[None])
        else:
            below = above[[row]] - whole[[row]]  # enlarging is linear, so this is what the ReLU cut off
            assert_close_maps(normalised(below), other[None])


def correlation(one: Tensor, other: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1])


def small_network(rectifier: nn.Module, *, bias: float = 0.0) -> nn.Sequential:
    """Six features, a global average, a linear layer; the same weights every time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        layers = [nn.Conv2d(3, 6, 3, padding=1), rectifier, nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        net = nn.Sequential(*layers, nn.Linear(6, 10)).eval()
    net.get_submodule("4").get_parameter("bias").data += bias
    return net


def small_pictures() -> Tensor:
    return torch.randn(2, 3, 12, 12, generator=torch.Generator().manual_seed(0))


def plain(name: str) -> nn.Module:
    """A copy that the peer can read."""
    return without_in_place(network(name))


def without_in_place(net: nn.Module) -> nn.Module:
    """A copy with nothing in place, and one weight that asks for a gradient, without which the peer fails."""
    copied = deepcopy(net).requires_grad_(False)
    next(copied.parameters()).requires_grad_(True)
    for module in copied.modules():
        if isinstance(module, (nn.ReLU, nn.ReLU6, nn.SiLU, nn.Hardswish, nn.Dropout)):
            module.inplace = False
    return copied


def ask(
    method: str, net: nn.Module, pictures: Tensor, place: Place, targets: list[int] | None = None
) -> Tensor:
    """(N, H, W) from 0 to 1, by the peer."""
    goals = [
        peers.utils.model_targets.ClassifierOutputTarget(target)
        for target in (TARGETS if targets is None else targets)
    ]
    # Any: the peer has no types
    make: Any = getattr(peers, PEERS[method])
    with make(net, [net.get_submodule(place.layer)], reshape_transform=place.reshape) as peer:
        return torch.from_numpy(peer(pictures, goals))
