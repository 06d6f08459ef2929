"""The page against a worker that follows a script: progress, drafts, cancelling, refusals, keys, labels."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Route, expect

from app.access import Scope
from jobs.errors import Failure, NotExplainable
from jobs.keys import Keys
from tests.api import LABELS, bearer, draft_of, png
from tests.e2e.page import Scripted, Seen, scripted, seen
from tests.waiting import wait_until

EVIL = LABELS[-1]
SAMPLES = 7


@pytest.fixture
def window(browser: Browser, served: Scripted) -> Iterator[Seen]:
    with seen(browser, served.address) as window:
        window.open()
        yield window


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def key_of(keys_file: Path, tenant: str, scope: Scope = Scope.TENANT) -> str:
    return bearer(keys_file, tenant, scope)["Authorization"].removeprefix("Bearer ")


def hold(served: Scripted) -> asyncio.Event:
    """Keep every job running from now on, until the event is set."""
    worker = served.stage.worker
    worker.hold = served.portal.call(asyncio.Event)
    return worker.hold


def run(window: Seen) -> None:
    """Ask for one map of a small picture."""
    window.drop(png())
    expect(window.page.locator("#predictions li")).to_have_count(1)
    window.explain()


def test_progress_and_drafts_are_shown_as_they_come(served: Scripted, window: Seen) -> None:
    window.drop(png())
    expect(window.page.locator("#predictions li")).to_have_count(1)
    held = hold(served)
    window.explain()
    panel = window.page.locator(".panel")
    expect(panel).to_have_attribute("data-state", "running")
    expect(panel.locator(".state")).to_have_text("running, 50 %")
    claim = served.stage.worker.held[-1]
    draft: Any = draft_of(claim.job, SAMPLES)
    assert served.portal.call(served.stage.worker.queue.draft, claim, 0.75, *draft)
    expect(panel.locator(".state")).to_have_text("running, 75 %")
    expect(panel.locator("img.base")).to_be_visible()
    wait_until(lambda: window.painted()[..., 3].min() == 255, what="the draft, all of one value")
    served.portal.call(held.set)
    window.wait_for_maps(1)
    assert window.painted()[..., 3].min() < 255
    window.check_quiet()


def test_a_line_that_is_cut_is_taken_up_again(served: Scripted, window: Seen) -> None:
    window.drop(png())
    expect(window.page.locator("#predictions li")).to_have_count(1)
    cuts: list[Route] = []

    def cut_once(route: Route) -> None:
        if cuts:
            route.continue_()
        else:
            cuts.append(route)
            route.abort()

    window.page.route("**/events", cut_once)
    window.explain()
    window.wait_for_maps(1)
    assert len(cuts) == 1
    window.check_quiet(refusals=True)


def test_a_running_job_is_cancelled(served: Scripted, window: Seen) -> None:
    window.drop(png())
    expect(window.page.locator("#predictions li")).to_have_count(1)
    held = hold(served)
    window.explain()
    window.page.locator(".panel").get_by_role("button", name="Cancel").click()
    expect(window.page.locator(".panel .state")).to_have_text("It was cancelled.")
    served.portal.call(held.set)
    window.page.locator(".panel").get_by_role("button", name="Close").click()
    expect(window.page.locator(".panel")).to_have_count(0)
    window.check_quiet()


def test_a_wrong_file_shows_its_reason(window: Seen) -> None:
    window.drop(b"no picture at all", "letter.txt", "text/plain")
    expect(window.page.locator("#predictions-state")).to_contain_text("image")
    window.explain()
    expect(window.page.locator("#image-problem")).to_be_visible()
    expect(window.page.locator("#image")).to_have_attribute("aria-invalid", "true")
    expect(window.page.locator(".panel")).to_have_count(0)
    window.drop(png())
    expect(window.page.locator("#image-problem")).to_be_hidden()
    window.check_quiet(refusals=True)


def test_without_an_image_or_a_method_it_says_what_is_missing(window: Seen) -> None:
    window.choose()
    window.explain()
    expect(window.page.locator("#image-problem")).to_have_text("Choose an image first.")
    expect(window.page.get_by_text("Choose at least one method.")).to_be_visible()
    window.check_quiet()


def test_a_wrong_parameter_is_explained_beside_its_control(window: Seen) -> None:
    window.drop(png())
    window.choose("occlusion")
    window.page.locator("#methods summary", has_text="Parameters").locator("visible=true").click()
    field = window.page.locator("[data-field='params.window']").locator("visible=true")
    field.locator("input").fill("0")
    window.explain()
    expect(field.locator(".problem")).to_contain_text("0 is")
    expect(field.locator("input")).to_have_attribute("aria-invalid", "true")
    expect(window.page.locator("#image-problem")).to_be_hidden()
    window.check_quiet(refusals=True)


def test_a_metric_that_needs_a_mask_asks_for_one(served: Scripted, window: Seen) -> None:
    window.drop(png())
    window.page.locator("#trust-metrics > summary").click()
    expect(window.page.locator("#mask")).to_be_hidden()
    window.page.locator("#metrics summary", has_text="localisation").click()
    window.page.get_by_label("Pointing game", exact=True).check()
    window.explain()
    expect(window.page.locator("#mask .problem")).to_contain_text("is required")
    window.page.locator("#mask input").set_input_files(
        {"name": "mask.png", "mimeType": "image/png", "buffer": png(1)}
    )
    window.explain()
    window.wait_for_maps(1)
    assert served.stage.worker.seen[-1].mask is not None
    window.page.locator(".facts summary", has_text="Trust").click()
    expect(window.page.locator(".measurement")).to_contain_text("pointing-game")
    window.check_quiet(refusals=True)


def test_a_method_that_needs_a_reference_asks_for_one(served: Scripted, window: Seen) -> None:
    window.drop(png())
    window.choose("counterfactual-region")
    window.explain()
    field = window.page.locator("[data-field='reference']")
    expect(field.locator(".problem")).to_contain_text("is required")
    field.locator("input").set_input_files(
        {"name": "reference.png", "mimeType": "image/png", "buffer": png(1)}
    )
    window.explain()
    window.wait_for_maps(1)
    assert served.stage.worker.seen[-1].reference is not None
    window.check_quiet(refusals=True)


def test_what_is_smuggled_into_the_page_is_not_run(window: Seen) -> None:
    window.page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.smuggled = true";
          const picture = document.createElement("div");
          picture.innerHTML = "<img src=/ui/icon.svg onload='window.smuggled = true'>";
          document.body.append(script, picture);
          return picture.firstChild.decode();
        }"""
    )
    assert window.page.evaluate("() => window.smuggled") is None
    assert any("Content Security Policy" in line for line in window.said)


