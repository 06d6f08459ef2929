"""Which methods and networks pass the randomisation checks, by the limits, on the phantom nets."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from app.sanity.inquiry import IMAGES
from app.sanity.noise import noise
from jobs.catalogue import InputSpec
from workers import measure
from workers.metrics import METRICS
from workers.models.architectures import build
from workers.models.repository import Repository
from workers.phantom.pictures import normalise
from workers.phantom.scenes import LABELS, draw
from workers.probe.twins import storeys_of, twin_of

FIRST_SEED = 7_000_000  # no net has learned from these
SENSITIVE = ["saliency", "grad-cam", "integrated-gradients"]
INSENSITIVE = ["guided-backprop", "deconvnet"]
NETS = ["phantom-resnet", "phantom-vgg", "phantom-vit"]
# Any: each method has parameters of its own.
PARAMS: dict[str, dict[str, Any]] = {"integrated-gradients": {"nodes": 16, "max_nodes": 16}}


@cache
def images(count: int = 6) -> Tensor:
    """Every one has a finding."""
    scenes = [draw(FIRST_SEED + n, finding=LABELS[1 + n % (len(LABELS) - 1)]) for n in range(count)]
    return normalise(torch.stack([torch.from_numpy(scene.image) for scene in scenes]))


@cache
def network(model: str) -> nn.Module:
    repository = Repository()
    card = next(card for card in repository.cards() if card.id == model)
    return repository.get(card.ref).network


def figures(model: nn.Module, metric: str, method: str, **params: Any) -> Tensor:  # Any: see above
    return measure(
        model, images(), None, method, metric, method_params=PARAMS.get(method, {}), **params
    ).values


def limit(metric: str) -> float:
    found = METRICS[metric].limit
    assert found is not None
    return found


@pytest.mark.parametrize("method", INSENSITIVE)
@pytest.mark.parametrize("model", NETS[:2])
def test_what_draws_edges_hardly_notices_random_weights(model: str, method: str) -> None:
    found = figures(network(model), "parameter-randomisation", method)
    assert float(found.mean()) > limit("parameter-randomisation") + 0.05
    assert (found > limit("parameter-randomisation")).float().mean() > 0.8


@pytest.mark.parametrize("method", SENSITIVE)
@pytest.mark.parametrize("model", NETS)
def test_what_explains_the_network_is_lost_with_its_weights(model: str, method: str) -> None:
    found = figures(network(model), "parameter-randomisation", method)
    assert float(found.mean()) < limit("parameter-randomisation") - 0.05
    assert (found < limit("parameter-randomisation")).float().mean() > 0.8


@pytest.mark.parametrize("model", NETS[:2])
def test_a_map_that_knows_no_class_is_the_same_for_all(model: str) -> None:
    assert (figures(network(model), "random-logit", "eigen-cam") > limit("random-logit")).all()
    for method in SENSITIVE:
        assert (figures(network(model), "random-logit", method) < limit("random-logit")).all()


@pytest.mark.parametrize("model", NETS)
def test_a_trained_network_hears_the_image_and_a_random_one_does_not(model: str) -> None:
    trained = network(model)
    everything = [path for storey in storeys_of(trained, images()) for path in storey.modules]
    fresh = build(model.replace("-", ":"), {}, seed=1)
    found = {
        name: figures(one, "image-dependence", "saliency")
        for name, one in {"trained": trained, "fresh": fresh, "redrawn": twin_of(trained, everything)}.items()
    }
    assert (found["trained"] > 0.9).all()
    assert (found["fresh"] < 0.3).all()
    assert (found["redrawn"] < 0.3).all()
    assert 0.3 < limit("image-dependence") < 0.9


@cache
def images_of_noise() -> Tensor:
    """What the service asks every pair of a model and a method about."""
    wanted = InputSpec(mode="grey", height=96, width=96)
    return normalise(torch.stack([torch.from_numpy(noise(number, wanted)) for number in range(IMAGES)]))


@pytest.mark.parametrize("method", [*SENSITIVE, *INSENSITIVE])
@pytest.mark.parametrize("model", [*NETS, "phantom-shortcut"])
def test_noise_tells_methods_apart_as_radiographs_do(model: str, method: str) -> None:
    if model == "phantom-vit" and method in INSENSITIVE:
        pytest.skip("it explains rectifiers, and this network has none")
    found = measure(network(model), images_of_noise(), None, method, "parameter-randomisation").values
    assert (float(found.nanmean()) > limit("parameter-randomisation")) == (method in INSENSITIVE)


@pytest.mark.parametrize("model", NETS)
def test_noise_tells_a_random_network_from_a_trained_one(model: str) -> None:
    networks = (network(model), build(model.replace("-", ":"), {}, seed=1))
    trained, fresh = (
        measure(one, images_of_noise(), None, "saliency", "image-dependence").values for one in networks
    )
    assert float(trained.mean()) > limit("image-dependence") > float(fresh.mean())
