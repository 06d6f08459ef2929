"""A map lies where its box says, and covers the image as much as it is strong."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.rendering import Picture, Style, heatmap_png, overlay
from app.rendering.overlay import displayed, image_png
from jobs.errors import InvalidRequest
from jobs.result import Box

# Any: whatever depth a picture has.
Array = NDArray[Any]
GREY = np.full((40, 60), 100, np.uint8)


def opened(data: bytes) -> NDArray[np.int64]:
    """The pixels of a picture."""
    return np.asarray(Image.open(io.BytesIO(data))).astype(np.int64)


def whole(pixels: Array) -> Box:
    """The box of a whole image."""
    return Box(x0=0, y0=0, x1=pixels.shape[1], y1=pixels.shape[0])


def centre(weight: NDArray[np.int64]) -> tuple[float, float]:
    """Centre of mass as (x, y) in pixels, where the first pixel's centre is 0.5."""
    rows, columns = np.indices(weight.shape) + 0.5
    return float((columns * weight).sum() / weight.sum()), float((rows * weight).sum() / weight.sum())


@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_is_its_own_picture(channels: int) -> None:
    values = np.tile(np.array([-0.2, 0.0, 0.5, 1.0, 1.2, np.nan], np.float32), (channels, 2, 1))

    shown = opened(image_png(values))

    assert shown.shape == ((2, 6) if channels == 1 else (2, 6, 3))
    np.testing.assert_array_equal(shown.reshape(2, 6, -1)[0, :, 0], [0, 0, 128, 255, 255, 0])


@pytest.mark.parametrize(
    "box",
    [
        (0, 0, 300, 200),
        (50, 0, 250, 200),
        (10.5, 20.25, 290.5, 180.75),
        (0, 0, 97, 61),
        (120, 60, 160, 100),
        (33.3, 44.4, 77.7, 88.8),
    ],
)
@pytest.mark.parametrize("point", [(0.3, 0.4), (0.5, 0.5), (0.7, 0.2)])
@pytest.mark.parametrize("side", [7, 64, 224])
def test_a_point_of_relevance_lands_within_a_pixel(
    box: tuple[float, float, float, float], point: tuple[float, float], side: int
) -> None:
    x0, y0, x1, y1 = box
    row, column = int(point[1] * side), int(point[0] * side)
    relevance = np.zeros((side, side), np.float32)
    relevance[row, column] = 1.0
    style = Style(palette="viridis", opacity=1.0)
    data = overlay(np.zeros((200, 300), np.uint8), relevance, Box(x0=x0, y0=y0, x1=x1, y1=y1), style)
    x, y = centre(opened(data).sum(axis=-1))
    assert abs(x - (x0 + (column + 0.5) / side * (x1 - x0))) < 1.0
    assert abs(y - (y0 + (row + 0.5) / side * (y1 - y0))) < 1.0


def test_outside_the_box_the_image_is_untouched() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    result = opened(overlay(pixels, np.ones((7, 7), np.float32), Box(x0=10, y0=5, x1=30, y1=25), Style()))
    inside = np.zeros((40, 60), bool)
    inside[5:25, 10:30] = True
    np.testing.assert_array_equal(result[~inside], pixels[~inside])
    assert np.all(np.any(result[inside] != pixels[inside], axis=-1))


@pytest.mark.parametrize("box", [(-20, -10, 80, 50), (50, 30, 90, 70), (100, 100, 200, 200), (5, 5, 5, 5)])
def test_a_box_may_reach_over_the_edge_or_be_empty(box: tuple[float, float, float, float]) -> None:
    x0, y0, x1, y1 = box
    result = opened(overlay(GREY, np.ones((7, 9), np.float32), Box(x0=x0, y0=y0, x1=x1, y1=y1), Style()))
    covered = np.any(result != 100, axis=-1)
    rows, columns = np.indices((40, 60)) + 0.5
    np.testing.assert_array_equal(covered, (rows > y0) & (rows < y1) & (columns > x0) & (columns < x1))


def test_no_relevance_leaves_the_image_as_it_is() -> None:
    for relevance in (np.zeros((7, 7), np.float32), np.full((7, 7), np.nan, np.float32)):
        np.testing.assert_array_equal(opened(overlay(GREY, relevance, whole(GREY), Style())), 100)


def test_colours_cover_by_opacity_times_strength() -> None:
    relevance = np.repeat(np.linspace(0, 1, 4, dtype=np.float32)[None], 4, axis=0)
    pixels = np.full((4, 4), 200, np.uint8)
    result = opened(overlay(pixels, relevance, whole(pixels), Style(palette="cet-d1", opacity=0.6, clip=100)))
    heat = opened(heatmap_png(relevance, Style(palette="cet-d1", clip=100)))
    weight = 0.6 * relevance[..., None]
    assert np.abs(result - (200 * (1 - weight) + heat * weight)).max() <= 1.0


