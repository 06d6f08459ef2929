"""From pixels to the network's input, and which pixels the network saw."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from jobs.errors import NotExplainable
from jobs.fingerprint import pixels_digest
from jobs.job import ImageRef
from jobs.result import Box
from workers.models.declaration import InputTable
from workers.models.intake import Intake, Prepared


# Any: uint8 or uint16; fields of the table.
def prepare(pixels: np.ndarray[Any, Any], *, field: str = "image", **table: Any) -> Prepared:
    channels = 3 if pixels.ndim == 3 else 1
    image = ImageRef(
        key="k",
        digest=pixels_digest(pixels.tobytes(), shape=pixels.shape, dtype=str(pixels.dtype)),
        height=pixels.shape[0],
        width=pixels.shape[1],
        channels=channels,
        dtype=str(pixels.dtype),
    )
    return Intake(InputTable(**table)).prepare(pixels.tobytes(), image, field=field)


def noise(*shape: int, dtype: str = "uint8") -> np.ndarray[Any, Any]:  # Any: uint8 or uint16
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_pixels_are_scaled_from_black_0_to_white_1_and_normalised(dtype: str) -> None:
    pixels = noise(4, 6, 3, dtype=dtype)
    found = prepare(pixels, mode="rgb", size=(4, 6), mean=(0.5, 0.4, 0.3), std=(0.1, 0.2, 0.3))

    scaled = torch.from_numpy(pixels.astype(np.float32) / np.iinfo(dtype).max).permute(2, 0, 1)
    expected = (scaled - torch.tensor([0.5, 0.4, 0.3]).view(3, 1, 1)) / torch.tensor([0.1, 0.2, 0.3]).view(
        3, 1, 1
    )
    torch.testing.assert_close(found.tensor, expected)
    assert found.box == Box(x0=0, y0=0, x1=6, y1=4)
    assert [step["step"] for step in found.steps] == ["scale", "normalise"]


def test_grey_becomes_three_equal_channels_for_an_rgb_model() -> None:
    pixels = noise(4, 4)
    found = prepare(pixels, mode="rgb", size=(4, 4))

    assert torch.equal(found.tensor[0], found.tensor[2])
    torch.testing.assert_close(found.tensor[0], torch.from_numpy(pixels / 255).float())
    assert [step["step"] for step in found.steps] == ["scale", "grey-to-rgb", "normalise"]


def test_colour_becomes_luma_for_a_grey_model_of_one_or_three_channels() -> None:
    pixels = noise(4, 4, 3)
    one = prepare(pixels, mode="grey", size=(4, 4))
    three = prepare(pixels, mode="grey", size=(4, 4), mean=(0.0, 0.0, 0.5))

    luma = torch.from_numpy(pixels / 255 @ np.array([0.299, 0.587, 0.114])).float()
    torch.testing.assert_close(one.tensor, luma.unsqueeze(0))
    torch.testing.assert_close(three.tensor, torch.stack([luma, luma, luma - 0.5]))


def test_the_shorter_side_is_resized_and_the_middle_cut_out() -> None:
    pixels = noise(100, 60, 3)
    found = prepare(pixels, mode="rgb", size=(24, 24), resize=30)

    whole = torch.from_numpy(pixels / 255).float().permute(2, 0, 1).unsqueeze(0)
    resized = F.interpolate(whole, size=(50, 30), mode="bilinear", antialias=True)
    torch.testing.assert_close(found.tensor, resized[0, :, 13:37, 3:27])
    assert found.box == Box(x0=6, y0=26, x1=54, y1=74)
    assert [step["step"] for step in found.steps] == ["scale", "resize", "centre-crop", "normalise"]
    assert found.steps[1]["to"] == [50, 30]
    assert found.steps[2]["at"] == [13, 3]


@pytest.mark.parametrize("field", ["image", "reference"])
def test_a_line_of_pixels_is_refused_before_it_fills_the_memory(field: str) -> None:
    with pytest.raises(NotExplainable, match="long and thin") as caught:
        prepare(noise(1, 60_000), field=field, mode="grey", size=(224, 224), resize=256)

    assert [problem.field for problem in caught.value.problems] == [field]


@pytest.mark.parametrize("place", [(0, 0), (31, 40), (99, 59), (50, 7)])
def test_the_box_says_which_pixels_a_cell_of_the_input_saw(place: tuple[int, int]) -> None:
    """A single bright pixel comes out where the box puts it; what lies outside leaves no trace."""
    pixels = np.zeros((100, 60), dtype=np.uint8)
    pixels[place] = 255
    found = prepare(pixels, mode="grey", size=(24, 24), resize=30)

    box, light = found.box, found.tensor[0]
    middle = [place[0] + 0.5, place[1] + 0.5]
    if not (box.y0 + 1 < middle[0] < box.y1 - 1 and box.x0 + 1 < middle[1] < box.x1 - 1):
        assert light.sum() == 0
        return
    cells = torch.arange(24) + 0.5
    seen_y = box.y0 + (light.sum(1) @ cells / light.sum()).item() * (box.y1 - box.y0) / 24
    seen_x = box.x0 + (light.sum(0) @ cells / light.sum()).item() * (box.x1 - box.x0) / 24
    assert [seen_y, seen_x] == pytest.approx(middle, abs=0.5)


def test_without_resize_the_whole_image_is_brought_to_size() -> None:
    found = prepare(noise(100, 60), mode="grey", size=(20, 30))

    assert found.tensor.shape == (1, 20, 30)
    assert found.box == Box(x0=0, y0=0, x1=60, y1=100)


def test_an_exact_size_can_be_larger_than_what_is_cut_out() -> None:
    found = prepare(noise(64, 128), mode="grey", size=(16, 16), resize=(32, 32))

    assert found.tensor.shape == (1, 16, 16)
    assert found.box == Box(x0=32, y0=16, x1=96, y1=48)


def test_black_and_white_are_known_in_the_networks_units() -> None:
    intake = Intake(InputTable(mode="rgb", size=(4, 4), mean=(0.5, 0.4, 0.2), std=(0.5, 0.2, 0.1)))

    torch.testing.assert_close(intake.black.flatten(), torch.tensor([-1.0, -2.0, -2.0]))
    torch.testing.assert_close(intake.white.flatten(), torch.tensor([1.0, 3.0, 8.0]))
