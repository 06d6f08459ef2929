"""Images of noise: what every model can be asked about, whatever it was made for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jobs.catalogue import InputSpec

MOST_SIDE = 512  # pixels; a larger input gets its noise enlarged
CONTRAST = 50.0  # standard deviation of the grey values
COLOUR = 0.6  # how far the second and third channel are from the first


def noise(number: int, wanted: InputSpec) -> NDArray[np.uint8]:
    """Pink noise (H, W) or (H, W, 3) as large as a model's input: its spectrum falls as that of photographs.

    The same for every model of that size. Amplitudes fall with 1 / frequency: Field: Relations between the
    statistics of natural images and the response properties of cortical cells, 1987.
    """
    chance = np.random.default_rng(number)
    size = min(wanted.height, MOST_SIDE), min(wanted.width, MOST_SIDE)
    if wanted.mode == "grey":
        return _grey_values(_pink(chance, size))
    first = _pink(chance, size)
    others = [np.sqrt(1 - COLOUR**2) * first + COLOUR * _pink(chance, size) for _ in range(2)]
    return _grey_values(np.stack([first, *others], axis=-1))


def _pink(chance: np.random.Generator, size: tuple[int, int]) -> NDArray[np.float64]:
    """(H, W) of mean 0 and standard deviation 1; of one pixel, which cannot vary, 0."""
    height, width = size
    frequencies = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequencies[0, 0] = np.inf
    real, imaginary = chance.normal(size=(2, *frequencies.shape))
    field = np.fft.irfft2((real + 1j * imaginary) / frequencies, size)
    return np.asarray(field / max(float(field.std()), np.finfo(np.float64).tiny))


def _grey_values(field: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.clip(128 + CONTRAST * field, 0, 255).astype(np.uint8)
