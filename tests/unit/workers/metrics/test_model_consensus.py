"""Consensus over models by hand: networks that are one matrix, whose maps and their ranks are known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from jobs.errors import InvalidRequest, NotExplainable
from tests.unit.workers.networks import Linear, Pooled, Smooth, resnet18, seeded, vgg
from workers import explain, measure
from workers.declare import Measure
from workers.explainer import choose, explained
from workers.metrics import METRICS
from workers.probe import Circumstances
from workers.probe.trial import Trial

TARGETS = [1, 7]
SHAPE = (1, 3, 4)


def images(*shape: int) -> Tensor:
    return torch.rand(len(TARGETS), *shape, generator=torch.Generator().manual_seed(3)).double()


def of_weights(weights: Tensor) -> Linear:
    """A network whose gradient for every class is these weights (H, W), times one plus the class."""
    network = Linear(*SHAPE).double().eval()
    with torch.no_grad():
        network.head.weight.copy_(weights.flatten() * torch.arange(1.0, 11.0).double()[:, None])
    return network


def said(found: Measure, what: str = "correlations") -> list[dict[str, Any]]:  # Any: of JSON
    assert found.details is not None
    return [dict(one[what]) for one in found.details]


def asked(
    network: nn.Module, others: Mapping[str, nn.Module], method: str = "saliency", **words: Any
) -> Measure:
    """Of two images of the shape of the matrices. Any: words of `measure`."""
    return measure(network, images(*SHAPE), TARGETS, method, "model-consensus", others=others, **words)


ORDER = torch.arange(1.0, 13.0).double().view(3, 4)


def test_a_network_agrees_with_itself_and_with_what_differs_in_scale_or_sign() -> None:
    others: dict[str, nn.Module] = {
        "same": of_weights(ORDER),
        "larger": of_weights(3 * ORDER),
        "against": of_weights(-ORDER),
        "steeper": of_weights(ORDER**3),
    }
    found = asked(of_weights(ORDER), others)
    assert found.values.tolist() == pytest.approx([1.0, 1.0], abs=1e-12)
    assert said(found) == [dict.fromkeys(others, 1.0)] * 2


def test_what_weighs_the_pixels_the_other_way_round_disagrees_wholly() -> None:
    found = asked(of_weights(ORDER), {"other": of_weights(1 / ORDER)})
    assert found.values.tolist() == pytest.approx([-1.0, -1.0], abs=1e-12)


def test_it_is_the_mean_over_models_of_ranks_by_hand() -> None:
    """Swapping the least and the greatest of n ranks costs 2 (n - 1)^2 of 6 / (n (n^2 - 1))."""
    swapped = ORDER.flatten().clone()
    swapped[[0, -1]] = swapped[[-1, 0]]
    rho = 1 - 6 * 2 * 11**2 / (12 * (12**2 - 1))
    others = {"swapped": of_weights(swapped.view(3, 4)), "same": of_weights(ORDER)}
    found = asked(of_weights(ORDER), others)
    assert said(found) == [{"swapped": pytest.approx(rho, abs=1e-6), "same": 1.0}] * 2
    assert found.values.tolist() == pytest.approx([(1 + rho) / 2] * 2, abs=1e-12)


@pytest.mark.parametrize(
    ("method", "params"),
    [("saliency", {}), ("grad-cam", {"relu": False}), ("integrated-gradients", {}), ("occlusion", {})],
)
def test_each_model_is_asked_for_itself(method: str, params: dict[str, Any]) -> None:
    network, some = seeded(Pooled).double(), images(3, 12, 14)
    others = {"smooth": seeded(Smooth).double(), "vgg": vgg().eval().double()}
    words: dict[str, Any] = {"others": others, "method_params": params}
    found = measure(network, some, TARGETS, method, "model-consensus", **words)
    own = explain(network, some, TARGETS, method, **params).abs()
    for row, correlations in enumerate(said(found)):
        for name, other in others.items():
            its = explain(other, some, TARGETS, method, **params)[row].abs()
            expected = spearmanr(own[row].flatten(), its.flatten()).statistic
            assert correlations[name] == pytest.approx(expected, abs=2e-3), name  # rounding swaps neighbours
        assert float(found.values[row]) == pytest.approx(sum(correlations.values()) / 2, abs=1e-5)


def test_what_the_others_think_of_the_class_is_told() -> None:
    other, some = seeded(Smooth).double(), images(3, 12, 14)
    answers = other(some).detach().softmax(dim=1)
    best = answers.argmax(dim=1).tolist()
    targets = [best[0], (best[1] + 1) % 10]
    found = measure(seeded(Pooled).double(), some, targets, metric="model-consensus", others={"other": other})
    for row, target in enumerate(targets):
        assert said(found, "scores")[row]["other"] == pytest.approx(float(answers[row, target]), abs=1e-6)
    assert said(found, "is_predicted") == [{"other": True}, {"other": False}]


def test_who_cannot_be_explained_is_named_and_left_out() -> None:
    others = {"same": seeded(Pooled).double(), "vgg": vgg().eval().double()}
    found = measure(
        seeded(Pooled).double(), images(3, 12, 14), TARGETS, "cam", "model-consensus", others=others
    )
    assert said(found) == [{"same": 1.0, "vgg": None}] * 2
    assert all(list(row) == ["vgg"] and "global average" in row["vgg"] for row in said(found, "refusals"))
    assert all(0 < row["vgg"] < 1 for row in said(found, "scores"))
    assert found.values.tolist() == pytest.approx([1.0, 1.0], abs=1e-9)


def test_a_layer_is_read_by_the_same_path_and_the_default_one_is_each_networks_own() -> None:
    network, some = seeded(Pooled), images(3, 32, 32).float()
    others: dict[str, nn.Module] = {"resnet": resnet18()}
    found = measure(network, some, TARGETS, "grad-cam", "model-consensus", others=others)
    assert "refusals" not in (found.details or [{}])[0]
    named = {"layer": "features.0"}
    missing = measure(
        network, some, TARGETS, "grad-cam", "model-consensus", others=others, method_params=named
    )
    assert "no layer 'features.0'" in said(missing, "refusals")[0]["resnet"]
    assert not missing.values.isfinite().any()


def test_a_map_of_one_value_and_an_answer_without_numbers_say_nothing() -> None:
    flat, broken = of_weights(torch.ones_like(ORDER)), of_weights(ORDER / 0)
    found = asked(of_weights(ORDER), {"flat": flat, "broken": broken})
    assert said(found) == [{"flat": None, "broken": None}] * 2
    assert said(found, "refusals") == [{"broken": "its answer to this image is not finite"}] * 2
    assert said(found, "scores")[0]["broken"] is None
    assert not found.values.isfinite().any()


def test_who_tells_other_classes_apart_is_not_asked() -> None:
    other = nn.Sequential(nn.Flatten(), nn.Linear(12, 3)).double().eval()
    found = asked(of_weights(ORDER), {"other": other})
    assert said(found, "refusals") == [{"other": "it tells 3 classes apart, and not 10"}] * 2


def test_maps_of_others_can_be_compared_and_the_others_are_those_named() -> None:
    others = {"same": of_weights(ORDER), "other": of_weights(1 / ORDER)}
    maps = ORDER.expand(2, 3, 4)
    found = asked(of_weights(1 / ORDER), others, maps=maps, models=["same"])
    assert said(found) == [{"same": 1.0}] * 2


@pytest.mark.parametrize(
    ("metric", "others", "params", "fields", "words"),
    [
        ("model-consensus", {}, {}, ["others"], "are required by model-consensus"),
        ("sparseness", {"a": of_weights(ORDER)}, {}, ["others"], "are of no use to sparseness"),
        ("model-consensus", {"a": of_weights(ORDER)}, {"models": ["b"]}, ["models"], "no 'b'; there are a"),
        ("model-consensus", {"a": of_weights(ORDER)}, {"models": []}, ["models"], "at least 1"),
        ("model-consensus", {"A b": of_weights(ORDER)}, {}, ["models.0", "models"], "pattern"),
    ],
)
def test_wrong_others_are_named(
    metric: str, others: dict[str, nn.Module], params: dict[str, Any], fields: list[str], words: str
) -> None:
    with pytest.raises(InvalidRequest, match=words) as caught:
        measure(of_weights(ORDER), images(*SHAPE), TARGETS, metric=metric, others=others, **params)
    assert [problem.field for problem in caught.value.problems] == fields


def test_where_nobody_else_is_there_the_metric_says_so() -> None:
    [one] = explained(of_weights(ORDER), images(*SHAPE), TARGETS, *choose("saliency", {}))
    trial = Trial(
        one.shared,
        one.rows,
        one.probe,
        one.explainer.explain(one.probe),
        one.explainer,
        chunk_rows=8,
        circumstances=Circumstances(),
    )
    metric = METRICS["model-consensus"]
    with pytest.raises(NotExplainable, match="no other model 'them'"):
        metric.measure(trial, metric.params(models=("them",)))


def test_the_price_grows_with_the_models_that_are_named() -> None:
    card = METRICS["model-consensus"].card()
    for count in (1, 2, 8):
        assert card.cost_of({"models": ["a"] * count}, 30) == count * (1 + 30)