def test_a_job_that_fails_says_why(served: Scripted, window: Seen) -> None:
    window.drop(png())
    expect(window.page.locator("#predictions li")).to_have_count(1)
    served.stage.worker.failure = Failure.of(NotExplainable("It has no layer with a grid."))
    window.explain()
    expect(window.page.locator(".panel .state")).to_contain_text("It has no layer with a grid.")
    expect(window.page.locator(".panel progress")).to_be_hidden()
    window.check_quiet()


def test_labels_stay_text(window: Seen) -> None:
    window.drop(png())
    expect(window.page.locator("#predictions li")).to_have_count(1)
    window.page.get_by_label("Another class").fill(EVIL)
    window.page.get_by_role("button", name="Add").click()
    expect(window.page.locator("#predictions label").last).to_have_text(EVIL)
    window.explain()
    window.wait_for_maps(1)
    expect(window.page.locator(".panel .target")).to_have_text(EVIL)
    for title in ("Trust", "Predictions", "Provenance"):
        window.page.locator(".facts summary", has_text=title).click()
    assert window.page.locator("img[src='x']").count() == 0
    window.check_quiet()


def test_a_class_that_is_none_is_refused_at_once(window: Seen) -> None:
    window.page.get_by_label("Another class").fill("unicorn")
    window.page.get_by_label("Another class").press("Enter")
    expect(window.page.locator("#target-problem")).to_have_text("unicorn is no class of the model.")


