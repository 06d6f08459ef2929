"""The demonstration tells its story to the end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from examples.demo import METHODS, SEEDS
from tests.unit.deployment import ROOT


def test_the_demonstration_draws_its_pictures(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples.demo"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    drawn = {path.name for path in (tmp_path / "demo").glob("*.png")}
    assert {"contact-sheet.png", "shortcut.png"} < drawn
    assert {f"{label}-phantom-resnet-{method}.png" for label in SEEDS for method in METHODS} < drawn
