"""Masks at the network's input: which pixels are inside, and that they lie where the image lies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from jobs.errors import NotExplainable
from jobs.fingerprint import pixels_digest
from jobs.job import ImageRef
from workers.models.declaration import InputTable
from workers.models.intake import Intake, PreparedMask


# Any: uint8 or uint16; fields of the table.
def prepare(pixels: np.ndarray[Any, Any], **table: Any) -> PreparedMask:
    return Intake(InputTable(**table)).prepare_mask(pixels.tobytes(), ref(pixels))


def ref(pixels: np.ndarray[Any, Any]) -> ImageRef:  # Any: see above
    return ImageRef(
        key="k",
        digest=pixels_digest(pixels.tobytes(), shape=pixels.shape, dtype=str(pixels.dtype)),
        height=pixels.shape[0],
        width=pixels.shape[1],
        channels=3 if pixels.ndim == 3 else 1,
        dtype=str(pixels.dtype),
    )


@pytest.mark.parametrize(
    ("dtype", "levels"), [("uint8", [0, 1, 127, 128, 255]), ("uint16", [0, 255, 32767, 32768, 65535])]
)
@pytest.mark.parametrize("channels", [1, 3])
def test_inside_is_what_is_above_half_of_the_full_range(dtype: str, levels: list[int], channels: int) -> None:
    row = np.array([levels], dtype)
    pixels = row if channels == 1 else np.repeat(row[:, :, None], 3, axis=2)
    found = prepare(pixels, mode="rgb", size=(1, 5))
    assert found.inside.dtype == torch.bool
    assert found.inside.tolist() == [[False, False, False, True, True]]
    assert found.inside_share == 1


def test_colour_is_read_as_grey() -> None:
    red, green, blue, yellow = np.eye(3)[0], np.eye(3)[1], np.eye(3)[2], np.array([1, 1, 0])
    pixels = (np.stack([red, green, blue, yellow])[None] * 255).astype(np.uint8)
    assert prepare(pixels, mode="grey", size=(1, 4)).inside.tolist() == [[False, True, False, True]]


@pytest.mark.parametrize("shape", [(100, 60), (60, 100), (17, 23), (300, 200)])
@pytest.mark.parametrize("table", [{"size": (24, 24), "resize": 30}, {"size": (30, 20)}])
def test_each_pixel_of_the_input_is_inside_where_its_middle_is(
    shape: tuple[int, int], table: dict[str, Any]
) -> None:
    """By way of the box, which says for the image which source pixels the input covers."""
    pixels = (np.random.default_rng(1).random(shape) < 0.4).astype(np.uint8) * 255
    intake = Intake(InputTable(mode="grey", **table))
    found = intake.prepare_mask(pixels.tobytes(), ref(pixels))
    box = intake.prepare(pixels.tobytes(), ref(pixels)).box
    height, width = found.inside.shape
    assert (height, width) == table["size"]
    rows = np.floor(box.y0 + (np.arange(height) + 0.5) * (box.y1 - box.y0) / height + 1e-9).astype(int)
    columns = np.floor(box.x0 + (np.arange(width) + 0.5) * (box.x1 - box.x0) / width + 1e-9).astype(int)
    np.testing.assert_array_equal(found.inside.numpy(), pixels[np.ix_(rows, columns)] > 0)


def test_the_share_of_the_inside_that_is_left_is_told() -> None:
    pixels = np.zeros((24, 48), np.uint8)
    pixels[:, 6:24] = 255
    assert prepare(pixels, mode="grey", size=(24, 24), resize=24).inside_share == pytest.approx(12 / 18)
    pixels[:, 12:] = 0
    gone = prepare(pixels, mode="grey", size=(24, 24), resize=24)
    assert (gone.inside_share, bool(gone.inside.any())) == (0, False)
    assert prepare(pixels * 0, mode="grey", size=(24, 24), resize=24).inside_share is None


def test_a_line_of_pixels_is_refused_like_its_image() -> None:
    with pytest.raises(NotExplainable, match="long and thin") as caught:
        prepare(np.zeros((1, 60_000), np.uint8), mode="grey", size=(224, 224), resize=256)
    assert [problem.field for problem in caught.value.problems] == ["image"]
