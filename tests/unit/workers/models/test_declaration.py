"""What a model.toml may say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs.errors import ModelUnavailable
from tests.unit.workers.models.folders import SQUEEZENET, write, write_random
from workers.models.declaration import read_declaration


def digest_of(folder: Path) -> str:
    return read_declaration(folder)[1].digest


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (("Small squeeze net", "A better title"), True),
        (("seed = 0", "seed = 0\npinned = true"), True),
        (("seed = 0", "seed = 1"), False),
        (("size = [64, 64]", "size = [96, 96]"), False),
        (("[64, 64]", "[64, 64]\nmean = [0.5, 0.5, 0.5]"), False),
        (('"cat"', '"lion"'), False),
        (("seed = 0", 'seed = 0\ndefault_layer = "features.3"'), False),
        (("seed = 0", 'seed = 0\ndtype = "float32"'), True),
        (("seed = 0", 'seed = 0\ndtype = "bfloat16"'), False),
        (("num_classes = 3", "num_classes = 3\ndropout = 0.1"), False),
    ],
)
def test_the_digest_changes_with_all_that_decides_the_answer(
    tmp_path: Path, change: tuple[str, str], same: bool
) -> None:
    before = write_random(tmp_path / "before", "owls")
    after = write_random(tmp_path / "after", "owls")
    (after / "model.toml").write_text((before / "model.toml").read_text().replace(*change))

    assert (digest_of(before) == digest_of(after)) is same


@pytest.mark.parametrize("names", [["cat", "dog", "owl"], {"0": "cat", "2": "owl", "1": "dog"}])
def test_labels_may_stand_in_a_file(tmp_path: Path, names: object) -> None:
    toml = SQUEEZENET.format(more='weights = "random"').replace('["cat", "dog", "owl"]', '"labels.json"')
    folder = write(tmp_path, "owls", toml)
    (folder / "labels.json").write_text(json.dumps(names))

    assert read_declaration(folder)[1].labels == ("cat", "dog", "owl")


def test_without_labels_classes_are_numbered(tmp_path: Path) -> None:
    toml = SQUEEZENET.format(more='weights = "random"').replace('labels = ["cat", "dog", "owl"]', "")

    assert read_declaration(write(tmp_path, "owls", toml))[1].labels == ("0", "1", "2")


def test_published_weights_bring_their_labels_and_are_not_downloaded_for_a_card(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        "published",
        'title = "ResNet"\narchitecture = "torchvision:resnet18"\nweights = "IMAGENET1K_V1"\n'
        '[input]\nmode = "rgb"\nsize = [224, 224]\nresize = 256\n',
    )

    card = read_declaration(folder)[1]

    assert len(card.labels) == 1000
    assert card.labels[1] == "goldfish"
    assert card.digest.startswith("sha256:")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (('weights = "random"', 'weights = "weights.pt"'), "weights: "),
        (('weights = "random"', 'weights = "w.safetensors"'), "sha256 of the weights is missing"),
        (('weights = "random"', 'weights = "IMAGENET1K_V9"'), "IMAGENET1K_V9"),
        (("torchvision:squeezenet1_1", "phantom:vgg"), "only torchvision publishes"),
        (("num_classes = 3", 'weights = "DEFAULT"'), "arguments must not name weights"),
        (("size = [64, 64]", "size = [64, 0]"), r"input\.size\.1"),
        (("[64, 64]", "[64, 64]\nresize = 32"), "resize must leave at least size"),
        (("[64, 64]", "[64, 64]\nresize = [64, 32]"), "resize must leave at least size"),
        (("[64, 64]", "[64, 64]\ncrop = 32"), "crop must be equal to size"),
        (("[64, 64]", "[64, 64]\nmean = [0.5]"), "one number a channel"),
        (("[64, 64]", "[64, 64]\nmean = [0.5, 0.5, 0.5]\nstd = [1.0]"), "the same length"),
        (("[64, 64]", "[64, 64]\nstd = [0.0, 1.0, 1.0]"), r"input\.std\.0"),
        (("[arguments]", 'dtype = "float64"\n[arguments]'), "dtype: .*'float32', 'bfloat16' or 'float16'"),
        (('["cat", "dog", "owl"]', '"none.json"'), r"none\.json"),
        (("[input]", "[inptu]"), "inptu"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, change: tuple[str, str], reason: str) -> None:
    toml = SQUEEZENET.format(more='weights = "random"').replace(*change)
    if "phantom" in change[1]:
        toml = toml.replace('weights = "random"', 'weights = "IMAGENET1K_V1"')

    with pytest.raises(ModelUnavailable, match=reason):
        read_declaration(write(tmp_path, "owls", toml))


def test_every_wrong_field_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable) as caught:
        read_declaration(write(tmp_path, "owls", 'architecture = "x"\npinned = "perhaps"'))

    assert {problem.field for problem in caught.value.problems} == {
        "title",
        "architecture",
        "weights",
        "input",
        "pinned",
    }
