"""The tab of the page that finds out what decides a class, and the steps that its tests share."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Locator, expect

from tests.api import png
from tests.e2e.page import Seen

OF_CLASSES = ("nodule", "nodule", "nodule", "mass", "mass", "mass")


def opened(window: Seen) -> Locator:
    """The section, on a page that is opened anew."""
    window.open()
    window.page.locator("#tab-decide").click()
    expect(window.page.get_by_role("button", name="Find what decides")).to_be_visible()
    return window.page.locator("#decide")


def folder(root: Path, pictures: dict[str, bytes]) -> str:
    """A folder with these files."""
    for name, content in pictures.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return str(root)


def chosen(window: Seen, root: Path) -> None:
    """Pick six pictures that stand in folders of their classes."""
    pictures = {f"{label}/{number}.png": png(number) for number, label in enumerate(OF_CLASSES)}
    window.page.locator("input[webkitdirectory]").set_input_files(folder(root / "set", pictures))


def found(window: Seen, label: str) -> None:
    """Ask what decides a class, and wait for the graph."""
    window.page.get_by_label("Class", exact=True).select_option(label=label)
    window.page.get_by_role("button", name="Find what decides").click()
    expect(window.page.locator(".sheet")).to_be_visible()


def measured(window: Seen, title: str) -> Locator:
    part = window.page.locator(".part", has=window.page.get_by_role("heading", name=title))
    part.get_by_role("button", name="Measure").click()
    expect(part.locator(".chart").first).to_be_visible()
    return part


def shares(chart: Locator, style: str) -> list[float]:
    """The values of a line of a chart, from 0 to 1, as they are drawn."""
    rules = sorted(float(rule.get_attribute("y1") or "") for rule in chart.locator(".rule").all())
    points = (chart.locator(f"polyline.{style}").get_attribute("points") or "").split()
    return [(rules[-1] - float(point.split(",")[1])) / (rules[-1] - rules[0]) for point in points]
