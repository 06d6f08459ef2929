"""The served OpenAPI against the served API: Schemathesis in all its phases finds nothing."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from app.access import Scope
from jobs.keys import Keys
from tests.api import bearer, staged
from tests.served import served

CASES = 2000
SECONDS = 280.0

# A schema promises what is well formed. Which models and classes there are, and whether bytes are a picture
# that can be read, it cannot say: that is answered with 4xx, so these are right answers to positive data too.
CONFIG = """
seed = 20260101
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 304, 401, 404, 409, 410, 413, 415, 422, 429]
[generation]
max-examples = 65
[phases.stateful]
generation.max-examples = 30
"""


@pytest.mark.no_cover  # counting the lines of thousands of requests takes longer than they do
@pytest.mark.timeout(300)
async def test_schemathesis_finds_nothing(redis_url: str, keys: Keys, tmp_path: Path) -> None:
    header = bearer(tmp_path / "keys.json", "clinic", Scope.OPERATOR)["Authorization"]
    config, report = tmp_path / "schemathesis.toml", tmp_path / "report.json"
    await asyncio.to_thread(config.write_text, CONFIG)
    async with (
        staged(redis_url, keys, tmp_path, keys_file=tmp_path / "keys.json") as stage,
        served(stage) as address,
    ):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"),
            f"{address}/api/v1/openapi.json",
            *("--header", f"Authorization: {header}", "--continue-on-failure", "--no-color"),
            *("--report", "json", "--report-json-path", str(report)),
            env=os.environ | {"SCHEMATHESIS_HOOKS": "tests.integration.schemathesis_hooks"},
            cwd=Path(__file__).parents[2],
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(process.communicate(), SECONDS)
    assert process.returncode == 0, output.decode()
    found = json.loads(await asyncio.to_thread(report.read_text))
    assert found["test_cases"]["generated"] >= CASES
    assert found["operations"]["tested"] == found["operations"]["total"] > 10
    assert not found["failures"]
