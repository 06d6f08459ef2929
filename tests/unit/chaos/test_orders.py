"""What is written into an image is read from it, and decides the answer."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from chaos.orders import MAP_SIDE, N_PIXELS, Act, order, png, read, relevance

NOISE = bytes(range(100, 100 + N_PIXELS))


def test_an_order_survives_its_way_through_a_file() -> None:
    wish = order(NOISE, act=Act.HANG, work_seconds=0.25)

    pixels = Image.open(io.BytesIO(png(wish.pixels))).tobytes()

    assert len(pixels) == N_PIXELS
    assert read(pixels) == wish


def test_the_answer_follows_from_pixels_and_seed_and_fits_float32() -> None:
    pixels = order(NOISE).pixels
    values = relevance(pixels, 0)

    assert len(values) == MAP_SIDE**2
    assert values == relevance(pixels, 0)
    assert values not in (relevance(pixels, 1), relevance(order(NOISE[::-1]).pixels, 0))
    assert np.array_equal(np.array(values, np.float32), np.array(values, np.float64))
