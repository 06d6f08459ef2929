"""How soon the page is seen, how much it sends for, and how smoothly many panels follow one control."""

from __future__ import annotations

from statistics import median

from playwright.sync_api import Browser, Page, expect

from app.session import private_service
from benchmarks.figures import Figure
from examples.browser import chromium

LOADS = 5
PANELS = (
    *("saliency", "input-x-gradient", "fullgrad", "cam", "grad-cam", "grad-cam++", "xgrad-cam", "hires-cam"),
    *("layer-cam", "eigen-cam", "lrp", "deeplift"),
)
SECONDS = 120
PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
FRAMES = """() => new Promise((resolve) => {
  const control = document.getElementById("opacity");
  const begin = performance.now();
  let frames = 0;
  const step = (now) => {
    frames += 1;
    control.value = String((frames % 100) / 100);
    control.dispatchEvent(new Event("input", { bubbles: true }));
    if (now - begin < 3000) requestAnimationFrame(step);
    else resolve((1000 * frames) / (now - begin));
  };
  requestAnimationFrame(step);
})"""


def measure() -> list[Figure]:
    """In Chromium on loopback, drawn by the processor; each load has an empty cache."""
    with chromium() as browser, private_service(durable=True) as address:
        loads = [_load(browser, address) for _ in range(LOADS)]
        rate = _frames(browser, address)
    paints, sizes = zip(*loads, strict=True)
    return [
        Figure(
            name=f"first contentful paint of the page, median of {LOADS} loads",
            ours=f"{median(paints):.0f} ms",
            peer=f"{max(paints):.0f} ms at most",
            value=median(paints),
            goal=1000,
            unit=" ms",
            lower_is_better=True,
        ),
        Figure(
            name="what the page fetches until it is ready, its menus included",
            ours=f"{max(sizes) / 1000:.0f} KB",
            peer="-",
            value=max(sizes) / 1000,
            goal=300,
            unit=" KB",
            lower_is_better=True,
        ),
        Figure(
            name=f"opacity of {len(PANELS)} panels, a change each frame",
            ours=f"{rate:.0f} frames/s",
            peer="-",
            value=rate,
            goal=30,
            unit=" /s",
        ),
    ]


def _load(browser: Browser, address: str) -> tuple[float, int]:
    """Milliseconds to the first paint, and bytes that were fetched."""
    context = browser.new_context()
    try:
        page, sizes = context.new_page(), list[int]()
        page.on("response", lambda answer: sizes.append(int(answer.headers.get("content-length", 0))))
        _open(page, address)
        return float(page.evaluate(PAINT)), sum(sizes)
    finally:
        context.close()


def _frames(browser: Browser, address: str) -> float:
    """Frames a second with a map in each panel."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    _open(page, address)
    page.get_by_role("button", name="Drawn radiograph: nodule").click()
    expect(page.locator("#predictions li").first).to_contain_text("nodule", timeout=SECONDS * 1000)
    for method in PANELS:
        page.locator("#filter").fill(method)
        page.locator(f"#methods input[value='{method}']").check()
    page.get_by_role("button", name="Explain with").click()
    done = page.locator(".panel[data-state=done]")
    expect(done).to_have_count(len(PANELS), timeout=SECONDS * 1000)
    return float(page.evaluate(FRAMES))


def _open(page: Page, address: str) -> None:
    page.goto(address)
    page.locator("body[data-ready]").wait_for()