def test_full_opacity_shows_the_bare_colour_of_the_strongest_relevance() -> None:
    relevance = np.ones((4, 4), np.float32)
    result = opened(overlay(GREY, relevance, whole(GREY), Style(opacity=1.0)))
    np.testing.assert_array_equal(result[0, 0], opened(heatmap_png(relevance, Style()))[0, 0])


def test_red_speaks_for_and_blue_against() -> None:
    relevance = np.zeros((4, 6), np.float32)
    relevance[:, :2], relevance[:, 4:] = 1.0, -1.0
    result = opened(overlay(np.full((4, 6), 128, np.uint8), relevance, Box(x0=0, y0=0, x1=6, y1=4), Style()))
    assert result[2, 0, 0] > result[2, 0, 2] + 60
    assert result[2, 5, 2] > result[2, 5, 0] + 60
    np.testing.assert_array_equal(result[2, 3], 128)


@pytest.mark.parametrize("form", ["png", "webp", "jpeg"])
@pytest.mark.parametrize("shape", [(40, 60), (40, 60, 3)])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_every_form_shows_every_image(form: Picture, shape: tuple[int, ...], depth: type[np.uint8]) -> None:
    ramp = np.linspace(0, np.iinfo(depth).max, 60).astype(depth)
    pixels = np.broadcast_to(ramp[:, None] if len(shape) == 3 else ramp, shape)
    data = overlay(pixels, np.zeros((7, 7), np.float32), whole(pixels), Style(), form)
    picture = Image.open(io.BytesIO(data))
    assert (picture.format, picture.size, picture.mode) == (form.upper(), (60, 40), "RGB")
    expected = np.broadcast_to(np.linspace(0, 255, 60)[None, :, None], (40, 60, 3))
    assert np.abs(opened(data) - expected).max() <= 8


def test_twelve_bits_in_sixteen_are_not_black() -> None:
    pixels = np.random.default_rng(0).integers(0, 4096, (64, 64)).astype(np.uint16)
    shown = displayed(pixels)
    assert shown.min() == 0
    assert shown.max() == 255
    assert abs(float(shown.mean()) - 127.5) < 4


def test_a_flat_deep_image_is_shown_on_the_full_scale() -> None:
    assert np.all(displayed(np.full((8, 8), 32768, np.uint16)) == 128)


def test_the_input_is_not_changed_and_may_be_read_only() -> None:
    pixels = GREY.copy()
    pixels.flags.writeable = False
    relevance = np.ones((7, 7), np.float32)
    relevance.flags.writeable = False
    overlay(pixels, relevance, whole(pixels), Style())
    assert np.all(pixels == 100)


@pytest.mark.parametrize("form", ["png", "webp", "jpeg"])
def test_pictures_carry_nothing_but_pixels(form: Picture) -> None:
    data = overlay(GREY, np.ones((7, 7), np.float32), whole(GREY), Style(), form)
    picture = Image.open(io.BytesIO(data))
    assert not picture.getexif()
    assert not {"exif", "xmp", "icc_profile", "comment"} & set(picture.info)


def test_large_images_are_blended_in_parts_like_small_ones() -> None:
    relevance = np.random.default_rng(0).normal(size=(30, 20)).astype(np.float32)
    pixels = np.random.default_rng(1).integers(0, 256, (1500, 1000), np.uint8)
    result = opened(overlay(pixels, relevance, whole(pixels), Style(), "png"))
    assert result.shape == (1500, 1000, 3)
    assert np.all(np.any(result[1300:] != pixels[1300:, :, None], axis=-1).mean() > 0.9)


@pytest.mark.parametrize(("form", "side"), [("webp", 16_384), ("jpeg", 65_501)])
def test_an_image_that_is_too_long_for_a_format_is_refused(form: Picture, side: int) -> None:
    relevance = np.ones((4, 4), np.float32)
    for shape in ((side, 1), (1, side)):
        with pytest.raises(InvalidRequest) as caught:
            overlay(long := np.zeros(shape, np.uint8), relevance, whole(long), Style(), form)
        assert [problem.field for problem in caught.value.problems] == ["format"]
        assert opened(overlay(long, relevance, whole(long), Style(), "png")).shape[:2] == shape
    fits = np.zeros((1, side - 1), np.uint8)
    assert opened(overlay(fits, relevance, whole(fits), Style(), form)).shape[1] == side - 1
