"""The page finds out what decides a class: pictures, a causal graph, its nodes, its curves."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import httpx
import pytest
from playwright.sync_api import Browser, Route, expect

from jobs.errors import Failure, NotExplainable
from tests.api import LABELS, png
from tests.e2e import scenes
from tests.e2e.deciding import OF_CLASSES, chosen, folder, found, measured, opened, shares
from tests.e2e.page import DROP, PIXELS, Scheme, Scripted, Seen, seen
from tests.e2e.test_page import saved
from tests.e2e.test_page_access import tab_to
from tests.e2e.test_page_scripted import hold
from tests.surveys import NECESSARY
from workers.phantom.scenes import draw

EVIL = LABELS[-1]


@pytest.fixture
def window(browser: Browser, served: Scripted) -> Iterator[Seen]:
    with seen(browser, served.address) as window:
        yield window


def test_what_decides_a_class_from_pictures_to_curves(
    browser: Browser, address: str, client: httpx.Client, tmp_path: Path
) -> None:
    pictures = {
        f"{label}/{seed}.png": scenes.png(draw(9_200_000 + seed, finding=label))
        for label in ("nodule", "none")
        for seed in range(8)
    }
    with seen(browser, address) as window:
        section = opened(window)
        window.page.locator("input[webkitdirectory]").set_input_files(folder(tmp_path / "set", pictures))
        expect(section.locator(".counts li")).to_have_text(["nodule8", "none8"])
        found(window, "nodule")
        [document] = [
            client.get(f"/api/v1/analyses/{each['id']}").json()
            for each in window.page.evaluate("() => JSON.parse(localStorage['rationale.analyses'])")
        ]
        graph = client.get(document["links"]["result"]).json()
        expect(section.locator(".layer .name")).to_have_text([layer["name"] for layer in graph["layers"]])
        strongest = min(graph["layers"][-1]["nodes"], key=lambda node: node["effect"])
        section.locator(".sheet").focus()
        for key in ("End", "Home", "End"):
            window.page.keyboard.press(key)
        expect(section.locator(".node")).to_contain_text(
            f"{graph['layers'][-1]['name']}, node {strongest['index']} necessary"
        )
        expect(section.locator(".node dd").first).to_contain_text(f"{strongest['effect']:.3g}")
        for form in ("JSON", "GraphML", "PNG"):
            with window.page.expect_download() as download:
                section.get_by_role("button", name=form, exact=True).click()
            link = f"{document['links']['result']}.{form.lower()}"
            assert saved(download.value, tmp_path) == client.get(link).content

        layer = graph["layers"][-2]["name"]
        section.get_by_role("button", name=f"Layer {layer}:").click()
        expect(section.locator(".maps .panel[data-state=done] h3")).to_have_text(layer)
        assert max(section.locator(".maps canvas.map").evaluate(PIXELS)[5::4]) == 255  # opaque where most is
        fidelity = measured(window, "Is it so?").locator(".chart")
        expect(fidelity).to_have_count(3)
        assert shares(fidelity.first, "critical")[0] == pytest.approx(1.0)
        repair = measured(window, "Does repair help?")
        assert len(shares(repair.locator(".chart"), "whole")) == 11

        window.page.reload()
        window.ready()
        window.page.locator("#tab-decide").click()
        section.get_by_role("button", name="Show nodule, phantom-resnet").click()
        expect(section.locator(".sheet")).to_be_visible()
        expect(section.locator(".chart")).to_have_count(4)
        window.check_quiet()


def test_a_graph_is_read_by_keys_by_hand_and_as_tables(window: Seen, tmp_path: Path) -> None:
    section = opened(window)
    chosen(window, tmp_path)
    found(window, "nodule")
    node = section.locator(".node")
    tab_to(window, ".sheet")
    press = window.page.keyboard.press
    press("End")
    expect(node).to_contain_text("high, node 0 necessary")
    press("ArrowDown")
    expect(node).to_contain_text("high, node 1 distracting")
    press("ArrowLeft")
    expect(node).to_contain_text("middle, node 0 necessary")
    press("Home")
    expect(node).to_contain_text("low, node 3 necessary")
    expect(node).to_contain_text("-4 ± 0.1")
    expect(node).to_contain_text("middle 0 (0.25), middle 3 (0.25), high 0 (0.25)")
    box = section.locator(".sheet").bounding_box()
    assert box is not None
    places = window.page.evaluate(
        """async (room) => {
          const { layoutOf } = await import("/ui/causal-layout.js");
          const { id } = JSON.parse(localStorage["rationale.analyses"])[0];
          const graph = await (await fetch(`/api/v1/analyses/${id}/result`)).json();
          return layoutOf(graph, room).columns.map(({ spots }) => spots.map(({ x, y }) => [x, y]));
        }""",
        section.locator(".causal").evaluate("(each) => each.clientWidth"),
    )
    x, y = places[1][1]
    window.page.mouse.move(box["x"] + x + 2, box["y"] + y - 2)
    expect(node).to_contain_text("middle, node 0 necessary")
    section.locator("summary", has_text="All nodes with a role").click()
    tables = section.locator(".tables table")
    expect(tables).to_have_count(len(NECESSARY))
    rows = tables.nth(1).locator("tbody tr")
    expect(rows.locator("td:first-child")).to_have_text(["3", "0", "1"])
    expect(rows.locator("td:nth-child(2)")).to_have_text(["● necessary", "● necessary", "■ distracting"])
    window.check_quiet()


def test_a_layer_and_a_node_show_what_reaches_them(served: Scripted, window: Seen, tmp_path: Path) -> None:
    """Against the answers that are documented for the method."""
    asked: list[bytes] = []
    done = served.portal.call(lambda: served.stage.done(target="nodule"))
    document = served.portal.call(served.stage.client.get, f"/api/v1/explanations/{done}").json()
    filters = [{"part": "error", "layer": "low", "parent": 3, "node": 0, "strength": 0.25}]

    def with_method(route: Route) -> None:
        body = route.fetch().json()
        others = [card for card in body["methods"] if card["name"] != "causal"]
        route.fulfill(
            json={"methods": [*others, {**others[0], "name": "causal", "title": "Causal pathways"}]}
        )

    def answered(route: Route) -> None:
        asked.append(route.request.post_data_buffer or b"")
        target = document["targets"][0]
        target["map"]["details"] = {"filters": filters}
        route.fulfill(json={**document, "method": {**document["method"], "name": "causal"}})

    window.page.route("**/api/v1/methods", with_method)
    window.page.route("**/api/v1/explanations", answered)
    section = opened(window)
    chosen(window, tmp_path)
    found(window, "nodule")
    section.get_by_role("button", name="Layer middle").click()
    panels = section.locator(".maps .panel[data-state=done]")
    expect(panels).to_have_count(1)
    expect(panels.locator("h3")).to_have_text("middle")
    assert b'{"layer":"middle"}' in asked[0]
    assert b'name="target"\r\n\r\n2\r\n' in asked[0]
    assert b'filename="0.png"' in asked[0]  # the first of the class
    tab_to(window, ".sheet")
    for key in ("Home", "ArrowRight", "ArrowDown", "Enter"):
        window.page.keyboard.press(key)
    expect(panels).to_have_count(2)
    assert b'{"layer":"middle","filters":16}' in asked[1]
    expect(panels.nth(1).locator(".target")).to_have_text("from low 3, 0.25")
    section.get_by_role("button", name="Open among the maps").click()
    window.wait_for_maps(3)
    expect(window.page.locator("#grid .panel")).to_have_count(1)
    window.check_quiet()


def test_without_the_method_the_graph_is_there_all_the_same(window: Seen, tmp_path: Path) -> None:
    def without_method(route: Route) -> None:
        methods = [card for card in route.fetch().json()["methods"] if card["name"] != "causal"]
        route.fulfill(json={"methods": methods})

    window.page.route("**/api/v1/methods", without_method)
    section = opened(window)
    chosen(window, tmp_path)
    found(window, "nodule")
    expect(section.get_by_text("no method that draws what reaches a layer")).to_be_visible()
    section.get_by_role("button", name="Layer middle").click()
    expect(section.locator(".maps .panel")).to_have_count(0)
    window.check_quiet()


def test_a_graph_without_necessary_nodes_says_why_it_ends(window: Seen, tmp_path: Path) -> None:
    def without_necessary(route: Route) -> None:
        graph = route.fetch().json()
        for node in graph["layers"][-1]["nodes"]:
            node["role"] = None
        route.fulfill(json={**graph, "layers": graph["layers"][-1:]})

    section = opened(window)
    chosen(window, tmp_path)
    found(window, "nodule")
    words = section.get_by_text("No node stands out as necessary")
    expect(words).to_be_hidden()
    window.page.route("**/result", without_necessary)
    section.get_by_role("button", name="Show").click()
    expect(words).to_be_visible()
    window.check_quiet()


def test_an_analysis_that_runs_is_cancelled(served: Scripted, window: Seen, tmp_path: Path) -> None:
    section = opened(window)
    chosen(window, tmp_path)
    held = hold(served)
    window.page.get_by_label("Class", exact=True).select_option(label="nodule")
    window.page.get_by_role("button", name="Find what decides").click()
    expect(section.locator("progress")).to_be_visible()
    section.get_by_role("button", name="Cancel What decides nodule").click()
    expect(section.locator(".running .state")).to_have_text("It was cancelled.")
    expect(section.locator(".earlier")).to_have_text("Nothing yet.")
    served.portal.call(held.set)
    window.check_quiet()


def test_what_is_wrong_is_said_where_it_is(served: Scripted, window: Seen, tmp_path: Path) -> None:
    section = opened(window)
    ask = window.page.get_by_role("button", name="Find what decides")
    ask.click()
    expect(section.locator(".problem").first).to_contain_text("choose some first")
    (tmp_path / "1.png").write_bytes(png())
    (tmp_path / "2.png").write_bytes(b"no picture")
    picker = section.locator("input[type=file]").first
    picker.set_input_files([tmp_path / "1.png", tmp_path / "2.png"])
    ask.click()
    expect(section.locator(".problem").first).to_contain_text("images.2.png")
    chosen(window, tmp_path)
    section.get_by_label("level", exact=True).fill("2")
    ask.click()
    field = section.locator("[data-field='params.level']")
    expect(field).to_contain_text("(above 0, below 0.5)")
    expect(field.locator(".problem")).to_be_visible()
    section.get_by_label("level", exact=True).fill("0.01")
    served.stage.worker.failure = Failure.of(NotExplainable("It has no layer with nodes."))
    window.page.get_by_label("Class", exact=True).select_option(label="mass")
    ask.click()
    expect(section.locator(".running .state")).to_contain_text("It has no layer with nodes.")
    window.check_quiet(refusals=True)


@pytest.mark.parametrize("way", ["drop", "pick"])
def test_an_archive_names_its_own_classes(served: Scripted, window: Seen, tmp_path: Path, way: str) -> None:
    archive = io.BytesIO()
    with ZipFile(archive, "w") as file:
        for number, label in enumerate(OF_CLASSES):
            file.writestr(f"{label}/{number}.png", png(number))
    section = opened(window)
    if way == "drop":
        text = base64.b64encode(archive.getvalue()).decode()
        section.locator(".drop").evaluate(DROP, [text, "set.zip", "application/zip", "drop"])
    else:
        (tmp_path / "set.zip").write_bytes(archive.getvalue())
        section.locator("input[type=file]").first.set_input_files(tmp_path / "set.zip")
    expect(section.get_by_text("set.zip; its folders or labels name the classes.")).to_be_visible()
    expect(section.get_by_label("Their classes")).to_be_disabled()
    found(window, "nodule")
    assert len(served.stage.worker.seen[-1].survey) == OF_CLASSES.count("nodule")
    expect(window.page.locator("#image-name")).to_be_empty()  # what was dropped is no image to explain
    window.check_quiet()


def test_labels_of_a_file_count_and_stay_text(window: Seen, tmp_path: Path) -> None:
    section = opened(window)
    pictures = {f"{number}.png": png(number) for number in range(4)}
    labels = {"0.png": EVIL, "1.png": EVIL, "3.png": "nodule"}
    pictures["labels.json"] = json.dumps(labels).encode()
    pictures["notes.txt"] = b"left out"
    window.page.locator("input[webkitdirectory]").set_input_files(folder(tmp_path / "set", pictures))
    expect(section.locator(".counts li")).to_have_text([f"{EVIL}2", "without a class1", "nodule1"])
    expect(section.get_by_text("1 other files are left out")).to_be_visible()
    found(window, EVIL)
    expect(section.get_by_role("heading", name=f"What decides {EVIL}")).to_be_visible()
    expect(section.locator(".class-name")).to_have_text(EVIL)
    expect(section.locator(".earlier .what")).to_have_text(f"{EVIL}, tiny")
    section.get_by_label("Their classes").select_option(label="all are mass")
    expect(section.locator(".counts li")).to_have_text(["mass4"])
    expect(section.get_by_label("Class", exact=True)).to_have_value(str(LABELS.index("mass")))
    window.check_quiet()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_nothing_hinders_those_who_cannot_see_or_point(
    browser: Browser, served: Scripted, tmp_path: Path, width: int, scheme: Scheme
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    with seen(browser, served.address, width=width, scheme=scheme) as window:
        opened(window)
        chosen(window, tmp_path)
        found(window, "nodule")
        measured(window, "Is it so?")
        measured(window, "Does repair help?")
        for summary in window.page.locator("summary").locator("visible=true").all():
            summary.click()
        violations = axe.run(window.page).response["violations"]
        serious = [
            (each["id"], node["html"][:200])
            for each in violations
            if each["impact"] in {"serious", "critical"}
            for node in each["nodes"]
        ]
        assert serious == []
        assert window.page.evaluate("document.documentElement.scrollWidth") <= width
        window.check_quiet()
