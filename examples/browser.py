"""Debian's Chromium, driven by Playwright: for pictures, benchmarks and tests of pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

INSTALL = "this needs Chromium: apt-get install chromium"


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window. Raises SystemExit saying what to install where there is none."""
    path = shutil.which("chromium")
    if path is None:
        raise SystemExit(INSTALL)
    with sync_playwright() as playwright:
        # Its sandbox needs rights that root in a container has not; only pages of this project are opened.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()
