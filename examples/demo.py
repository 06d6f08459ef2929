"""Start the service, explain drawn radiographs with a method of each kind over HTTP, and draw what came back.

Writes `demo/contact-sheet.png` (a row an image, a column a method), `demo/shortcut.png` (one image, an honest
model and one that cheats) and every overlay.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table

from app.session import private_service
from examples.contact_sheet import Row, contact_sheet
from rationale import Client, Explained, Explanation
from workers.phantom.scenes import LABELS, Scene, dilate, draw, matching_plate

OUTPUT = Path("demo")
MODEL = "phantom-resnet"
SHORTCUT = "phantom-shortcut"
METHODS = ("saliency", "integrated-gradients", "grad-cam", "guided-grad-cam", "lrp", "occlusion")
SEEDS = {"nodule": 11, "spiculated-mass": 12, "calcifications": 13}
DILATION = 4  # pixels around the truth that still count as inside: a map is not sharper than its grid
WIDTH = 110  # of the tables, also where the output is no terminal
Mask = NDArray[np.bool_]


def main() -> None:
    """The whole story."""
    console = Console()
    console.width = max(console.width, WIDTH)
    OUTPUT.mkdir(exist_ok=True)
    console.print("Starting Redis, a worker and the API on a free port ...")
    with private_service() as address, Client(address) as client:
        console.print(f"Rationale answers on {address}")
        scenes = {label: draw(seed, finding=label) for label, seed in SEEDS.items()}
        answers = {
            (label, method): explain(client, scenes[label], MODEL, method)
            for label in track(scenes, "Explaining", console=console, transient=True)
            for method in METHODS
        }
        console.print(_table(scenes, answers))
        _sheet(scenes, answers).save(OUTPUT / "contact-sheet.png")
        _shortcut_story(client, console)
    console.print(f"Pictures: {OUTPUT}/contact-sheet.png, {OUTPUT}/shortcut.png and {len(answers)} overlays")


def explain(client: Client, scene: Scene, model: str, method: str) -> Explanation:
    """The answer for one drawn image; its overlay is kept."""
    explanation = client.explain(scene.image, model=model, method=method)
    explanation.overlay().save(OUTPUT / f"{LABELS[scene.label]}-{model}-{method}.png")
    return explanation


def lift(relevance: NDArray[np.float32], mask: Mask) -> float:
    """Share of the positive relevance inside the mask, divided by the mask's share of the area.

    1 is what a map that knows nothing reaches; the mask is widened by `DILATION` pixels.
    """
    near = dilate(mask, DILATION)
    positive = np.maximum(relevance, 0)
    return float(positive[near].sum() / max(float(positive.sum()), 1e-12) / near.mean())


def _table(scenes: dict[str, Scene], answers: dict[tuple[str, str], Explanation]) -> Table:
    table = Table(title=f"{MODEL}: where the relevance lies (1.0x = spread evenly)", title_justify="left")
    for heading in ("image", "method", "target", "score", "seconds", "on the finding", "on the marker"):
        table.add_column(heading)
    for (label, method), answer in answers.items():
        table.add_row(
            label,
            method,
            _found(answer).label,
            f"{_found(answer).score:.3f}",
            f"{answer.timings.total_s:.3f}",
            f"{lift(answer.map, scenes[label].finding):.1f}x",
            f"{lift(answer.map, scenes[label].marker):.1f}x",
        )
    return table


def _sheet(scenes: dict[str, Scene], answers: dict[tuple[str, str], Explanation]) -> Image.Image:
    rows = []
    for label, scene in scenes.items():
        drawn = [answers[label, method] for method in METHODS]
        captions = [f"{lift(answer.map, scene.finding):.1f}x on the finding" for answer in drawn]
        found = _found(drawn[0])
        rows.append(
            Row(
                words=("truth:", label, "", "model says:", found.label, f"{found.score:.3f}"),
                pictures=[
                    Image.fromarray(scene.image),
                    _truth(scene),
                    *(answer.overlay() for answer in drawn),
                ],
                captions=["", "", *captions],
            )
        )
    return contact_sheet(["image", "truth", *METHODS], rows)


def _shortcut_story(client: Client, console: Console) -> None:
    """The same image for a model that looks at the finding and for one that learned the marker plate."""
    scene = draw(SEEDS["nodule"], finding="nodule", marker=matching_plate("nodule"))
    pictures, captions = [Image.fromarray(scene.image), _truth(scene)], ["", ""]
    table = Table(title="One image, two models that both answer right", title_justify="left")
    for heading in ("model", "says", "score", "on the finding", "on the marker plate"):
        table.add_column(heading)
    for model in (MODEL, SHORTCUT):
        answer = explain(client, scene, model, "grad-cam")
        finding, marker = lift(answer.map, scene.finding), lift(answer.map, scene.marker)
        table.add_row(
            model, _found(answer).label, f"{_found(answer).score:.3f}", f"{finding:.1f}x", f"{marker:.1f}x"
        )
        pictures.append(answer.overlay())
        captions.append(f"finding {finding:.1f}x, marker {marker:.1f}x")
    console.print(table)
    row = Row(words=("truth:", "nodule"), pictures=pictures, captions=captions)
    contact_sheet(["image", "truth", MODEL, SHORTCUT], [row]).save(OUTPUT / "shortcut.png")


def _truth(scene: Scene) -> Image.Image:
    """The image with the finding in red and the marker plate in blue."""
    painted = np.repeat(scene.image[..., None], 3, axis=2)
    painted[scene.finding] = (220, 40, 40)
    painted[scene.marker] = painted[scene.marker] // 2 + np.array([0, 40, 120], np.uint8)
    return Image.fromarray(painted)


def _found(answer: Explanation) -> Explained:
    """The explained class, which is the predicted one."""
    return next(iter(answer.explained.values()))


if __name__ == "__main__":
    main()
