"""The browser of the tests of pages."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from playwright.sync_api import Browser

from examples import browser


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window; without Chromium the test is skipped, but where CI is set it fails."""
    with ExitStack() as stack:
        try:
            opened = stack.enter_context(browser.chromium())
        except SystemExit as missing:
            if os.environ.get("CI"):
                pytest.fail(str(missing))
            pytest.skip(str(missing))
        yield opened
