"""Masks at the desk: asked for where a metric needs one, refused where none does, as large as the image."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

from app.menu import Menu
from app.requests import Submission
from app.submissions import Desk
from app.uploads.decoder import Decoded, Decoder
from jobs.catalogue import Need, load_catalogue
from jobs.errors import InvalidRequest, Problem
from jobs.graphs import Graphs
from jobs.registry import Registry, ServedModel
from tests.api import model_card

SIZES = {b"image": (4, 6), b"mask": (4, 6), b"other mask": (4, 6), b"turned mask": (6, 4), b"second": (5, 5)}


class Registered:
    """A registry that knows one model."""

    async def models(self) -> tuple[ServedModel, ...]:
        return (ServedModel(model_card(), 1),)


class Decoding:
    """A decoder that makes of each file a picture of its own."""

    async def decode(self, data: bytes) -> Decoded:
        return Decoded(np.full(SIZES[data], sum(data) % 256, np.uint8), ())


@pytest.fixture
def desk() -> Desk:
    printed = load_catalogue()
    saliency = printed.method("saliency")
    assert saliency is not None
    swap = saliency.model_copy(update={"name": "swap", "needs": (Need.REFERENCE, Need.SCORES)})
    menu = printed.model_copy(update={"methods": (saliency, swap)})
    return Desk(
        Menu(menu, cast(Registry, Registered())), cast(Decoder, Decoding()), cast(Graphs, None), b"secret"
    )


# Any: JSON values.
def asked(mask: bytes | None, *specs: dict[str, Any], second: bool = False) -> Submission:
    files = {"image": b"image"} | ({} if mask is None else {"mask": mask})
    files |= {"reference": b"second"} if second else {}
    if len(specs) == 1:
        return Submission(files, {"model": "tiny", "method": "saliency", **specs[0]})
    return Submission(files, {"model": "tiny", "specs": [{"method": "saliency", **spec} for spec in specs]})


async def refused(desk: Desk, submission: Submission) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as refusal:
        await (desk.orders if "specs" in submission.fields else desk.order)("clinic", submission)
    return {problem.field: problem.message for problem in refusal.value.problems}


async def test_a_job_has_the_mask_and_its_pixels(desk: Desk) -> None:
    order = await desk.order("clinic", asked(b"mask", {"metrics": ["iou", "sparseness"]}))

    assert order.job.mask is not None
    assert order.job.reference is None
    assert order.opened.reference is None
    assert order.job.mask.key != order.job.image.key
    assert order.opened.mask == bytes([sum(b"mask") % 256]) * 24


async def test_a_job_may_have_a_reference_and_a_mask(desk: Desk) -> None:
    order = await desk.order("clinic", asked(b"mask", {"method": "swap", "metrics": ["iou"]}, second=True))

    assert list(order.job.pictures) == ["image", "reference", "mask"]
    assert [len(pixels or b"") for pixels in (order.opened.reference, order.opened.mask)] == [25, 24]


async def test_another_mask_is_another_job(desk: Desk) -> None:
    masks = (b"mask", b"other mask", b"mask")
    ids = [(await desk.order("clinic", asked(one, {"metrics": ["iou"]}))).job.id for one in masks]

    assert ids[0] == ids[2] != ids[1]


async def test_a_mask_that_is_needed_is_asked_for(desk: Desk) -> None:
    wanting = {"metrics": ["sparseness", "relevance-mass", "iou"]}
    for specs in ([wanting], [{}, wanting]):
        wrong = await refused(desk, asked(None, *specs))
        assert wrong.keys() == {"mask"}
        assert "required by relevance-mass, iou: send a picture" in wrong["mask"]


async def test_a_mask_that_nobody_needs_is_refused(desk: Desk) -> None:
    names = "pointing-game, relevance-mass, relevance-rank, iou"
    for spec, whom in (({"metrics": ["deletion"]}, "to deletion"), ({}, "without metrics")):
        for specs in ([spec], [spec, spec]):
            assert await refused(desk, asked(b"mask", *specs)) == {
                "mask": f"is of no use {whom}; it is for: {names}"
            }


async def test_in_a_batch_only_those_that_need_it_get_it(desk: Desk) -> None:
    specs: list[dict[str, Any]] = [{}, {"metrics": ["iou"]}, {"metrics": ["deletion"]}]
    orders = await desk.orders("clinic", asked(b"mask", *specs))
    [alone] = [await desk.order("clinic", asked(None, {}))]

    assert [order.job.mask is not None for order in orders] == [False, True, False]
    assert [order.opened.mask is not None for order in orders] == [False, True, False]
    assert orders[0].job.id == alone.job.id


async def test_who_misspells_a_metric_is_not_told_about_its_mask(desk: Desk) -> None:
    assert (await refused(desk, asked(b"mask", {"metrics": ["iuo"]}))).keys() == {"metrics"}
    assert (await refused(desk, asked(b"mask", {}, {"metrics": ["iuo"]}))).keys() == {"specs.1.metrics"}
    assert (await refused(desk, asked(b"mask", {"metrics": 7}))).keys() == {"metrics"}


async def test_a_mask_of_another_size_is_refused_with_both_sizes(desk: Desk) -> None:
    assert await refused(desk, asked(b"turned mask", {"metrics": ["iou"]})) == {
        "mask": "must be as large as the image, 6 x 4 pixels (width x height), but is 4 x 6"
    }


async def test_a_mask_that_could_not_be_read_is_not_called_missing(desk: Desk) -> None:
    submission = asked(None, {"metrics": ["iou"]})
    submission.problems.append(Problem(field="mask", message="is empty"))

    assert await refused(desk, submission) == {"mask": "is empty"}
