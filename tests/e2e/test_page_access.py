"""The page can be used by everybody: by the keyboard alone, read aloud, wide and narrow, light and dark."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from tests.api import png
from tests.e2e.page import WIDTHS, Scheme, Scripted, Seen, seen

SERIOUS = {"serious", "critical"}


def explained(window: Seen) -> None:
    """One map with a metric, everything unfolded."""
    window.open()
    window.drop(png(side=64))
    expect(window.page.locator("#predictions li")).to_have_count(1)
    window.page.locator("#trust-metrics > summary").click()
    window.page.locator("#metrics summary", has_text="faithfulness").click()
    window.page.get_by_label("Deletion", exact=True).check()
    window.explain()
    window.wait_for_maps(1)
    for summary in window.page.locator("summary").locator("visible=true").all():
        if not summary.evaluate("(each) => each.parentElement.open"):
            summary.click()


def tab_to(window: Seen, selector: str) -> None:
    """Press Tab until the element has the focus."""
    for _ in range(300):
        if window.page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
        window.page.keyboard.press("Tab")
    pytest.fail(f"Tab never reaches {selector}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_hinders_those_who_cannot_see_or_point(
    browser: Browser, served: Scripted, width: int, scheme: Scheme
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    with seen(browser, served.address, width=width, scheme=scheme) as window:
        explained(window)
        for tab in ("explain", "jobs", "operations"):
            window.page.locator(f"#tab-{tab}").click()
            expect(window.page.locator(f"#{tab}")).to_be_visible()
            found = axe.run(window.page).response["violations"]
            serious = [
                (each["id"], node["html"][:200])
                for each in found
                if each["impact"] in SERIOUS
                for node in each["nodes"]
            ]
            assert serious == []


@pytest.mark.parametrize("width", WIDTHS)
def test_every_part_fits_the_window(browser: Browser, served: Scripted, width: int) -> None:
    with seen(browser, served.address, width=width) as window:
        explained(window)
        for tab in ("jobs", "operations", "explain"):
            window.page.locator(f"#tab-{tab}").click()
            expect(window.page.locator(f"#{tab}")).to_be_visible()
            assert window.page.evaluate("document.documentElement.scrollWidth") <= width
        window.check_quiet()


@pytest.mark.parametrize(("scheme", "is_dark"), [("light", False), ("dark", True)])
def test_ink_stands_out_from_paper(browser: Browser, served: Scripted, scheme: Scheme, is_dark: bool) -> None:
    with seen(browser, served.address, scheme=scheme) as window:
        window.open()
        colours = window.page.evaluate(
            "() => ['color', 'backgroundColor'].map((name) => getComputedStyle(document.body)[name])"
        )
        ink, paper = (np.mean([int(part) for part in each[4:-1].split(",")]) for each in colours)
        assert (paper < 60) == is_dark
        assert abs(ink - paper) > 150


def test_the_keyboard_is_enough(browser: Browser, served: Scripted, tmp_path: Path) -> None:
    """But for the choice of a file, which is the browser's own window: a drawn radiograph is taken."""
    with seen(browser, served.address) as window:
        window.open()
        press = window.page.keyboard.press
        tab_to(window, ".phantom")
        press("Enter")
        expect(window.page.locator("#predictions li")).to_have_count(1)
        tab_to(window, "#predictions input")
        press("Space")
        tab_to(window, "#methods details:first-of-type summary")
        press("Enter")
        tab_to(window, "#methods input[value=saliency]")
        press("Space")
        tab_to(window, "#run")
        press("Enter")
        window.wait_for_maps(2)
        tab_to(window, "#opacity")
        press("Home")
        expect(window.page.locator("#opacity-value")).to_have_text("0.00")
        press("End")
        tab_to(window, ".stage")
        press("ArrowRight")
        expect(window.page.locator(".readout").first).to_contain_text("value")
        press("+")
        expect(window.page.locator("#zoom-value")).to_have_text("150 %")
        press("0")
        expect(window.page.locator("#zoom-value")).to_have_text("100 %")
        tab_to(window, ".facts summary")
        press("Enter")
        expect(window.page.locator(".facts details").first).to_have_attribute("open", "")
        window.check_quiet()
