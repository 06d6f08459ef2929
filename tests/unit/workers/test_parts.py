"""Parts of a result, made ready to travel."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from jobs.result import PartKind
from workers.declare import Part, Relevance
from workers.parts import describe_parts

BLACK = torch.tensor([[-2.0, -1.0, 0.0], [0.0, 0.0, 0.0]])[:, :, None, None]
WHITE = torch.tensor([[2.0, 1.0, 4.0], [1.0, 1.0, 1.0]])[:, :, None, None]
MAPS = torch.zeros(2, 4, 5)


def test_images_are_told_between_black_and_white() -> None:
    grey = (BLACK + WHITE) / 2
    image = Part("changed-image", PartKind.IMAGE, grey.expand(2, 3, 4, 5).double())

    rows = describe_parts(Relevance(MAPS, (4, 5), parts=(image,)), BLACK, WHITE)

    assert len(rows) == 2
    for ((info, content),) in rows:
        assert (info.name, info.kind, info.shape) == ("changed-image", PartKind.IMAGE, (3, 4, 5))
        np.testing.assert_array_equal(np.frombuffer(content, "<f4").reshape(info.shape), np.float32(0.5))
        assert (info.min, info.max) == (0.5, 0.5)


def test_maps_keep_their_units_and_standard_errors_are_one_of_them() -> None:
    difference = torch.linspace(-3, 3, 40).view(2, 4, 5)
    part = Part("difference", PartKind.MAP, difference)
    relevance = Relevance(MAPS, (4, 5), parts=(part,), standard_errors=difference.abs())

    rows = describe_parts(relevance, BLACK, WHITE)

    for row, (first, second) in enumerate(rows):
        assert [first[0].name, second[0].name] == ["difference", "standard-error"]
        assert second[0].kind is PartKind.MAP
        np.testing.assert_array_equal(np.frombuffer(first[1], "<f4").reshape(4, 5), difference[row].numpy())
        assert first[0].max == float(difference[row].max())


def test_what_is_not_finite_has_finite_bounds() -> None:
    values = torch.tensor([1.0, float("nan"), float("inf"), -2.0]).view(1, 2, 2)
    part = Part("difference", PartKind.MAP, values)

    (((info, content),),) = describe_parts(Relevance(MAPS[:1], (4, 5), parts=(part,)), BLACK, WHITE)

    assert (info.min, info.max) == (-2, 1)
    assert np.isnan(np.frombuffer(content, "<f4")[1])
    assert info.model_validate_json(info.model_dump_json()) == info


def test_without_parts_there_are_none() -> None:
    assert describe_parts(Relevance(MAPS, (4, 5)), BLACK, WHITE) == [(), ()]


def test_two_parts_of_one_name_are_a_defect() -> None:
    part = Part("standard-error", PartKind.MAP, MAPS)

    with pytest.raises(ValueError, match="standard-error"):
        describe_parts(Relevance(MAPS, (4, 5), standard_errors=MAPS, parts=(part,)), BLACK, WHITE)
