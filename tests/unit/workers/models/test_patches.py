"""Statistics of patches beside a model: fitted, read, a part of the digest, and at hand to a method."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save

from jobs.catalogue import Need
from jobs.errors import ModelUnavailable
from jobs.job import ImageRef, Job, MethodRef, Opened
from tests.unit.workers.models.folders import write_random
from workers.methods import METHODS
from workers.models.declaration import read_declaration
from workers.models.intake import Intake
from workers.models.patches import main
from workers.models.repository import PHANTOMS, Model, Repository
from workers.onlooker import Onlooker
from workers.runner import Runner
from workers.tensors.patch_gaussians import PatchGaussian, patches_of

GREY = ('mode = "rgb"', 'mode = "grey"\nmean = [0.5]\nstd = [0.25]')


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Colour, grey, and sixteen bits, of several sizes; and a file that is no picture."""
    random = np.random.default_rng(0)
    folder = tmp_path / "radiographs"
    folder.mkdir()
    for number, size in enumerate([(80, 70, 3), (64, 64, 3), (90, 90)]):
        pixels = random.integers(0, 256, size, dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    deep = random.integers(0, 65536, (70, 70), dtype=np.uint16)
    Image.fromarray(deep).save(folder / "deep.tiff")
    (folder / "notes.txt").write_text("no picture")
    return folder


def fit(model: Path, images: Path, *more: str) -> int:
    return main(["--model-folder", str(model), "--images", str(images), *more])


def loaded(root: Path, name: str = "owls") -> Model:
    models = Repository(root, phantoms=False)
    return models.get(next(card.ref for card in models.cards() if card.id == name))


def test_the_command_fits_a_folder_of_images_for_any_model(tmp_path: Path, pictures: Path) -> None:
    folder = write_random(tmp_path / "models", "owls")
    command = [sys.executable, "-m", "workers.models.patches", "--side", "6"]
    ended = subprocess.run(
        [*command, "--model-folder", str(folder), "--images", str(pictures)],
        check=False,
        capture_output=True,
        text=True,
    )

    assert (ended.returncode, ended.stderr) == (0, "")
    assert "of 6 x 6 from 4 images of radiographs" in ended.stdout
    patches = loaded(tmp_path / "models").patches
    assert patches is not None
    assert (patches.side, patches.patches, patches.words) == (6, 4 * 20 * 20, "4 images of radiographs")
    expected = np.stack([part.numpy() for part in parts(folder, pictures)])
    np.testing.assert_allclose(patches.mean.flatten(), expected.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(patches.covariance, np.cov(expected, rowvar=False), atol=1e-5)


def parts(model: Path, pictures: Path) -> list[torch.Tensor]:
    """The patches as the model's own intake makes them, flat."""
    intake = Intake(read_declaration(model)[0].input)
    found: list[torch.Tensor] = []
    for path in sorted(pictures.glob("[!n]*")):
        pixels = np.asarray(Image.open(path))
        image = ImageRef(
            key="k",
            digest="d",
            height=pixels.shape[0],
            width=pixels.shape[1],
            channels=3 if pixels.ndim == 3 else 1,
            dtype="uint16" if pixels.dtype == np.uint16 else "uint8",
        )
        prepared = intake.prepare(pixels.tobytes(), image).tensor
        found += patches_of(prepared.unsqueeze(0), 6, 3).flatten(1).unbind()
    return found


def test_a_grey_model_sees_grey_patches_and_words_are_kept(tmp_path: Path, pictures: Path) -> None:
    folder = write_random(tmp_path / "models", "owls")
    toml = folder / "model.toml"
    toml.write_text(toml.read_text().replace(*GREY))

    assert fit(folder, pictures, "--side", "5", "--most", "2", "--words", "two of my own") == 0

    content = (folder / "patches.safetensors").read_bytes()
    about = json.loads(
        json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]["about"]
    )
    assert about == {"channels": "jointly", "images": "two of my own", "patches": str(2 * 30**2), "side": "5"}


def test_the_digest_covers_the_statistics_and_is_what_it_was_without(tmp_path: Path, pictures: Path) -> None:
    folder = write_random(tmp_path, "owls")
    without = read_declaration(folder)[1].digest

    fit(folder, pictures, "--side", "4")
    four = read_declaration(folder)[1].digest
    fit(folder, pictures, "--side", "5")
    five = read_declaration(folder)[1].digest
    (folder / "patches.safetensors").unlink()

    assert len({without, four, five}) == 3
    assert read_declaration(folder)[1].digest == without


def test_statistics_that_changed_since_the_worker_saw_them_are_refused(
    tmp_path: Path, pictures: Path
) -> None:
    folder = write_random(tmp_path, "owls")
    models = Repository(tmp_path, phantoms=False)
    fit(folder, pictures, "--side", "4")

    with pytest.raises(ModelUnavailable, match="restart it"):
        models.get(models.cards()[0].ref)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"foo", "cannot be read"),
        (save({"mean": torch.zeros(3, 4, 4)}), "cannot be read"),
        (
            save({"mean": torch.zeros(3, 4, 4), "covariance": torch.zeros(48, 48)}),
            "cannot be read: 'patches'",
        ),
        (
            save(
                {"mean": torch.zeros(1, 4, 4), "covariance": torch.zeros(16, 16)},
                {"about": '{"patches": "3", "images": "some"}'},
            ),
            r"does not fit the model: mean \(1, 4, 4\)",
        ),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_the_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    folder = write_random(tmp_path, "owls")
    (folder / "patches.safetensors").write_bytes(content)

    with pytest.raises(ModelUnavailable, match=reason):
        loaded(tmp_path)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--images", "{empty}"], "there are no images"),
        (["--images", "{missing}"], "No such file"),
        (["--model-folder", "{empty}"], "model.toml"),
    ],
)
def test_what_the_command_cannot_do_it_says_in_a_sentence(
    tmp_path: Path, pictures: Path, capsys: pytest.CaptureFixture[str], words: list[str], reason: str
) -> None:
    folder = write_random(tmp_path / "models", "owls")
    (tmp_path / "empty").mkdir()
    places = {"empty": str(tmp_path / "empty"), "missing": str(tmp_path / "missing")}

    assert fit(folder, pictures, *(word.format(**places) for word in words)) == 2

    assert reason in capsys.readouterr().err


