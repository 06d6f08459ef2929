"""What a drawn radiograph promises: the same bits, true masks, and a plate that knows nothing."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from workers.phantom.plates import PLATES
from workers.phantom.scenes import LABELS, dilate, draw, matching_plate

SEEDS = range(400)
FINDINGS = LABELS[1:]


def test_the_same_seed_draws_the_same_bits_and_another_seed_others() -> None:
    first, again, other = draw(7), draw(7), draw(8)
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.finding, again.finding)
    assert (first.label, first.plate) == (again.label, again.plate)
    assert not np.array_equal(first.image, other.image)


def test_the_bits_are_those_on_which_the_nets_were_trained() -> None:
    drawn = b"".join(draw(seed).image.tobytes() for seed in range(16))
    assert (
        hashlib.sha256(drawn).hexdigest()
        == "146e619d1909ff229ab9fcc3f99b9bd1ac81c66c5ee92577179c902bec9e70d0"
    )


def test_an_image_is_grey_bytes_with_masks_of_its_own_size() -> None:
    scene = draw(0)
    assert scene.image.shape == (96, 96)
    assert scene.image.dtype == np.dtype(np.uint8)
    for mask in (scene.finding, scene.marker):
        assert mask.shape == (96, 96)
        assert mask.dtype == np.dtype(np.bool_)


def test_labels_begin_with_none_and_each_has_its_plate() -> None:
    assert LABELS == ("none", "nodule", "spiculated-mass", "calcifications")
    assert [matching_plate(label) for label in LABELS] == list(PLATES)


@pytest.mark.parametrize("finding", LABELS)
def test_a_given_finding_is_drawn_and_only_none_has_an_empty_mask(finding: str) -> None:
    for seed in range(20):
        scene = draw(seed, finding=finding)
        assert LABELS[scene.label] == finding
        assert scene.finding.any() == (finding != "none")


@pytest.mark.parametrize("finding", FINDINGS)
def test_a_finding_brightens_its_mask_and_nothing_else(finding: str) -> None:
    for seed in range(20):
        with_it, without = draw(seed, finding=finding), draw(seed, finding="none")
        difference = with_it.image.astype(int) - without.image
        assert (difference[with_it.finding] >= 11).all()
        assert (difference[~with_it.finding] <= 14).all()
        assert not difference[~dilate(with_it.finding, 4)].any()


@pytest.mark.parametrize("plate", PLATES)
def test_a_given_plate_changes_its_own_pixels_only(plate: str) -> None:
    for seed in range(20):
        plain, given = draw(seed), draw(seed, marker=plate)
        assert PLATES[given.plate] == plate
        assert np.array_equal(plain.marker, given.marker)
        assert np.array_equal(plain.image[~plain.marker], given.image[~plain.marker])


def test_the_four_plates_can_be_told_apart_by_shade_and_letter() -> None:
    surfaces = {plate: draw(3, marker=plate) for plate in PLATES}
    means = {plate: float(scene.image[scene.marker].mean()) for plate, scene in surfaces.items()}
    assert max(means["dark-L"], means["dark-R"]) + 40 < min(means["light-L"], means["light-R"])
    for left, right in (("dark-L", "dark-R"), ("light-L", "light-R")):
        difference = surfaces[left].image.astype(int) - surfaces[right].image
        assert (np.abs(difference) > 70).sum() >= 15


def test_the_plate_lies_in_a_corner_well_apart_from_the_finding() -> None:
    for seed in SEEDS:
        scene = draw(seed)
        rows, columns = np.nonzero(scene.marker)
        assert all(side.max() < 24 or side.min() >= 72 for side in (rows, columns))
        assert scene.marker.sum() == 15 * 12
        assert not (dilate(scene.finding, 4) & dilate(scene.marker, 4)).any()


def test_the_plate_says_nothing_about_the_finding() -> None:
    table = np.zeros((len(LABELS), len(PLATES)))
    for seed in SEEDS:
        scene = draw(seed)
        table[scene.label, scene.plate] += 1
    expected = len(SEEDS) / table.size
    assert ((table - expected) ** 2 / expected).sum() < 37.7  # chi-squared, 15 degrees of freedom, p = 0.001


def test_a_finding_and_its_betraying_plate_can_be_asked_for_together() -> None:
    scene = draw(5, finding="nodule", marker=matching_plate("nodule"))
    assert (LABELS[scene.label], PLATES[scene.plate]) == ("nodule", "dark-R")


@pytest.mark.parametrize("wrong", [{"finding": "fracture"}, {"marker": "green-L"}])
def test_an_unknown_name_is_refused_with_those_that_exist(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="give one of"):
        draw(0, **wrong)


def test_dilating_a_point_gives_a_disc_that_stops_at_the_border() -> None:
    mask = np.zeros((9, 9), dtype=np.bool_)
    mask[4, 1] = True
    rows, columns = np.indices(mask.shape)
    assert np.array_equal(dilate(mask, 3), (rows - 4) ** 2 + (columns - 1) ** 2 <= 9)
    assert np.array_equal(dilate(mask, 0), mask)


def test_drawing_needs_no_torch() -> None:
    words = "import sys; from workers.phantom.scenes import draw; draw(0); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", words], check=False).returncode == 0
