"""Swapped cells against brute force over all single swaps, and by what a hooked network then says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import workers
from jobs.errors import InvalidRequest
from jobs.result import Stop
from tests.unit.workers.methods.changed import explained, part, pictures, says
from tests.unit.workers.methods.readings import enlarged
from tests.unit.workers.networks import Pooled, seeded, swin, vision_transformer
from workers.probe import Circumstances
from workers.probe.layers import layers_of

REGION = "counterfactual-region"
PLACES = {
    "pooled": (lambda: seeded(Pooled), "features", (3, 8, 10)),
    "tokens": (vision_transformer, "encoder.dropout", (3, 32, 32)),
    "channels-last": (lambda: seeded(swin), "features.1", (3, 16, 16)),
}
places = pytest.mark.parametrize(("make", "layer", "shape"), PLACES.values(), ids=PLACES.keys())


def case(make: Any, shape: Sequence[int]) -> tuple[nn.Module, Tensor, Tensor]:  # Any: makers of networks
    """A network in float64 with two images and their references, which it gives other classes."""
    network = make().double()
    images = pictures(40, *shape).double() * 4 - 2
    classes = says(network, images)
    other = next(place for place, one in enumerate(classes) if one != classes[0])
    return network, images[[0, other]], images[[other, 0]]


@places
def test_the_first_swap_is_the_best_of_all(make: Any, layer: str, shape: Sequence[int]) -> None:
    network, images, references = case(make, shape)
    wanted = says(network, references)

    found = explained(
        network, images, says(network, images), REGION, references=references, layer=layer, swaps=1
    )

    scores = single_swaps(network, images[:1], references[:1], layer)[:, :, wanted[0]]
    with torch.no_grad():
        before = network(images[:1]).log_softmax(dim=1)[0, wanted[0]]
    width = layers_of(network, images).resolve(layer).layout.width
    assert found.details is not None
    (swap,) = found.details[0]["swaps"]
    cell, by = (place[0] * width + place[1] for place in (swap["cell"], swap["by"]))
    assert found.details[0]["tried"] == "every pair"
    assert float(scores[cell, by]) == pytest.approx(float(scores.max()), abs=1e-6)
    assert swap["gain"] == pytest.approx(float(scores.max() - before), abs=1e-6)


@places
def test_the_network_says_the_class_of_the_reference_of_the_swapped_cells(
    make: Any, layer: str, shape: Sequence[int]
) -> None:
    network, images, references = case(make, shape)
    wanted = says(network, references)

    found = explained(network, images, says(network, images), REGION, references=references, layer=layer)

    assert found.details is not None and found.not_found is not None
    assert not found.not_found.any()
    for row, words in enumerate(found.details):
        answers = swapped_forward(network, images[[row]], references[[row]], layer, words["swaps"])
        assert int(answers.argmax()) == wanted[row] == words["to"] == words["prediction"]["index"]
        fewer = swapped_forward(network, images[[row]], references[[row]], layer, words["swaps"][:-1])
        assert int(fewer.argmax()) != wanted[row]


def test_the_map_has_the_gains_at_their_cells() -> None:
    network, images, references = case(lambda: seeded(Pooled), (3, 8, 10))
    found = explained(network, images, says(network, images), REGION, references=references)

    assert found.details is not None
    for name, maps in (("cell", found.maps), ("by", part(found, "reference-region"))):
        cells = torch.zeros(2, 4, 5, dtype=torch.float64)
        for row, words in enumerate(found.details):
            for swap in words["swaps"]:
                cells[row][tuple(swap[name])] = swap["gain"]
        torch.testing.assert_close(maps, enlarged(cells, images))


def test_where_pairs_are_many_those_that_the_gradient_favours_are_tried() -> None:
    network, images, references = case(lambda: seeded(Pooled), (3, 8, 10))
    now = says(network, images)

    every, some = (
        explained(network, images, now, REGION, references=references, pairs=pairs) for pairs in (4096, 16)
    )

    assert every.details is not None and some.details is not None
    assert some.details[0]["tried"] == "the pairs that the gradient favours"
    torch.testing.assert_close(some.maps, every.maps)  # behind the layer all is linear


def test_what_cannot_be_asked_is_not_found_with_a_reason() -> None:
    network, images, references = case(vision_transformer, (3, 32, 32))
    now, wanted = says(network, images), says(network, references)
    third = next(one for one in range(10) if one not in (now[0], wanted[0]))

    neither = explained(network, images[:1], [third], REGION, references=references[:1])
    same = explained(network, images[:1], now[:1], REGION, references=images[:1])
    towards = explained(
        network, images[:1], wanted[:1], REGION, references=references[:1], layer="encoder.dropout"
    )

    for found, words in ((neither, "neither"), (same, "class of the image")):
        assert found.details is not None and found.not_found is not None
        assert bool(found.not_found.all()) and not found.maps.any()
        assert words in found.details[0]["reason"]
    assert towards.details is not None
    assert towards.details[0]["asked"] == "towards"
    assert towards.details[0]["found"]


def test_when_time_is_up_it_ends_with_the_best_so_far() -> None:
    network, images, references = case(vision_transformer, (3, 32, 32))
    late = Circumstances(is_late=lambda: True)

    found = explained(
        network, images, says(network, images), REGION, references=references, circumstances=late
    )

    assert found.stops == (Stop.DEADLINE,) * 2
    assert not found.maps.any()


def test_one_reference_serves_all_images_and_a_wrong_one_is_refused() -> None:
    network, images, references = case(vision_transformer, (3, 32, 32))
    one = workers.explain(network, images[:1], None, REGION, reference=references[:1])
    both = workers.explain(network, images, None, REGION, reference=references[:1])

    torch.testing.assert_close(both[:1], one)
    with pytest.raises(InvalidRequest, match=r"reference: must be \(1 or 2, 3, 32, 32\)"):
        workers.explain(network, images, None, REGION, reference=references[:1, :, :16])


def single_swaps(network: nn.Module, image: Tensor, reference: Tensor, layer: str) -> Tensor:
    """(cells, cells, K): log-probabilities after each single swap, one forward each."""
    layout = layers_of(network, image).resolve(layer).layout
    cells = [divmod(cell, layout.width) for cell in range(layout.height * layout.width)]
    return torch.stack(
        [
            torch.stack(
                [
                    swapped_forward(network, image, reference, layer, [{"cell": cell, "by": by}])
                    for by in cells
                ]
            )
            for cell in cells
        ]
    ).log_softmax(dim=2)


def swapped_forward(
    network: nn.Module, image: Tensor, reference: Tensor, layer: str, swaps: Sequence[Mapping[str, Any]]
) -> Tensor:
    """(K,): the logits when a hook puts cells of the reference's features among those of the image."""
    layout = layers_of(network, image).resolve(layer).layout

    def swap_cells(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        changed = output.clone()
        ours, theirs = layout.to_maps(changed), layout.to_maps(output)
        for swap in swaps:
            ours[0, :, swap["cell"][0], swap["cell"][1]] = theirs[1, :, swap["by"][0], swap["by"][1]]
        return changed

    with network.get_submodule(layer).register_forward_hook(swap_cells), torch.no_grad():
        logits: Tensor = network(torch.cat([image, reference]))[0]
    return logits
