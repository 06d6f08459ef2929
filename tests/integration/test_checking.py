"""What a check of a folder of models finds: broken ones with their reason, and what each method does."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from jobs.check import BAD, Outcome
from workers.checking import check
from workers.methods import METHODS
from workers.models.repository import PHANTOMS

TOML = """
title = "Never trained"
architecture = "phantom:resnet"
weights = "random"
labels = ["a", "b", "c", "d"]
[input]
mode = "grey"
size = [96, 96]
"""


@pytest.mark.timeout(300)
def test_every_method_is_run_once_and_either_explains_or_says_why_not(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "model.toml").write_text(TOML)
    loaded, *found = check(tmp_path, "cpu")
    assert (loaded.model, loaded.method, loaded.outcome) == ("tiny", None, Outcome.LOADED)
    assert [one.method for one in found] == list(METHODS)
    assert not [one for one in found if one.outcome in BAD]
    refused = {one.method: one.detail for one in found if one.outcome is Outcome.REFUSED}
    assert "patches" in refused.pop("prediction-difference")
    assert "POST /api/v1/analyses" in refused.pop("causal")
    assert set(refused) == {"attention-rollout", "transformer-relevance", "transformer-lrp"}
    assert all("no attention between tokens" in reason for reason in refused.values())
    grad_cam = next(one for one in found if one.method == "grad-cam")
    assert (grad_cam.native_grid, grad_cam.layer) == ((12, 12), "layer3")


def test_what_cannot_be_served_is_named_with_its_reason(tmp_path: Path) -> None:
    shutil.copytree(PHANTOMS / "phantom-vgg", tmp_path / "torn")
    with (tmp_path / "torn" / "weights.safetensors").open("ab") as file:
        file.write(b"x")
    (tmp_path / "wrong").mkdir()
    (tmp_path / "wrong" / "model.toml").write_text("title = 3")
    torn, wrong = check(tmp_path, "cpu")
    assert torn.outcome is wrong.outcome is Outcome.BROKEN
    assert "sha256" in torn.detail
    assert "architecture: Field required" in wrong.detail