def test_patches_larger_than_the_models_images_are_refused(
    tmp_path: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_random(tmp_path / "models", "owls")
    toml = folder / "model.toml"
    toml.write_text(toml.read_text().replace("[64, 64]", "[32, 20]"))

    assert fit(folder, pictures, "--side", "21") == 2
    assert "smaller than 21" in capsys.readouterr().err


@pytest.mark.parametrize("model", ["phantom-resnet", "phantom-vgg", "phantom-vit", "phantom-shortcut"])
def test_the_phantoms_ship_with_small_statistics_that_are_the_same_for_all(model: str) -> None:
    models = Repository()
    patches = models.get(next(card.ref for card in models.cards() if card.id == model)).patches
    assert isinstance(patches, PatchGaussian)
    content = (PHANTOMS / model / "patches.safetensors").read_bytes()

    assert patches.side == 14
    assert "drawn radiographs" in patches.words
    assert len(content) < 200_000
    assert content == (PHANTOMS / "phantom-resnet" / "patches.safetensors").read_bytes()


def test_a_job_on_a_phantom_is_explained_with_the_models_own_statistics() -> None:
    models = Repository()
    card = next(card for card in models.cards() if card.id == "phantom-resnet")
    method = METHODS["prediction-difference"]
    params = method.params.model_validate({"samples": 2, "window": 10, "stride": 10}).model_dump()
    image = ImageRef(key="k", digest="d", height=96, width=96, channels=1, dtype="uint8")
    job = Job(
        id="one",
        tenant="t",
        model=card.ref,
        method=MethodRef(name=method.name, version=method.version, params=params),
        image=image,
        targets=(1,),
    )

    (answer,) = Runner(models, device="cpu", chunk_rows=32).run([Opened(job, bytes(96 * 96))], Onlooker())

    assert Need.SCORES in method.needs
    assert answer.outcome.result is not None
    details = answer.outcome.result.targets[0].map.details
    assert details["fitted_on"] == "2000 drawn radiographs that the nets have learned from"