def test_jobs_are_listed_shown_and_erased(served: Scripted, window: Seen) -> None:
    run(window)
    window.wait_for_maps(1)
    window.page.reload()
    window.ready()
    window.wait_for_maps(1)
    window.page.locator(".panel").get_by_role("button", name="Close").click()
    window.page.locator("#tab-jobs").click()
    rows = window.page.locator("#jobs-body tr")
    expect(rows).to_have_count(2)  # the question for the predictions is a job, too
    row = rows.filter(has_text="grad-cam")
    expect(row.locator(".job-state")).to_have_text("done")
    row.get_by_role("button", name="Show").click()
    window.wait_for_maps(1)
    window.page.locator("#tab-jobs").click()
    row.get_by_role("button", name="Erase").click()
    expect(row).to_have_count(0)
    rows.get_by_role("button", name="Erase").click()
    expect(window.page.locator("#jobs-none")).to_be_visible()
    window.page.locator("#tab-explain").click()
    expect(window.page.locator(".panel")).to_have_count(0)
    window.check_quiet()


def test_a_link_to_what_was_erased_says_so(window: Seen) -> None:
    window.page.goto("about:blank")
    window.open("#show=" + "a" * 32)
    expect(window.page.locator("#notice")).to_contain_text("no longer there")
    window.check_quiet(refusals=True)


def test_a_missing_key_is_asked_for_and_kept_for_the_session(
    browser: Browser, redis_url: str, keys: Keys, tmp_path: Path, keys_file: Path
) -> None:
    key = key_of(keys_file, "clinic")
    with (
        scripted(redis_url, keys, tmp_path, keys_file=keys_file) as served,
        seen(browser, served.address) as window,
    ):
        window.page.goto(served.address)
        dialog = window.page.locator("#key-dialog")
        expect(dialog).to_be_visible()
        window.page.get_by_label("Key", exact=True).fill("rat_wrong_key")
        window.page.get_by_role("button", name="Use it").click()
        expect(window.page.locator("#key-refused")).to_be_visible()
        window.page.get_by_label("Key", exact=True).fill(key)
        window.page.get_by_role("button", name="Use it").click()
        expect(dialog).to_be_hidden()
        window.ready()
        run(window)
        window.wait_for_maps(1)
        assert window.page.evaluate("() => JSON.stringify(localStorage)").find(key) == -1
        window.page.reload()
        window.ready()
        expect(dialog).to_be_hidden()
        window.page.locator("#tab-operations").click()
        expect(window.page.locator("#letters-state")).to_have_text("Only an operator's key opens them.")
        window.check_quiet(refusals=True)


def test_an_operator_sees_the_service_and_retries_dead_letters(served: Scripted, window: Seen) -> None:
    run(window)
    window.wait_for_maps(1)
    held = hold(served)
    window.choose("saliency", "fullgrad")
    window.page.get_by_label("Seed").fill("3")
    window.explain()
    wait_until(lambda: served.stage.worker.held)
    claim, failure = served.stage.worker.held[0], Failure.of(NotExplainable("It took the worker down."))
    served.portal.call(lambda: served.stage.worker.queue.fail(claim, failure, dead_letter=True))
    window.page.locator("#tab-operations").click()
    expect(window.page.locator("#service-state")).to_have_text("Ready.")
    expect(window.page.locator("#models-body tr")).to_contain_text("tiny")
    letters = window.page.locator("#letters-body tr")
    expect(letters).to_have_count(1)
    expect(letters).to_contain_text("It took the worker down.")
    letters.get_by_role("button", name="Drop").click()
    expect(letters).to_have_count(0)
    served.portal.call(held.set)
    window.check_quiet()


def test_levels_are_those_of_the_picture_for_values_that_are_not_finite(window: Seen) -> None:
    found = window.page.evaluate(
        """async () => {
          const { levelled } = await import("/ui/scale.js");
          const values = new Float32Array([NaN, Infinity, -Infinity, 0, 1, -2, 4]);
          return [...levelled(values, { clip: 100, sign: "both" }).levels];
        }"""
    )
    np.testing.assert_allclose(found, [0, 255, -255, 0, 64, -127.5, 255], atol=0.5)
