"""References at the desk: asked for where a method needs one, refused where none does, and in the id."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest

from app.images import THREAD_BYTES
from app.menu import Menu
from app.requests import Fields, Submission
from app.submissions import Desk
from app.uploads.decoder import Decoded, Decoder
from jobs.catalogue import Catalogue, Need, load_catalogue
from jobs.errors import Damaged, InvalidRequest, Problem, TooLarge
from jobs.graphs import Graphs
from jobs.registry import Registry, ServedModel
from tests.api import model_card

SALIENCY = load_catalogue().method("saliency")
assert SALIENCY is not None
SWAP = SALIENCY.model_copy(update={"name": "swap", "needs": (Need.REFERENCE, Need.SCORES)})
IMAGE, REFERENCE = b"image", b"reference"
REFUSED = {b"damaged": Damaged("It is broken."), b"large": TooLarge("It is too large.")}


class Registered:
    """A registry that knows one model."""

    async def models(self) -> tuple[ServedModel, ...]:
        return (ServedModel(model_card(), 1),)


class Decoding:
    """A decoder that makes of each file a picture of its own, or refuses it."""

    async def decode(self, data: bytes) -> Decoded:
        if data in REFUSED:
            raise REFUSED[data]
        side = 1100 if data == REFERENCE else 4
        assert (side**2 >= THREAD_BYTES) == (data == REFERENCE)
        return Decoded(np.full((side, side), sum(data) % 256, np.uint8), ())


@pytest.fixture
def desk() -> Desk:
    menu = Menu(Catalogue(methods=(SALIENCY, SWAP)), cast(Registry, Registered()))
    return Desk(menu, cast(Decoder, Decoding()), cast(Graphs, None), b"secret")


def asked(reference: bytes | None, *methods: str) -> Submission:
    files = {"image": IMAGE} | ({} if reference is None else {"reference": reference})
    fields: Fields = {"model": "tiny"}
    if len(methods) == 1:
        fields["method"] = methods[0]
    else:
        fields["specs"] = [{"method": method} for method in methods]
    return Submission(files, fields)


async def refused(desk: Desk, submission: Submission) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as refusal:
        await (desk.orders if "specs" in submission.fields else desk.order)("clinic", submission)
    return {problem.field: problem.message for problem in refusal.value.problems}


async def test_a_job_has_the_reference_and_its_pixels(desk: Desk) -> None:
    order = await desk.order("clinic", asked(REFERENCE, "swap"))

    assert order.job.reference is not None
    assert order.job.reference.key != order.job.image.key
    assert (len(order.opened.pixels), len(order.opened.reference or b"")) == (16, 1100**2)
    assert order.job.reference.n_bytes == 1100**2


async def test_another_reference_is_another_job(desk: Desk) -> None:
    ids = [(await desk.order("clinic", asked(one, "swap"))).job.id for one in (REFERENCE, IMAGE, REFERENCE)]

    assert ids[0] == ids[2] != ids[1]


async def test_a_reference_that_is_needed_is_asked_for(desk: Desk) -> None:
    for methods in (["swap"], ["saliency", "swap"]):
        wrong = await refused(desk, asked(None, *methods))
        assert wrong.keys() == {"reference"}
        assert "required by swap" in wrong["reference"]
        assert "multipart" in wrong["reference"] or "form" in wrong["reference"]


async def test_a_reference_that_nobody_needs_is_refused(desk: Desk) -> None:
    for methods in (["saliency"], ["saliency", "saliency"]):
        wrong = await refused(desk, asked(REFERENCE, *methods))
        assert wrong == {"reference": "is of no use to saliency; it is for: swap"}


async def test_a_batch_gives_it_to_those_that_need_it(desk: Desk) -> None:
    orders = await desk.orders("clinic", asked(REFERENCE, "saliency", "swap", "saliency"))
    alone = await desk.order("clinic", asked(None, "saliency"))

    assert [order.job.reference is not None for order in orders] == [False, True, False]
    assert [order.opened.reference is not None for order in orders] == [False, True, False]
    assert orders[0] == orders[2] == alone


async def test_who_misspells_a_method_is_not_told_about_its_reference(desk: Desk) -> None:
    assert (await refused(desk, asked(REFERENCE, "swop"))).keys() == {"method"}
    assert (await refused(desk, asked(REFERENCE, "saliency", "swop"))).keys() == {"specs.1.method"}
    assert (await refused(desk, Submission({"image": IMAGE, "reference": REFERENCE}))).keys() == {
        "model",
        "method",
    }


async def test_with_a_wrong_parameter_the_missing_reference_is_named_too(desk: Desk) -> None:
    submission = asked(None, "swap")
    submission.fields["params"] = {"bogus": 1}

    assert (await refused(desk, submission)).keys() == {"params.bogus", "reference"}


async def test_a_reference_that_could_not_be_read_is_not_called_missing(desk: Desk) -> None:
    submission = asked(None, "swap")
    submission.problems.append(Problem(field="reference", message="is empty"))

    assert await refused(desk, submission) == {"reference": "is empty"}


async def test_a_refused_reference_is_refused_like_an_image(desk: Desk) -> None:
    with pytest.raises(TooLarge) as refusal:
        await desk.order("clinic", asked(b"large", "swap"))
    assert [problem.field for problem in refusal.value.problems] == ["reference"]

    both = asked(b"large", "swap")
    both.files["image"] = b"damaged"
    assert await refused(desk, both) == {"image": "It is broken.", "reference": "It is too large."}
