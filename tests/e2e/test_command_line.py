"""The command line against a running service, and on its own."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.e2e.scenes import nodule, png


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "nodule.png"
    path.write_bytes(png(nodule()))
    return path


def rationale(*words: str, status: int = 0, **environment: str) -> str:
    """What `rationale` prints on both channels."""
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", *words],
        env=os.environ | {"COLUMNS": "200"} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def test_it_explains_with_a_running_service(address: str, picture: Path, tmp_path: Path) -> None:
    overlay, values = tmp_path / "overlay.png", tmp_path / "map.npy"

    printed = rationale(
        *("explain", str(picture), "--model", "phantom-resnet", "--method", "occlusion"),
        *("--param", "window=24", "--server", address, "--output", str(overlay), "--map", str(values)),
    )

    assert "nodule" in printed
    with Image.open(overlay) as drawn:
        assert drawn.size == (96, 96)
    assert np.load(values).shape == (96, 96)


def test_it_measures_and_says_how_far_to_believe_it(address: str, picture: Path) -> None:
    words = ("explain", str(picture), "--model", "phantom-resnet", "--server", address, "--target", "none")
    printed = rationale(*words, "--metric", "deletion", "--metric", "sparseness")

    assert all(word in printed for word in ("deletion", "sparseness", "of a random map", "of the edges"))
    assert "not the class that it predicts" in printed
    assert "on a grid of" in printed
    assert "not where a finding is" in printed
    assert "there are: deletion" in rationale(*words, "--metric", "truthiness", status=2)


def test_parameters_of_metrics_are_told_apart_by_the_metric(address: str, picture: Path) -> None:
    measured = ("--metric", "model-consensus", "--metric", "deletion", "--metric-param")
    words = ("explain", str(picture), "--model", "phantom-resnet", "--server", address, *measured)
    models = 'model-consensus.models=["phantom-vgg"]'

    printed = rationale(*words, models, "--metric-param", "deletion.steps=4")

    assert "model-consensus" in printed
    assert "write it as metric.name=value" in rationale(*words, "steps", status=2)
    assert "write it as metric.name=value" in rationale(*words, "deletion.steps", status=2)
    assert "metric_params.deletion.steps" in rationale(
        *words, models, "--metric-param", "deletion.steps=0", status=2
    )
    assert "there are: phantom-shortcut" in rationale(*words, models.replace("vgg", "owl"), status=2)


def test_what_is_printed_for_people_is_printed_for_programs(address: str, picture: Path) -> None:
    words = ("explain", str(picture), "--model", "phantom-resnet", "--server", address, "--json")
    document = json.loads(rationale(*words, "--metric", "sparseness"))
    assert document["state"] == "done"
    assert document["trust"]["targets"][0]["measurements"][0]["metric"] == "sparseness"
    assert {"grad-cam", "rise"} <= {card["name"] for card in json.loads(rationale("methods", "--json"))}
    assert {"deletion", "iou"} <= {card["name"] for card in json.loads(rationale("metrics", "--json"))}


def test_it_lists_the_metrics() -> None:
    printed = rationale("metrics")
    words = ("deletion", "insertion", "faithfulness", "steps=20", "models (required)")
    assert all(word in printed for word in words)


def test_several_targets_are_written_to_files_of_their_own(
    address: str, picture: Path, tmp_path: Path
) -> None:
    rationale(
        *("explain", str(picture), "--model", "phantom-resnet", "--target", "nodule", "--target", "0"),
        *("--server", address, "--output", str(tmp_path / "overlay.webp")),
    )

    assert sorted(path.name for path in tmp_path.glob("overlay*")) == ["overlay-0.webp", "overlay-1.webp"]


def test_it_explains_on_its_own(picture: Path) -> None:
    printed = rationale("explain", str(picture), "--model", "phantom-vgg")

    assert "grad-cam on phantom-vgg" in printed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--model", "no-model"), "model: "),
        (("--model", "phantom-resnet", "--method", "no-method"), "method: "),
        (("--model", "phantom-resnet", "--param", "layer"), "--param layer: write it as name=value"),
        (("--model", "phantom-resnet", "--param", "relu=7"), "params.relu: "),
        (("--model", "phantom-resnet", "--target", "unicorn"), "target"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    address: str, picture: Path, words: tuple[str, ...], said: str
) -> None:
    printed = rationale("explain", str(picture), *words, "--server", address, status=2)

    assert said in printed


def test_a_reference_travels_with_the_image(address: str, picture: Path) -> None:
    """No method with these words needs one, and the service says so."""
    words = ("--model", "phantom-resnet", "--method", "saliency", "--reference", str(picture))

    printed = rationale("explain", str(picture), *words, "--server", address, status=2)

    assert "reference: is of no use to saliency" in printed


def test_a_mask_travels_with_the_image_and_the_figures_are_printed(
    address: str, picture: Path, tmp_path: Path
) -> None:
    mask = tmp_path / "mask.png"
    Image.fromarray(nodule().finding).save(mask)
    words = ("--model", "phantom-resnet", "--metric", "pointing-game", "--metric", "iou", "--mask", str(mask))

    printed = rationale("explain", str(picture), *words, "--server", address)

    [pointed] = [line.split() for line in printed.splitlines() if "pointing-game" in line]
    assert ("1" in pointed, "higher" in pointed) == (True, True)
    assert any("iou" in line for line in printed.splitlines())


def test_a_service_that_does_not_answer_is_said_in_a_sentence(picture: Path) -> None:
    printed = rationale("models", "--server", "http://127.0.0.1:9", status=2)

    assert "does not answer" in printed


def test_models_and_methods_are_listed(address: str) -> None:
    assert "phantom-vit" in rationale("models", "--server", address)
    assert "integrated-gradients" in rationale("methods")


def test_a_key_is_made_listed_and_revoked(tmp_path: Path) -> None:
    file = ("--keys-file", str(tmp_path / "keys.json"))

    key = rationale("keys", "create", *file, "--tenant", "ward-7", "--name", "viewer").strip()
    listed = rationale("keys", "list", *file)
    _, key_id, secret = key.split("_", 2)
    rationale("keys", "revoke", key_id, *file)

    assert key_id in listed
    assert secret not in (tmp_path / "keys.json").read_text() + listed
    assert key_id not in rationale("keys", "list", *file)


def test_a_key_for_webhooks_comes_with_the_secret_that_signs(tmp_path: Path) -> None:
    file = ("--keys-file", str(tmp_path / "keys.json"))
    named = ("--tenant", "ward-7", "--name", "viewer")

    key, secret = rationale("keys", "create", *file, *named, "--webhook-host", "example.org").split()
    key_id = key.split("_")[1]
    same = rationale(
        "keys", "webhooks", key_id, *file, "--host", "example.org", "--host", "a.example"
    ).strip()
    other = rationale("keys", "webhooks", key_id, *file, "--host", "example.org", "--new-secret").strip()

    assert secret == same != other
    assert secret.startswith("whsec_") and other.startswith("whsec_")
    assert "example.org" in rationale("keys", "list", *file)
    assert secret not in rationale("keys", "list", *file)
    [shown] = json.loads(rationale("keys", "list", *file, "--json"))
    assert shown["webhook_hosts"] == ["example.org"]
    assert set(shown) == {"id", "tenant", "scope", "created", "name", "webhook_hosts"}
    rationale("keys", "create", *file, *named, "--webhook-host", "10.0.0.1", status=2)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    for number, name in enumerate(("a.png", "b.png", "more/a.png")):
        (folder / name).write_bytes(png(nodule(number)))
    return folder


def test_a_folder_by_many_methods_fills_a_folder(address: str, pictures: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    words = ("--model", "phantom-resnet", "--method", "grad-cam", "--method", "saliency", "--server", address)
    printed = rationale(
        *("explain", str(pictures), str(pictures / "*.png"), *words),
        *("--metric", "sparseness", "--folder", str(output)),
    )
    assert "10 explanations, 0 failed" in printed
    rows = list(csv.DictReader((output / "explanations.csv").read_text().splitlines()))
    assert len(rows) == 10
    assert {row["method"] for row in rows} == {"grad-cam", "saliency"}
    assert all(row["target"] == "nodule" and float(row["sparseness"]) > 0 for row in rows)
    overlays = {row["overlay"] for row in rows}
    assert {"a-grad-cam.png", "more_a-saliency.png", "a_2-grad-cam.png"} <= overlays
    for name in overlays:
        with Image.open(output / name) as overlay:
            assert overlay.size == (96, 96)
    with Image.open(output / "contact-sheet.png") as sheet:
        assert sheet.width > 3 * 144
        assert sheet.height > 5 * 144
        assert len(sheet.convert("L").getcolors() or ()) > 50


def test_what_cannot_be_explained_has_its_reason_and_does_not_end_the_rest(
    address: str, pictures: Path, tmp_path: Path
) -> None:
    (pictures / "z.png").write_bytes(b"no picture")
    output = tmp_path / "out"
    printed = rationale(
        *("explain", str(pictures), "--model", "phantom-resnet", "--server", address),
        *("--folder", str(output)),
        status=1,
    )
    assert "4 explanations, 1 failed" in printed
    errors = [
        row["error"]
        for row in csv.DictReader((output / "explanations.csv").read_text().splitlines())
        if row["error"]
    ]
    assert len(errors) == 1
    assert errors[0].startswith("unknown-format: ")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["nowhere.png"], "nowhere.png names no file and no folder"),
        (["*.nothing"], "*.nothing names no file and no folder"),
        (["{pictures}", "--output", "x.png"], "only for one picture and one method"),
        (["{pictures}", "--param", "relu"], "write it as name=value"),
    ],
)
def test_what_is_wrong_with_many_is_said_before_anything_starts(
    pictures: Path, words: list[str], reason: str
) -> None:
    here = [word.format(pictures=pictures) for word in words]
    assert reason in rationale("explain", *here, "--model", "phantom-resnet", status=2)
