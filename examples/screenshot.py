"""`python -m examples.screenshot`: the picture of the page for the README, taken of a real service."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect

from app.session import private_service
from examples.browser import chromium

OUTPUT = Path(__file__).parents[1] / "docs" / "images" / "page.png"
SIZE = (1280, 800)
COLOURS = 256
METHODS = ("grad-cam", "integrated-gradients", "occlusion")
SECONDS = 120


def main() -> None:
    """Explain a drawn radiograph with three methods and a metric, and save what is seen."""
    expect.set_options(timeout=SECONDS * 1000)
    with chromium() as browser, private_service() as address:
        width, height = SIZE
        page = browser.new_page(viewport={"width": width, "height": height})
        page.goto(address)
        explain(page)
        OUTPUT.write_bytes(small_png(page.screenshot()))
    print(f"Picture: {OUTPUT}, {OUTPUT.stat().st_size} bytes")


def explain(page: Page) -> None:
    """The steps of a reader, and the view that is worth a picture."""
    page.get_by_role("button", name="Drawn radiograph: nodule").click()
    expect(page.locator("#predictions li").first).to_contain_text("nodule")
    for method in METHODS:
        page.locator("#filter").fill(method)
        page.locator(f"#methods input[value='{method}']").check()
    page.locator("#filter").fill("")
    page.locator("#trust-metrics > summary").click()
    page.locator("#metrics summary", has_text="faithfulness").click()
    page.locator("#metrics input[value='deletion']").check()
    page.get_by_role("button", name="Explain with").click()
    expect(page.locator(".panel[data-state=done]")).to_have_count(len(METHODS))
    for summary in page.locator(".facts summary", has_text="Trust").all():
        summary.click()
    page.locator("#ask").evaluate("(form) => form.scrollTo(0, 0)")
    page.locator(".stage").first.hover(position={"x": 90, "y": 110})
    expect(page.locator(".readout").first).to_contain_text("value")


def small_png(shot: bytes) -> bytes:
    """The picture in few colours."""
    target = io.BytesIO()
    with Image.open(io.BytesIO(shot)) as picture:
        few = picture.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, kmeans=2)
        few.save(target, "PNG", optimize=True)
    return target.getvalue()


if __name__ == "__main__":
    main()
