"""Start the service, explain drawn radiographs with a method of each kind over HTTP, and draw what came back.

Writes `demo/contact-sheet.png` (a row an image, a column a method), `demo/shortcut.png` (one image, an honest
model and one that cheats) and every overlay.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table

from app.session import private_service
from examples.contact_sheet import Row, contact_sheet
from workers.phantom.scenes import LABELS, Scene, dilate, draw, matching_plate

OUTPUT = Path("demo")
MODEL = "phantom-resnet"
SHORTCUT = "phantom-shortcut"
METHODS = ("saliency", "integrated-gradients", "grad-cam", "guided-grad-cam", "lrp", "occlusion")
SEEDS = {"nodule": 11, "spiculated-mass": 12, "calcifications": 13}
DILATION = 4  # pixels around the truth that still count as inside: a map is not sharper than its grid
WIDTH = 110  # of the tables, also where the output is no terminal
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Explained:
    """One answer of the service: its document, the raw map and the overlay."""

    document: dict[str, Any]  # Any: JSON as the API sends it
    relevance: NDArray[np.float32]
    overlay: Image.Image

    @property
    def target(self) -> dict[str, Any]:  # Any: JSON as the API sends it
        """The explained class."""
        target: dict[str, Any] = self.document["targets"][0]
        return target


def main() -> None:
    """The whole story."""
    console = Console()
    console.width = max(console.width, WIDTH)
    OUTPUT.mkdir(exist_ok=True)
    console.print("Starting Redis, a worker and the API on a free port ...")
    with private_service() as address, httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
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


def explain(client: httpx.Client, scene: Scene, model: str, method: str, **fields: str) -> Explained:
    """Post one drawn image, wait for the answer, fetch the map and the overlay, and keep the overlay."""
    buffer = io.BytesIO()
    Image.fromarray(scene.image).save(buffer, "PNG")
    document = _json(
        client.post(
            "/api/v1/explanations",
            files={"image": buffer.getvalue()},
            data={"model": model, "method": method, **fields},
            headers={"Prefer": "wait=30"},
        )
    )
    links = document["targets"][0]["links"]
    relevance = np.load(io.BytesIO(_ok(client.get(links["heatmap"], params={"format": "npy"})).content))
    overlay = Image.open(io.BytesIO(_ok(client.get(links["overlay"])).content))
    overlay.save(OUTPUT / f"{LABELS[scene.label]}-{model}-{method}.png")
    return Explained(document, relevance, overlay)


def lift(relevance: NDArray[np.float32], mask: Mask) -> float:
    """Share of the positive relevance inside the mask, divided by the mask's share of the area.

    1 is what a map that knows nothing reaches; the mask is widened by `DILATION` pixels.
    """
    near = dilate(mask, DILATION)
    positive = np.maximum(relevance, 0)
    return float(positive[near].sum() / max(float(positive.sum()), 1e-12) / near.mean())


def _table(scenes: dict[str, Scene], answers: dict[tuple[str, str], Explained]) -> Table:
    table = Table(title=f"{MODEL}: where the relevance lies (1.0x = spread evenly)", title_justify="left")
    for heading in ("image", "method", "target", "score", "seconds", "on the finding", "on the marker"):
        table.add_column(heading)
    for (label, method), answer in answers.items():
        table.add_row(
            label,
            method,
            answer.target["label"],
            f"{answer.target['score']:.3f}",
            f"{answer.document['timings']['total_s']:.3f}",
            f"{lift(answer.relevance, scenes[label].finding):.1f}x",
            f"{lift(answer.relevance, scenes[label].marker):.1f}x",
        )
    return table


def _sheet(scenes: dict[str, Scene], answers: dict[tuple[str, str], Explained]) -> Image.Image:
    rows = []
    for label, scene in scenes.items():
        drawn = [answers[label, method] for method in METHODS]
        captions = [f"{lift(answer.relevance, scene.finding):.1f}x on the finding" for answer in drawn]
        found = drawn[0].target
        rows.append(
            Row(
                words=("truth:", label, "", "model says:", found["label"], f"{found['score']:.3f}"),
                pictures=[Image.fromarray(scene.image), _truth(scene), *(answer.overlay for answer in drawn)],
                captions=["", "", *captions],
            )
        )
    return contact_sheet(["image", "truth", *METHODS], rows)


def _shortcut_story(client: httpx.Client, console: Console) -> None:
    """The same image for a model that looks at the finding and for one that learned the marker plate."""
    scene = draw(SEEDS["nodule"], finding="nodule", marker=matching_plate("nodule"))
    pictures, captions = [Image.fromarray(scene.image), _truth(scene)], ["", ""]
    table = Table(title="One image, two models that both answer right", title_justify="left")
    for heading in ("model", "says", "score", "on the finding", "on the marker plate"):
        table.add_column(heading)
    for model in (MODEL, SHORTCUT):
        answer = explain(client, scene, model, "grad-cam")
        finding, marker = lift(answer.relevance, scene.finding), lift(answer.relevance, scene.marker)
        score = answer.target["score"]
        table.add_row(model, answer.target["label"], f"{score:.3f}", f"{finding:.1f}x", f"{marker:.1f}x")
        pictures.append(answer.overlay)
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


def _ok(response: httpx.Response) -> httpx.Response:
    if response.is_error:
        raise SystemExit(f"{response.request.url.path} answered {response.status_code}: {response.text}")
    return response


def _json(response: httpx.Response) -> dict[str, Any]:  # Any: JSON as the API sends it
    document: dict[str, Any] = _ok(response).json()
    return document


if __name__ == "__main__":
    main()
