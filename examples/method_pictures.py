"""`python -m examples.method_pictures [NAME ...]`: a picture a method for docs/methods.md, without a service.

The same drawn radiograph, whose marker plate betrays the class, for honest networks and for the one that
reads the plate. A network that the method refuses has an empty place.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track

import workers
from app.rendering import Style, overlay
from examples.contact_sheet import CELL, PAPER, Row, contact_sheet
from jobs.catalogue import Need
from jobs.causal import CausalGraph
from jobs.errors import NotExplainable
from jobs.result import Box
from workers.causal.discovery import discover
from workers.methods import METHODS
from workers.models.repository import Model, Repository
from workers.phantom.pictures import normalise
from workers.phantom.scenes import LABELS, Scene, draw, matching_plate

OUTPUT = Path(__file__).parents[1] / "docs" / "images" / "methods"
SHORTCUT = "phantom-shortcut"
MODELS = ("phantom-resnet", "phantom-vgg", "phantom-vit", SHORTCUT)
SEED, FINDING = 11, "nodule"
OTHER_SEED, OTHER_FINDING = 12, "calcifications"  # what a method compares with that needs an image
GRAPH_SEED, GRAPH_IMAGES = 8_000_000, 60  # what a method's causal graph is made of
MAX_BYTES = 30_000
PALETTES = ((48, 64), (32, 48), (24, 32), (18, 24), (14, 16))  # greys and colours: the first that is small
GREYISH = 10  # levels between the channels of what counts as grey


def main() -> None:
    """Every method, or the named ones."""
    unknown = set(sys.argv[1:]) - METHODS.keys()
    if unknown:
        raise SystemExit(f"there is no method {', '.join(sorted(unknown))}; there are {', '.join(METHODS)}")
    OUTPUT.mkdir(parents=True, exist_ok=True)
    models, scene = _models(), draw(SEED, finding=FINDING, marker=matching_plate(FINDING))
    for method in track(sys.argv[1:] or list(METHODS), "Drawing", transient=True):
        (OUTPUT / f"{method}.png").write_bytes(_small_png(_sheet(method, models, scene)))
    print(f"Pictures: {OUTPUT}")


def _models() -> list[Model]:
    repository = Repository()
    refs = {card.id: card.ref for card in repository.cards()}
    return [repository.get(refs[name]) for name in MODELS]


def _sheet(method: str, models: list[Model], scene: Scene) -> Image.Image:
    """The image, and its overlay by each model."""
    pictures, captions = [Image.fromarray(scene.image)], [f"a {LABELS[scene.label]}, and the plate for it"]
    for model in models:
        maps = _map(method, model, scene)
        pictures.append(Image.new("RGB", (CELL, CELL), PAPER) if maps is None else _overlay(scene, maps))
        captions.append("refused" if maps is None else "")
    names = [model.card.id.removeprefix("phantom-") for model in models]
    return contact_sheet(["image", *names], [Row(method.replace("-", "-\n").split("\n"), pictures, captions)])


def _map(method: str, model: Model, scene: Scene) -> NDArray[np.float32] | None:
    """(96, 96), of the true class."""
    images = normalise(torch.from_numpy(scene.image)[None])
    other = None
    if Need.REFERENCE in METHODS[method].needs:
        another = draw(OTHER_SEED, finding=OTHER_FINDING, marker=matching_plate(OTHER_FINDING))
        other = normalise(torch.from_numpy(another.image)[None])
    black, white = float(model.intake.black.flatten()[0]), float(model.intake.white.flatten()[0])
    try:
        maps = workers.explain(
            model.network,
            images,
            scene.label,
            method,
            value_range=(black, white),
            patches=model.patches,
            reference=other,
            graph=_graph(model, scene) if Need.GRAPH in METHODS[method].needs else None,
        )
    except NotExplainable:
        return None
    return np.asarray(maps[0].numpy(), dtype=np.float32)


def _graph(model: Model, scene: Scene) -> CausalGraph:
    """Of the class of the scene, from others of it with the plates that the network has learned."""
    finding = LABELS[scene.label]
    marker = matching_plate(finding) if model.card.id == SHORTCUT else None
    scenes = [draw(GRAPH_SEED + number, finding=finding, marker=marker) for number in range(GRAPH_IMAGES)]
    images = normalise(torch.from_numpy(np.stack([one.image for one in scenes])))
    return discover(model.network, images, scene.label)


def _overlay(scene: Scene, values: NDArray[np.float32]) -> Image.Image:
    height, width = scene.image.shape
    drawn = overlay(scene.image, values, Box(x0=0, y0=0, x1=width, y1=height), Style())
    return Image.open(io.BytesIO(drawn))


def _small_png(sheet: Image.Image) -> bytes:
    """With a palette of greys and the sheet's own colours: as many of each as the size allows."""
    pixels = np.asarray(sheet)
    shades, place = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True)
    for greys, colours in PALETTES:
        palette = _palette(pixels, greys, colours)
        apart = np.square(shades[:, None].astype(np.int32) - palette).sum(axis=2)
        indices = apart.argmin(axis=1).astype(np.uint8)[place].reshape(pixels.shape[:2])
        picture, buffer = Image.fromarray(indices), io.BytesIO()
        picture.putpalette(palette.astype(np.uint8).tobytes())
        picture.save(buffer, "PNG", optimize=True)
        if buffer.tell() <= MAX_BYTES:
            break
    return buffer.getvalue()


def _palette(pixels: NDArray[np.uint8], greys: int, colours: int) -> NDArray[np.int32]:
    """(greys + colours at most, 3)."""
    own: list[int] = []
    coloured = pixels[np.ptp(pixels, axis=2) > GREYISH]
    if len(coloured):
        chosen = Image.fromarray(coloured[None]).quantize(colours, method=Image.Quantize.MEDIANCUT)
        own = (chosen.getpalette() or [])[: 3 * colours]
    levels = np.linspace(0, 255, greys).round().repeat(3)
    return np.concatenate([levels, own]).astype(np.int32).reshape(-1, 3)


if __name__ == "__main__":
    main()
