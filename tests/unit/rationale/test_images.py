"""What may be given as an image, and the file that is sent."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from rationale import InvalidRequest
from rationale.images import Image, file_of


def opened(file: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    return np.asarray(Pillow.open(io.BytesIO(file)))


def test_a_file_is_sent_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(b"whatever it is")
    assert file_of(path) == file_of(str(path)) == file_of(b"whatever it is") == b"whatever it is"
    with pytest.raises(FileNotFoundError):
        file_of(tmp_path / "none.png")


@pytest.mark.parametrize(
    "pixels",
    [
        np.arange(12, dtype=np.uint8).reshape(3, 4),
        np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000,
        np.arange(36, dtype=np.uint8).reshape(3, 4, 3),
        np.arange(36, dtype=np.uint8).reshape(4, 3, 3).transpose(1, 0, 2),
    ],
)
def test_pixels_are_sent_without_loss(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    assert np.array_equal(opened(file_of(pixels)), pixels)


def test_a_pillow_image_is_sent_without_loss() -> None:
    image = Pillow.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4))
    assert np.array_equal(opened(file_of(image)), np.asarray(image))


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((3, 4)),
        np.zeros((2, 3, 4), np.uint8),
        np.zeros((3, 4, 3), np.uint16),
        np.zeros(5, np.uint8),
        np.zeros((0, 4), np.uint8),
    ],
)
def test_what_is_no_image_is_refused_with_what_would_be(pixels: Image) -> None:
    with pytest.raises(InvalidRequest, match=r"mask must be \(H, W\) uint8 or uint16 or") as caught:
        file_of(pixels, "mask")
    assert caught.value.problems[0].field == "mask"
