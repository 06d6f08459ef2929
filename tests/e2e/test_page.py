"""The page explains: an image comes in, methods are chosen, maps appear, and a link opens them again."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Download, expect

from app.rendering.palettes import colours
from tests.e2e.page import WIDTHS, Pixels, Seen, seen
from tests.e2e.scenes import nodule, png

METHODS = ("grad-cam", "integrated-gradients", "occlusion")
SIDE = 96
ROUNDING = 2  # grey levels
COUNT_PAINTED = """() => {
  window.painted = 0;
  const put = CanvasRenderingContext2D.prototype.putImageData;
  CanvasRenderingContext2D.prototype.putImageData = function (...rest) {
    window.painted += 1;
    put.apply(this, rest);
  };
}"""


@pytest.fixture
def window(browser: Browser, address: str) -> Iterator[Seen]:
    with seen(browser, address) as window:
        yield window
        window.check_quiet()


def explained(client: httpx.Client, *specs: dict[str, Any]) -> list[dict[str, Any]]:
    """Finished explanations of the same image, asked for without the page."""
    form = {"model": "phantom-resnet", "specs": json.dumps(specs)}
    answer = client.post(
        "/api/v1/explanations:batch",
        files={"image": png(nodule())},
        data=form,
        headers={"Prefer": "wait=50"},
    )
    found: list[dict[str, Any]] = answer.json()["explanations"]
    assert {each["state"] for each in found} == {"done"}
    return found


def shown(window: Seen, documents: list[dict[str, Any]], more: str = "") -> None:
    window.open("#show=" + ",".join(each["id"] for each in documents) + more)
    window.wait_for_maps(sum(len(each["targets"]) for each in documents))


def picture(client: httpx.Client, path: str, **options: str | float) -> Pixels:
    answer = client.get(path, params=options)
    assert answer.is_success, answer.text
    with Image.open(io.BytesIO(answer.content)) as found:
        return np.asarray(found.convert("RGB"), dtype=np.int64)


def saved(download: Download, folder: Path) -> bytes:
    path = folder / download.suggested_filename
    download.save_as(path)
    return path.read_bytes()


@pytest.mark.parametrize("width", WIDTHS)
def test_a_dropped_image_is_explained_by_three_methods(browser: Browser, address: str, width: int) -> None:
    with seen(browser, address, width=width) as window:
        window.open()
        window.drop(png(nodule()))
        expect(window.page.locator("#predictions li")).to_have_count(4)
        expect(window.page.locator("#predictions li").first).to_contain_text("nodule")
        window.choose(*METHODS)
        window.explain()
        window.wait_for_maps(len(METHODS))
        for place in range(len(METHODS)):
            assert window.painted(place)[..., 3].max() == 255
        assert window.page.evaluate("document.documentElement.scrollWidth") <= width
        window.check_quiet()


def test_a_drawn_radiograph_and_a_picked_file_will_do_as_well(window: Seen) -> None:
    window.open()
    window.page.get_by_role("button", name="Drawn radiograph: calcifications").click()
    expect(window.page.locator("#predictions li").first).to_contain_text("calcifications")
    window.page.locator("#image").set_input_files(
        {"name": "picked.png", "mimeType": "image/png", "buffer": png(nodule())}
    )
    expect(window.page.locator("#predictions li").first).to_contain_text("nodule")
    expect(window.page.locator("#image-name")).to_contain_text("picked.png")


def test_a_pasted_picture_will_do_as_well(window: Seen) -> None:
    window.open()
    window.drop(png(nodule()), event="paste")
    expect(window.page.locator("#predictions li").first).to_contain_text("nodule")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"clip": 75.0, "palette": "viridis"},
        {"sign": "negative", "palette": "vik"},
        {"sign": "absolute", "clip": 100.0},
        {"sign": "positive", "clip": 90.0, "palette": "magma"},
    ],
)
def test_its_pixels_are_those_of_the_services_picture(
    window: Seen, client: httpx.Client, options: dict[str, str | float]
) -> None:
    documents = explained(client, {"method": "integrated-gradients"}, {"method": "grad-cam"})
    words = "".join(f"&{name}={value}" for name, value in options.items())
    shown(window, documents, f"{words}&alone=1")
    for place, document in enumerate(documents):
        theirs = picture(client, document["targets"][0]["links"]["heatmap"], **options)
        ours = window.painted(place)
        assert ours.shape == (SIDE, SIDE, 4)
        assert (ours[..., 3] == 255).all()
        np.testing.assert_allclose(ours[..., :3], theirs, atol=ROUNDING)


def test_the_overlay_looks_like_the_services(window: Seen, client: httpx.Client) -> None:
    [document] = explained(client, {"method": "grad-cam"})
    shown(window, [document], "&opacity=0.5")
    ours = window.shot()
    theirs = picture(client, document["targets"][0]["links"]["overlay"], opacity=0.5)
    large = np.asarray(
        Image.fromarray(theirs.astype(np.uint8)).resize(ours.shape[1::-1], Image.Resampling.BILINEAR)
    )
    plain = picture(client, document["targets"][0]["links"]["overlay"], opacity=0.0)
    assert np.abs(ours - large).mean() < 3.0 < np.abs(plain - theirs).mean()


def test_opacity_changes_the_picture_and_paints_nothing(window: Seen, client: httpx.Client) -> None:
    shown(window, explained(client, *({"method": name} for name in METHODS)))
    before = [window.shot(place) for place in range(len(METHODS))]
    window.page.evaluate(COUNT_PAINTED)
    window.slide("#opacity", 0.1)
    after = [window.shot(place) for place in range(len(METHODS))]
    assert window.page.evaluate("() => window.painted") == 0
    assert all(np.abs(one - other).max() > 30 for one, other in zip(before, after, strict=True))
    window.page.locator("#palette").select_option("viridis")
    expect(window.page.locator("#palette")).to_have_value("viridis")
    window.page.evaluate("() => new Promise(requestAnimationFrame)")
    assert window.page.evaluate("() => window.painted") == len(METHODS)


def test_another_class_is_another_map(window: Seen) -> None:
    window.open()
    window.drop(png(nodule()))
    for label in ("nodule", "calcifications"):
        window.page.locator("#predictions").get_by_label(label, exact=True).check()
    window.choose("integrated-gradients")
    window.explain()
    window.wait_for_maps(2)
    expect(window.page.locator(".panel .target")).to_have_text(["nodule", "calcifications"])
    assert np.abs(window.painted(0) - window.painted(1)).max() > 100


def test_parameters_reach_the_method(window: Seen) -> None:
    window.open()
    window.drop(png(nodule()))
    window.choose("occlusion")
    window.page.locator("#methods summary", has_text="Parameters").locator("visible=true").click()
    window.page.get_by_label("window", exact=True).fill("32")
    window.page.get_by_label("baseline", exact=True).locator("visible=true").fill("blur")
    window.explain()
    window.wait_for_maps(1)
    window.page.locator("summary", has_text="Provenance").click()
    expect(window.page.locator("dd", has_text="occlusion")).to_contain_text('"window":32')
    expect(window.page.locator("dd", has_text="occlusion")).to_contain_text('"baseline":"blur"')


def test_metrics_stand_beside_their_peers_with_findings(window: Seen) -> None:
    window.open()
    window.drop(png(nodule()))
    window.page.locator("#trust-metrics > summary").click()
    window.page.locator("#metrics summary", has_text="faithfulness").click()
    window.page.get_by_label("Deletion", exact=True).check()
    window.explain()
    window.wait_for_maps(1)
    window.page.locator(".facts summary", has_text="Trust").click()
    expect(window.page.locator(".findings")).to_contain_text("12 x 12")
    rows = window.page.locator(".measured")
    assert [row.locator("span").first.text_content() for row in rows.all()] == [
        "this map",
        "random map",
        "edges",
    ]
    lengths = [row.locator(".length").bounding_box() for row in rows.all()]
    own, random, edges = (box["width"] for box in lengths if box)
    assert own < edges < random  # lower is better


def test_a_difference_is_one_map_less_the_other(window: Seen, client: httpx.Client) -> None:
    documents = explained(client, {"method": "integrated-gradients"}, {"method": "occlusion"})
    shown(window, documents, "&alone=1&clip=100")
    window.page.locator("#compare").click()
    window.wait_for_maps(3)
    maps = [
        np.load(io.BytesIO(client.get(each["targets"][0]["links"]["heatmap"] + "&format=npy").content))
        for each in documents
    ]
    units = [np.quantile(np.abs(values), 0.99, method="inverted_cdf") for values in maps]
    wanted = maps[0] / units[0] - maps[1] / units[1]
    levels = np.rint(255 * wanted / np.abs(wanted).max()).astype(int) + 255
    colours_wanted = colours("cet-d1", signed=True)[levels].astype(int)
    np.testing.assert_allclose(window.painted(2)[..., :3], colours_wanted, atol=ROUNDING)
    expect(window.page).to_have_url(re.compile("differences="))


@pytest.mark.parametrize(
    ("button", "query"), [("NPY", "format=npy"), ("JSON", "format=json"), ("PNG", "format=png&clip=90")]
)
def test_a_download_is_the_services_bytes(
    window: Seen, client: httpx.Client, tmp_path: Path, button: str, query: str
) -> None:
    [document] = explained(client, {"method": "grad-cam"})
    shown(window, [document], "&clip=90")
    with window.page.expect_download() as download:
        window.page.locator(".files").get_by_role("button", name=button, exact=True).click()
    path = f"{document['targets'][0]['links']['heatmap']}&{query}"
    assert saved(download.value, tmp_path) == client.get(path).content


def test_its_address_opens_the_same_view_again(browser: Browser, window: Seen, client: httpx.Client) -> None:
    documents = explained(client, {"method": "integrated-gradients"}, {"method": "grad-cam"})
    shown(window, documents)
    window.slide("#opacity", 0.4)
    window.page.locator("#sign").select_option("positive")
    window.page.get_by_label("Contour", exact=True).check()
    window.page.locator("#compare").click()
    window.page.get_by_role("button", name="Zoom in").click()
    expect(window.page).to_have_url(re.compile(r"opacity=0\.4.*view="))
    with seen(browser, window.address) as other:
        other.page.goto(window.page.url)
        other.wait_for_maps(3)
        expect(other.page.locator("#opacity")).to_have_value("0.4")
        expect(other.page.locator("#zoom-value")).to_have_text("150 %")
        for place in range(3):
            np.testing.assert_array_equal(other.painted(place), window.painted(place))
            assert np.abs(other.shot(place) - window.shot(place)).mean() < 1.0
        other.check_quiet()


def test_zoom_pan_and_cursor_are_those_of_all_panels(window: Seen, client: httpx.Client) -> None:
    documents = explained(client, {"method": "integrated-gradients"}, {"method": "grad-cam"})
    shown(window, documents)
    maps = [
        np.load(io.BytesIO(client.get(each["targets"][0]["links"]["heatmap"] + "&format=npy").content))
        for each in documents
    ]
    box = window.page.locator(".stage").first.bounding_box()
    assert box is not None
    window.page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.7 * box["height"])
    readings = window.page.locator(".readout")
    for place, values in enumerate(maps):
        value = float(f"{values[int(0.7 * SIDE), int(0.4 * SIDE)]:.3g}")
        expect(readings.nth(place)).to_have_text(f"value {np.format_float_positional(value, trim='-')}")
    before = [window.shot(place) for place in range(2)]
    window.page.mouse.dblclick(box["x"] + 0.4 * box["width"], box["y"] + 0.7 * box["height"])
    expect(window.page.locator("#zoom-value")).to_have_text("200 %")
    assert all(np.abs(window.shot(place) - before[place]).mean() > 3 for place in range(2))
    value = float(f"{maps[0][int(0.7 * SIDE), int(0.4 * SIDE)]:.3g}")
    expect(readings.first).to_have_text(f"value {np.format_float_positional(value, trim='-')}")
