"""Images of noise: the same every time, as large as a model wants them, with the spectrum of photographs."""

from __future__ import annotations

import numpy as np
import pytest

from app.sanity.noise import COLOUR, MOST_SIDE, noise
from jobs.catalogue import InputSpec


def test_an_image_is_the_same_every_time_and_no_other() -> None:
    wanted = InputSpec(mode="grey", height=40, width=30)
    assert noise(1, wanted).shape == (40, 30)
    assert np.array_equal(noise(1, wanted), noise(1, wanted))
    assert not np.array_equal(noise(1, wanted), noise(2, wanted))


def test_it_fills_the_range_without_being_cut_off_much() -> None:
    values = noise(0, InputSpec(mode="grey", height=128, width=128))
    assert abs(float(values.mean()) - 128) < 5
    assert 40 < float(values.std()) < 55
    assert float(((values == 0) | (values == 255)).mean()) < 0.03


def test_amplitudes_fall_with_the_frequency() -> None:
    side = 256
    spectra = [
        np.abs(np.fft.rfft2(noise(number, InputSpec(mode="grey", height=side, width=side)) - 128.0))
        for number in range(4)
    ]
    frequencies = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    inside = (frequencies > 0.02) & (frequencies < 0.3)
    slope = np.polyfit(np.log(frequencies[inside]), np.log(np.mean(spectra, axis=0)[inside]), 1)[0]
    assert slope == pytest.approx(-1, abs=0.1)


def test_colours_go_together_but_not_wholly() -> None:
    values = noise(0, InputSpec(mode="rgb", height=64, width=64)).reshape(-1, 3).astype(float)
    found = np.corrcoef(values.T)
    assert found[0, 1] == pytest.approx(np.sqrt(1 - COLOUR**2), abs=0.1)


def test_a_pixel_alone_is_grey_and_a_huge_input_gets_a_smaller_image() -> None:
    assert noise(0, InputSpec(mode="grey", height=1, width=1)).tolist() == [[128]]
    assert noise(0, InputSpec(mode="rgb", height=4000, width=20)).shape == (MOST_SIDE, 20, 3)
