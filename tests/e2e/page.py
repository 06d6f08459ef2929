"""The page in a real browser: what it said, whom it asked, and the steps that tests share."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import numpy as np
from anyio.from_thread import BlockingPortal, start_blocking_portal
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from jobs.keys import Keys
from tests.api import Stage, staged
from tests.served import served

Scheme = Literal["light", "dark"]
Pixels = NDArray[np.int64]
WIDTHS = [1280, 390]
SECONDS = 60
REFUSED = "Failed to load resource"  # the browser's own line about every answer that is no success
READ_BACK = "willReadFrequently"  # what it says of tests that look at a canvas more than once

expect.set_options(timeout=SECONDS * 1000)

DROP = """(target, [text, name, kind, way]) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], name, { type: kind }));
  if (way === "paste") {
    target.dispatchEvent(new ClipboardEvent("paste", { bubbles: true, clipboardData: data }));
    return;
  }
  for (const event of ["dragenter", "dragover", "drop"]) {
    target.dispatchEvent(new DragEvent(event, { bubbles: true, cancelable: true, dataTransfer: data }));
  }
}"""
PIXELS = """(canvas) => {
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  return [height, width, ...data];
}"""


@dataclass
class Seen:
    """An open page, what it said on the console, and whom it asked."""

    page: Page
    address: str
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def open(self, fragment: str = "") -> None:
        """Go to the page and wait until it has read the menu."""
        self.page.goto(f"{self.address}/{fragment}")
        self.ready()

    def ready(self) -> None:
        self.page.locator("body[data-ready]").wait_for(timeout=SECONDS * 1000)

    def check_quiet(self, *, refusals: bool = False) -> None:
        """Nothing on the console, but for refused calls where they are expected, and no other host asked."""
        said = [line for line in self.said if not (refusals and line.startswith(REFUSED))]
        said = [line for line in said if READ_BACK not in line]
        assert not said, said
        here = urlsplit(self.address).netloc
        assert {urlsplit(url).netloc for url in self.asked if not url.startswith("blob:")} == {here}

    def drop(
        self,
        content: bytes,
        name: str = "image.png",
        kind: str = "image/png",
        event: Literal["drop", "paste"] = "drop",
    ) -> None:
        """Drop a file on the page, or paste it."""
        text = base64.b64encode(content).decode()
        self.page.locator("#drop").evaluate(DROP, [text, name, kind, event])

    def choose(self, *methods: str) -> None:
        """Tick these methods and no others."""
        for name in ("grad-cam", *methods):
            self.page.locator("#filter").fill(name)
            self.page.locator(f"#methods input[value='{name}']").set_checked(name in methods)
        self.page.locator("#filter").fill("")

    def explain(self) -> None:
        self.page.get_by_role("button", name="Explain with").click()

    def wait_for_maps(self, count: int) -> None:
        """Wait until so many maps are there."""
        expect(self.page.locator(".panel[data-state=done]")).to_have_count(count)

    def painted(self, place: int = 0) -> Pixels:
        """The pixels `(H, W, 4)` of the canvas of a panel."""
        height, width, *values = self.page.locator("canvas.map").nth(place).evaluate(PIXELS)
        return np.array(values).reshape(height, width, 4)

    def shot(self, place: int = 0) -> Pixels:
        """A picture `(H, W, 3)` of the stage of a panel."""
        with Image.open(io.BytesIO(self.page.locator(".stage").nth(place).screenshot())) as shot:
            return np.asarray(shot.convert("RGB"), dtype=np.int64)

    def slide(self, control: str, value: float) -> None:
        """Move a slider as a hand would."""
        self.page.locator(control).fill(str(value))


@contextmanager
def seen(browser: Browser, address: str, *, width: int = 1280, scheme: Scheme = "light") -> Iterator[Seen]:
    """A window on the page, in a session of its own."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, accept_downloads=True
    )
    context.set_default_timeout(SECONDS * 1000)
    page = context.new_page()
    window = Seen(page, address)
    page.on("console", lambda message: window.said.append(message.text))
    page.on("pageerror", lambda error: window.said.append(str(error)))
    page.on("request", lambda request: window.asked.append(request.url))
    try:
        yield window
    finally:
        context.close()


@dataclass
class Scripted:
    """The API with a scripted worker behind a socket, in a thread of its own."""

    stage: Stage
    address: str
    portal: BlockingPortal


@contextmanager
def scripted(redis_url: str, keys: Keys, folder: Path, **options: object) -> Iterator[Scripted]:
    """Serve a stage to a browser that this thread drives."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(staged(redis_url, keys, folder, **options)) as stage,  # type: ignore[arg-type]  # settings
        portal.wrap_async_context_manager(served(stage)) as address,
    ):
        yield Scripted(stage, address, portal)
