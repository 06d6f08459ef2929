"""One whole service for all tests that only ask it questions, and the browser of those that look at pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser

from app.session import private_service
from jobs.keys import Keys
from tests.e2e.browser import chromium
from tests.e2e.page import Scripted, scripted


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """Where a service with the phantoms answers."""
    with private_service() as address:
        yield address


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def served(redis_url: str, keys: Keys, tmp_path: Path) -> Iterator[Scripted]:
    """The API with a scripted worker, for a browser."""
    with scripted(redis_url, keys, tmp_path) as served:
        yield served
