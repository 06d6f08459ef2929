"""The page puts a causal graph to use: its reliability, fidelity and repair, and models out of that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.deciding import chosen, found, measured, opened, shares
from tests.e2e.page import Scripted, Seen, seen

FIRST = 1 / 3  # of the nodules, which stand last by name, the script sees one


@pytest.fixture
def window(browser: Browser, served: Scripted) -> Iterator[Seen]:
    with seen(browser, served.address) as window:
        yield window


def test_the_curves_are_those_of_the_service(window: Seen, tmp_path: Path) -> None:
    opened(window)
    chosen(window, tmp_path)
    found(window, "nodule")
    part = measured(window, "Is it so?")
    charts = part.locator(".chart")
    expect(charts).to_have_count(3)
    assert shares(charts.nth(0), "critical") == pytest.approx([FIRST] + [0.0] * 6)
    charts.nth(0).focus()
    window.page.keyboard.press("ArrowRight")
    window.page.keyboard.press("ArrowRight")
    expect(part.locator(".reading")).to_contain_text("1 of each layer, 3 nodes in all: of the class 0 %")
    part.locator("summary", has_text="The figures").click()
    expect(part.locator("tbody tr").nth(0).locator("td").nth(2)).to_have_text("33 %")
    repair = measured(window, "Does repair help?")
    expect(repair.locator(".reading")).to_contain_text("The best: ")
    assert shares(repair.locator(".chart"), "critical")[0] == pytest.approx(FIRST)
    window.check_quiet()


def test_how_steadily_nodes_are_found_is_seen(window: Seen, tmp_path: Path) -> None:
    opened(window)
    chosen(window, tmp_path)
    found(window, "nodule")
    part = window.page.locator(".part", has=window.page.get_by_role("heading", name="Is it steady?"))
    part.locator("summary", has_text="Parameters").click()
    expect(part.locator(".field")).to_have_count(4)  # what the graph settles is not asked for again
    part.get_by_label("runs", exact=True).fill("3")
    measured(window, "Is it steady?")
    assert shares(part.locator(".chart"), "critical") == pytest.approx([1.0, 0.8, 0.8])
    part.locator(".chart").focus()
    window.page.keyboard.press("End")
    expect(part.locator(".reading")).to_have_text(
        "Weakened to at most 0.90: 4 necessary nodes, 80 % agree with removal."
    )
    expect(part.locator(".hint", has_text="3 runs")).to_contain_text(
        "of 5 nodes that were ever necessary, 80 %"
    )
    part.locator("summary", has_text="How often nodes are found").click()
    expect(part.locator("tbody").first.locator("tr").last).to_have_text("more than 90 % to 100 %4")
    part.locator("summary", has_text="The nodes").click()
    expect(part.locator("tbody").last.locator("td:last-child").first).to_have_text("0 (100 %), 3 (33 %)")
    window.check_quiet()


def test_a_share_of_a_repair_becomes_a_model_of_the_menus(
    served: Scripted, window: Seen, tmp_path: Path
) -> None:
    section = opened(window)
    chosen(window, tmp_path)
    found(window, "nodule")
    part = measured(window, "Does repair help?")
    part.get_by_label("Share", exact=True).select_option("0.5")
    part.get_by_role("button", name="Make this a model").click()
    title = "Tiny, repaired at 50 % for nodule"
    said = part.get_by_role("status").filter(has_text="among the models")
    expect(said).to_contain_text(title)
    [repair] = served.portal.call(served.stage.client.get, "/api/v1/repairs").json()["repairs"]
    kept = window.page.evaluate("() => JSON.parse(localStorage['rationale.analyses'])")
    assert (repair["analysis"], repair["share"]) == (kept[0]["id"], 0.5)
    expect(said).to_contain_text(repair["model"]["id"])
    for menu in (section.get_by_label("Model", exact=True), window.page.locator("#model")):
        expect(menu.locator("option")).to_have_text(["Tiny", title])
    window.check_quiet()
