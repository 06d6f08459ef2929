"""Relevance of any range becomes -1 to 1, and zero stays zero."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from app.rendering import PALETTES, Sign, Style, heatmap_png
from app.rendering.palettes import LEVELS, colours
from app.rendering.scale import scaled
from jobs.errors import InvalidRequest

SIGNED = np.array([[-2.0, -1.0, 0.0, 0.5, 1.0]], np.float32)


def colour_of(relevance: NDArray[np.float32], style: Style) -> NDArray[np.uint8]:
    """The colours of a heat map."""
    return np.asarray(Image.open(io.BytesIO(heatmap_png(relevance, style))))


@pytest.mark.parametrize(
    ("sign", "expected"),
    [
        ("both", [-1.0, -0.5, 0.0, 0.25, 0.5]),
        ("positive", [0.0, 0.0, 0.0, 0.5, 1.0]),
        ("negative", [-1.0, -0.5, 0.0, 0.0, 0.0]),
        ("absolute", [1.0, 0.5, 0.0, 0.25, 0.5]),
    ],
)
def test_the_sign_decides_what_is_shown(sign: Sign, expected: list[float]) -> None:
    np.testing.assert_allclose(scaled(SIGNED, Style(sign=sign, clip=100)), [expected])


def test_the_clip_percentile_gets_the_strongest_colour() -> None:
    relevance = np.arange(1, 101, dtype=np.float32).reshape(10, 10)
    values = scaled(relevance, Style(clip=80))
    assert values[7, 9] == 1.0  # the value 80 of 1 to 100
    assert values[3, 9] == 0.5
    assert values.max() == 1.0


def test_a_map_of_one_point_is_not_clipped_away() -> None:
    relevance = np.zeros((50, 50), np.float32)
    relevance[3, 4] = -7.0
    values = scaled(relevance, Style())
    assert values[3, 4] == -1.0
    assert np.count_nonzero(values) == 1


@pytest.mark.parametrize("value", [0.0, -0.0, math.nan])
def test_empty_maps_stay_zero(value: float) -> None:
    assert not scaled(np.full((3, 4), value, np.float32), Style()).any()


def test_constant_maps_are_full() -> None:
    assert np.all(scaled(np.full((3, 4), 5e-40, np.float32), Style()) == 1.0)
    assert np.all(scaled(np.full((3, 4), -3.0, np.float32), Style()) == -1.0)


def test_what_is_not_finite_is_nothing_or_everything() -> None:
    relevance = np.array([[math.nan, math.inf, -math.inf, 1.0, 0.0]], np.float32)
    np.testing.assert_array_equal(scaled(relevance, Style(clip=100)), [[0, 1, -1, 1, 0]])


@given(
    arrays(np.float32, (5, 6), elements=st.floats(width=32)),
    st.sampled_from(["both", "positive", "negative", "absolute"]),
    st.floats(0.1, 100),
)
def test_any_map_can_be_drawn(relevance: NDArray[np.float32], sign: Sign, clip: float) -> None:
    values = scaled(relevance, Style(sign=sign, clip=clip))
    assert values.shape == (5, 6)
    assert np.all(np.abs(values) <= 1.0)
    assert colour_of(relevance, Style(sign=sign, clip=clip)).shape == (5, 6, 3)


def test_signed_maps_are_centred_on_zero_and_others_start_there() -> None:
    signed = colour_of(SIGNED, Style(clip=100))
    np.testing.assert_array_equal(signed[0, 2], colours("cet-d1", signed=True)[LEVELS])
    assert signed[0, 0, 2] > signed[0, 0, 0]  # against: blue
    assert signed[0, 4, 0] > signed[0, 4, 2]  # for: red
    positive = colour_of(np.abs(SIGNED), Style(clip=100))
    np.testing.assert_array_equal(positive[0, 2], (0, 0, 4))  # the dark end of inferno
    np.testing.assert_array_equal(positive[0, 0], (252, 255, 164))  # the bright end


@pytest.mark.parametrize("name", PALETTES)
def test_palettes_change_evenly_in_lightness(name: str) -> None:
    half = colours(name, signed=False)[LEVELS:].astype(np.float64) / 255
    linear = np.where(half <= 0.04045, half / 12.92, ((half + 0.055) / 1.055) ** 2.4)
    lightness = np.cbrt(linear @ np.array([0.2126, 0.7152, 0.0722])) * 116
    steps = np.diff(lightness[::17])
    assert np.all(steps > -0.5) or np.all(steps < 0.5)


@pytest.mark.parametrize("name", ["cet-d1", "vik", "berlin"])
def test_diverging_palettes_keep_their_centre_for_maps_without_negatives(name: str) -> None:
    np.testing.assert_array_equal(colours(name, signed=False), colours(name, signed=True))


def test_palettes_are_named_in_any_case() -> None:
    np.testing.assert_array_equal(
        colour_of(SIGNED, Style(palette="CET-D1")), colour_of(SIGNED, Style(palette="cet-d1"))
    )


def test_a_wrong_style_names_every_wrong_field() -> None:
    with pytest.raises(InvalidRequest) as caught:
        Style(palette="jet", opacity=math.nan, clip=0.0, sign="left")  # type: ignore[arg-type]
    assert [problem.field for problem in caught.value.problems] == ["palette", "opacity", "clip", "sign"]
    assert "viridis" in caught.value.problems[0].message
