"""Fits the statistics of patches of a model on images: `python -m workers.models.patches --help`.

They are written beside the model.toml, as `patches.safetensors`, and are a part of the model from then on.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from jobs.errors import JobFailed
from jobs.job import ImageRef
from workers.models.declaration import read_declaration
from workers.models.intake import Intake
from workers.models.patch_files import write_patches
from workers.tensors.patch_gaussians import PatchGaussian, PatchSums, patches_of

ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff"})
SIDE = 14  # a window of 10 pixels with 2 on every side
MOST_IMAGES = 2000


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit and write, or say in a sentence why not: 0 or 2."""
    parser = ArgumentParser(prog="python -m workers.models.patches", description="Fit statistics of patches.")
    parser.add_argument("--model-folder", type=Path, required=True, help="folder with the model.toml")
    parser.add_argument("--images", type=Path, required=True, help="folder of PNG, JPEG, WebP or TIFF")
    parser.add_argument("--side", type=int, default=SIDE, choices=range(3, 33), metavar="3..32")
    parser.add_argument("--most", type=int, default=MOST_IMAGES, help="images to take at most, by name")
    parser.add_argument("--words", help="what images these are, for those who read a map")
    chosen = parser.parse_args(arguments)
    try:
        gaussian = fit_folder(
            chosen.model_folder, chosen.images, side=chosen.side, most=chosen.most, words=chosen.words
        )
        path = write_patches(chosen.model_folder, gaussian)
    except (JobFailed, OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    size = f"{gaussian.side} x {gaussian.side}"
    sys.stdout.write(f"{path}: {gaussian.patches} patches of {size} from {gaussian.words}\n")
    return 0


def fit_folder(
    model: Path, images: Path, *, side: int, most: int = MOST_IMAGES, words: str | None = None
) -> PatchGaussian:
    """The Gaussian of the patches of a folder's images, as the model takes them.

    Raises ModelUnavailable, NotExplainable, OSError, or ValueError where there are too few.
    """
    declaration, _ = read_declaration(model)
    intake = Intake(declaration.input)
    paths = sorted(path for path in images.iterdir() if path.suffix.lower() in ENDINGS)[:most]
    if not paths:
        raise ValueError(f"there are no images in {images}")
    if side > min(declaration.input.size):
        raise ValueError(f"the model's images are smaller than {side} pixels")
    inputs = (_read(path, intake).unsqueeze(0) for path in paths)
    return fit(inputs, side, words or f"{len(paths)} images of {images.resolve().name}")


def fit(inputs: Iterable[Tensor], side: int, words: str) -> PatchGaussian:
    """The Gaussian of patches of batches of inputs (n, C, H, W), which overlap by half."""
    sums: PatchSums | None = None
    for batch in inputs:
        sums = sums or PatchSums(batch.shape[1], side)
        sums.add(patches_of(batch, side, max(1, side // 2)))
    if sums is None:
        raise ValueError("there are no images")
    return sums.gaussian(words)


def _read(path: Path, intake: Intake) -> Tensor:
    """(C, H, W), in the model's units."""
    with Image.open(path) as picture:
        pixels = _pixels(picture)
    image = ImageRef(
        key=path.name,
        digest="",
        height=pixels.shape[0],
        width=pixels.shape[1],
        channels=3 if pixels.ndim == 3 else 1,
        dtype="uint16" if pixels.dtype == np.uint16 else "uint8",
    )
    return intake.prepare(pixels.tobytes(), image).tensor


def _pixels(picture: Image.Image) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """(H, W) of grey, 8 or 16 bits deep, or (H, W, 3)."""
    if picture.mode.startswith("I;16"):
        return np.asarray(picture).astype(np.uint16)
    return np.asarray(picture.convert("L" if picture.mode in ("1", "L", "LA") else "RGB"), dtype=np.uint8)


if __name__ == "__main__":
    sys.exit(main())
