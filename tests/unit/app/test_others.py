"""Other models that a metric names: known, served, with the same labels, and completed to exact weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest

from app.menu import Menu
from app.requests import Submission
from app.submissions import Desk
from app.uploads.decoder import Decoded, Decoder
from app.wishes import BULK_COST
from jobs.catalogue import load_catalogue
from jobs.errors import InvalidRequest
from jobs.graphs import Graphs
from jobs.job import Lane
from jobs.registry import Registry, ServedModel
from tests.api import model_card

FIELD = "metric_params.model-consensus.models"
TURNED = model_card("turned", "d").model_copy(update={"labels": model_card().labels[::-1]})


class Registered:
    """A registry that counts how often it is asked; what is announced later is known from then on."""

    def __init__(self) -> None:
        self.asked = 0
        self.known = [
            ServedModel(card, workers)
            for card, workers in (
                (model_card(), 1),
                (model_card("also", "b"), 2),
                (model_card("gone", "c"), 0),
                (TURNED, 1),
                (model_card("zebra", "e"), 1),
            )
        ]

    async def models(self) -> Sequence[ServedModel]:
        self.asked += 1
        return tuple(self.known)


class Decoding:
    """A decoder that makes the same picture of every file."""

    async def decode(self, data: bytes) -> Decoded:
        return Decoded(np.full((4, 6), len(data), np.uint8), ())


@pytest.fixture
def registry() -> Registered:
    return Registered()


@pytest.fixture
def desk(registry: Registered) -> Desk:
    return Desk(
        Menu(load_catalogue(), cast(Registry, registry)),
        cast(Decoder, Decoding()),
        cast(Graphs, None),
        b"secret",
    )


def spec(*models: object, method: str = "saliency") -> dict[str, Any]:  # Any: JSON values
    params = {"model-consensus": {"models": list(models)}}
    return {"method": method, "metrics": ["model-consensus"], "metric_params": params}


def submission(*specs: dict[str, Any], model: str = "tiny") -> Submission:  # Any: JSON values
    fields = {"model": model, **(specs[0] if len(specs) == 1 else {"specs": list(specs)})}
    return Submission({"image": b"image"}, fields)


async def refused(desk: Desk, asked: Submission) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as refusal:
        await (desk.orders if "specs" in asked.fields else desk.order)("clinic", asked)
    return {problem.field: problem.message for problem in refusal.value.problems}


async def test_names_are_completed_to_keys_each_once_and_in_one_order(desk: Desk) -> None:
    zebra, also = f"zebra@{'e' * 12}", f"also@{'b' * 12}"
    orders = [
        await desk.order("clinic", submission(spec(*names)))
        for names in (("zebra", "also"), (also, zebra, "zebra"), ("also", zebra, "also"))
    ]
    assert [order.job.metrics[0].params for order in orders] == [{"models": [also, zebra]}] * 3
    assert len({order.job.id for order in orders}) == 1
    [other] = {(await desk.order("clinic", submission(spec("also")))).job.id}
    assert other != orders[0].job.id


async def test_other_weights_of_the_other_model_are_another_explanation(
    desk: Desk, registry: Registered
) -> None:
    before = await desk.order("clinic", submission(spec("also")))
    registry.known[1] = ServedModel(model_card("also", "f"), 1)
    desk._menu._read_at = -1e9
    after = await desk.order("clinic", submission(spec("also")))
    assert after.job.metrics[0].params == {"models": [f"also@{'f' * 12}"]}
    assert after.job.id != before.job.id
    old = await refused(desk, submission(spec(f"also@{'b' * 12}")))
    assert f"also@{'b' * 12} is not served now, but also@{'f' * 12} is" in old[FIELD]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("unicorn", "unicorn is not known"),
        ("unicorn@000000000000", "unicorn@000000000000 is not known"),
        ("also@000000000000", f"also@000000000000 is not served now, but also@{'b' * 12} is"),
        ("tiny", "tiny is the model that is explained"),
        ("gone", "gone is served by no worker now"),
        ("turned", "turned has other labels than tiny"),
    ],
)
async def test_what_is_wrong_with_a_name_is_said_with_those_that_fit(
    desk: Desk, name: str, words: str
) -> None:
    said = await refused(desk, submission(spec("also", name)))
    assert said == {FIELD: f"{words}; there are: also, zebra"}


async def test_all_that_is_wrong_is_named_at_once(desk: Desk) -> None:
    asked = submission(spec("tiny", "gone"), spec("also"), spec("unicorn", method="no-method"))
    said = await refused(desk, asked)
    assert said.keys() == {f"specs.0.{FIELD}", f"specs.2.{FIELD}", "specs.2.method"}
    assert said[f"specs.0.{FIELD}"].startswith("tiny is the model that is explained; gone is served by no")


async def test_of_an_unknown_model_names_are_checked_as_far_as_can_be(desk: Desk) -> None:
    said = await refused(desk, submission(spec("turned", "unicorn"), model="who"))
    assert said.keys() == {"model", FIELD}
    assert said[FIELD] == "unicorn is not known; there are: tiny, also, turned, zebra"


@pytest.mark.parametrize(
    ("models", "field"),
    [
        ([], FIELD),
        ([f"m{number}" for number in range(9)], FIELD),
        ([3], f"{FIELD}.0"),
        (["also", "A b"], f"{FIELD}.1"),
        ([["also"]], f"{FIELD}.0"),
    ],
)
async def test_what_is_no_list_of_names_is_refused_by_the_schema(
    desk: Desk, models: list[object], field: str
) -> None:
    assert (await refused(desk, submission(spec(*models)))).keys() == {field}


async def test_without_names_it_is_said_what_to_give(desk: Desk) -> None:
    absent: list[dict[str, Any]] = [{}, {"model-consensus": {}}]
    for params in absent:
        asked = {"method": "saliency", "metrics": ["model-consensus"], "metric_params": params}
        assert (await refused(desk, submission(asked)))[FIELD].startswith("is required: 1 to 8 other models")
    text = {**spec(), "metric_params": {"model-consensus": {"models": "also"}}}
    assert "array" in (await refused(desk, submission(text)))[FIELD]


async def test_a_model_that_was_just_announced_is_found_and_redis_is_asked_once_for_all_specs(
    desk: Desk, registry: Registered
) -> None:
    await desk.order("clinic", submission(spec("also")))
    assert registry.asked == 1
    registry.known.append(ServedModel(model_card("new", "9"), 1))
    orders = await desk.orders("clinic", submission(*(spec("new", "also") for _ in range(4))))
    assert registry.asked == 2
    assert orders[0].job.metrics[0].params == {"models": [f"also@{'b' * 12}", f"new@{'9' * 12}"]}
    await refused(desk, submission(*(spec(f"m{number}") for number in range(4))))
    assert registry.asked == 3


async def test_the_price_is_that_of_a_map_and_a_pass_for_each_model(desk: Desk) -> None:
    plain = await desk.order("clinic", submission({"method": "saliency"}))
    one, two = [
        await desk.order("clinic", submission(spec(*names))) for names in (["also"], ["also", "zebra"])
    ]
    per_model = 1 + plain.terms.cost
    assert one.terms.cost == plain.terms.cost + per_model
    assert two.terms.cost == plain.terms.cost + 2 * per_model
    dear = await desk.order("clinic", submission(spec("also", method="occlusion")))
    assert dear.terms.cost > BULK_COST
    assert (one.terms.lane, dear.terms.lane) == (Lane.INTERACTIVE, Lane.BULK)


def test_the_card_says_which_parameter_names_models() -> None:
    named = {card.name: card.models_in for card in load_catalogue().metrics if card.models_in}
    assert named == {"model-consensus": "models"}
