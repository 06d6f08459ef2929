"""The page of an evaluation in a real browser: whole, legible, wide and narrow, light and dark."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Locator, Page

from app.evaluation.page import page
from app.evaluation.rows import Row
from app.routes.evaluations import POLICY
from jobs.catalogue import load_catalogue
from tests.api import model_card

ROW = Row("tiny", "w", "saliency", "0.png", "d", label="nodule", metric="deletion", higher_is_better=False)
VALUES = {
    "grad-cam": [0.0, 0.1, 0.2],
    "saliency": [0.3, 0.4, 0.8],
    "a-method-with-quite-a-long-name": [0.9, 1.0],
}
RANDOM, EDGES = 0.75, 0.5
WIDTHS = [1280, 390]
Pixels = NDArray[np.int64]


@pytest.fixture
def address(tmp_path: Path) -> str:
    rows = [
        replace(
            ROW, method=method, image=f"{n}.png", value=value, random=RANDOM, edges=EDGES, findings="coarse"
        )
        for method, values in VALUES.items()
        for n, value in enumerate(values)
    ]
    failed = replace(
        ROW, method="cam", metric="", error="not-explainable: " + "there is no such layer here " * 8
    )
    path = tmp_path / "index.html"
    path.write_text(page([*rows, failed], load_catalogue(), [model_card()], made_at=datetime.now(UTC)))
    return path.as_uri()


def opened(browser: Browser, address: str, width: int, scheme: Literal["light", "dark"] = "light") -> Page:
    """The page, which must say nothing on the console and ask for nothing else."""
    seen = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said: list[str] = []
    asked: list[str] = []
    seen.on("console", lambda message: said.append(message.text))
    seen.on("pageerror", lambda error: said.append(str(error)))
    seen.on("request", lambda request: asked.append(request.url))
    seen.goto(address)
    assert said == []
    assert asked == [address]
    return seen


def pixels(of: Page | Locator) -> Pixels:
    with Image.open(io.BytesIO(of.screenshot())) as shot:
        return np.asarray(shot.convert("RGB"), dtype=np.int64)


def share(one: Locator, strip: Locator) -> float:
    """Where the middle of a mark is, from 0 at the left end of its strip to 1."""
    box, around = one.bounding_box(), strip.bounding_box()
    assert box is not None
    assert around is not None
    return (box["x"] + box["width"] / 2 - around["x"]) / around["width"]


@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_its_window(browser: Browser, address: str, width: int) -> None:
    seen = opened(browser, address, width)
    assert seen.evaluate("document.documentElement.scrollWidth") <= width
    for heading in ("Deletion", "Findings", "Not explained", "Models"):
        assert seen.get_by_role("heading", name=heading, exact=True).is_visible()


def test_dots_means_and_peers_are_where_the_figures_are(browser: Browser, address: str) -> None:
    seen = opened(browser, address, WIDTHS[0])
    strips = seen.locator("td.strip > svg")
    assert strips.count() == len(VALUES)
    for place, values in enumerate(VALUES.values()):  # the best first: they are in order
        strip = strips.nth(place)
        found = [share(dot, strip) for dot in strip.locator(".dot").all()]
        assert found == pytest.approx(values, abs=0.01)
        assert share(strip.locator(".mean"), strip) == pytest.approx(sum(values) / len(values), abs=0.01)
        assert share(strip.locator("circle.peer"), strip) == pytest.approx(RANDOM, abs=0.01)
        assert share(strip.locator("rect.peer"), strip) == pytest.approx(EDGES, abs=0.01)
        colours = pixels(strip)
        assert ((colours[..., 2] - colours[..., 0]) > 60).any(), "no dot is drawn"
        assert ((colours[..., 0] - colours[..., 2]) > 60).any(), "no peer is drawn"


def test_the_policy_that_the_service_sends_lets_it_show_itself(browser: Browser, address: str) -> None:
    seen, said = browser.new_page(), list[str]()
    seen.on("console", lambda message: said.append(message.text))
    content = Path(address.removeprefix("file://")).read_text()
    headers = {"Content-Type": "text/html", "Content-Security-Policy": POLICY}
    seen.route("**/*", lambda route: route.fulfill(body=content, headers=headers))
    seen.goto("https://rationale.test/page")
    assert said == []
    colours = pixels(seen.locator("td.strip > svg").first)
    assert ((colours[..., 2] - colours[..., 0]) > 60).any(), "no dot is drawn in its colour"


@pytest.mark.parametrize(("scheme", "is_dark"), [("light", False), ("dark", True)])
def test_ink_stands_out_from_paper(
    browser: Browser, address: str, scheme: Literal["light", "dark"], is_dark: bool
) -> None:
    shot = pixels(opened(browser, address, WIDTHS[0], scheme)).mean(axis=2)
    paper = np.median(shot)
    assert (paper < 60) == is_dark
    ink = shot.max() if is_dark else shot.min()
    assert abs(ink - paper) > 150
