"""Loading, verifying and letting go of models."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from jobs.errors import ModelUnavailable
from jobs.job import ModelRef
from tests.unit.workers.models.folders import SQUEEZENET, write, write_random, write_safetensors
from workers.models.repository import Repository


def repository(root: Path, *, max_bytes: int = 0) -> Repository:
    return Repository(root, phantoms=False, max_bytes=max_bytes)


def ref(models: Repository, name: str) -> ModelRef:
    return next(card.ref for card in models.cards() if card.id == name)


@pytest.mark.parametrize("half", [False, True])
def test_weights_from_a_file_are_verified_and_loaded(tmp_path: Path, half: bool) -> None:
    network = write_safetensors(tmp_path, "owls", half=half)
    models = repository(tmp_path)

    model = models.get(ref(models, "owls"))

    image = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(model.network(image), network(image), atol=1e-2 if half else 1e-6, rtol=1e-3)
    assert not model.network.training
    assert not any(parameter.requires_grad for parameter in model.network.parameters())
    assert model.n_bytes == sum(4 * parameter.numel() for parameter in network.parameters())
    assert models.get(ref(models, "owls")) is model


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_model_computes_in_the_dtype_that_it_declares(tmp_path: Path, dtype: torch.dtype) -> None:
    name = str(dtype).removeprefix("torch.")
    write_random(tmp_path, "owls", more=f'dtype = "{name}"')
    models = repository(tmp_path)

    model = models.get(ref(models, "owls"))

    assert model.dtype == name
    assert {parameter.dtype for parameter in model.network.parameters()} == {dtype}
    assert model.n_bytes == sum(dtype.itemsize * value.numel() for value in model.network.parameters())


def test_cards_come_without_reading_weights(tmp_path: Path) -> None:
    write_random(tmp_path, "b")
    write_safetensors(tmp_path, "a")
    (tmp_path / "a" / "weights.safetensors").unlink()
    models = repository(tmp_path)

    assert [card.id for card in models.cards()] == ["a", "b"]
    assert models.cards()[0].labels == ("cat", "dog", "owl")
    assert models.loaded == ()
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        models.get(ref(models, "a"))


def test_a_wrong_digest_is_refused(tmp_path: Path) -> None:
    write_safetensors(tmp_path, "owls", sha256="0" * 64)
    models = repository(tmp_path)

    with pytest.raises(ModelUnavailable, match="has sha256"):
        models.get(ref(models, "owls"))


def test_a_file_that_is_no_safetensors_is_refused(tmp_path: Path) -> None:
    sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"  # of "foo"
    folder = write(
        tmp_path, "owls", SQUEEZENET.format(more=f'weights = "w.safetensors"\nsha256 = "{sha256}"')
    )
    (folder / "w.safetensors").write_text("foo")
    models = repository(tmp_path)

    with pytest.raises(ModelUnavailable, match="cannot be read"):
        models.get(ref(models, "owls"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("num_classes = 3", "num_classes = 4"), "does not fit"),
        (("num_classes = 3", "colour = 3"), "does not fit"),
        (("squeezenet1_1", "squeezenet9"), "no classifier"),
        (("size = [64, 64]", "size = [4, 4]"), "cannot take"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(
    tmp_path: Path, change: tuple[str, str], reason: str
) -> None:
    write_safetensors(tmp_path, "owls")
    path = tmp_path / "owls" / "model.toml"
    path.write_text(path.read_text().replace(*change))
    models = repository(tmp_path)

    with pytest.raises(ModelUnavailable, match=reason):
        models.get(ref(models, "owls"))


def test_labels_must_be_as_many_as_the_network_has_classes(tmp_path: Path) -> None:
    folder = write_random(tmp_path, "owls")
    path = folder / "model.toml"
    path.write_text(path.read_text().replace('"dog", ', ""))
    models = repository(tmp_path)

    with pytest.raises(ModelUnavailable, match=r"2 labels, but the network answers \(1, 3\)"):
        models.get(ref(models, "owls"))


def test_a_broken_folder_is_logged_and_does_not_stop_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_random(tmp_path, "good")
    write(tmp_path, "bad", 'title = ""\narchitecture = "pickle:model"')
    write(tmp_path, "Bad Name", SQUEEZENET.format(more='weights = "random"'))
    write(tmp_path, "no-toml", "= 3")
    (tmp_path / "empty").mkdir()

    with caplog.at_level(logging.ERROR):
        models = repository(tmp_path)

    assert [card.id for card in models.cards()] == ["good"]
    assert "bad/model.toml: title:" in caplog.text
    assert "architecture:" in caplog.text
    assert "input:" in caplog.text
    assert "Bad Name/model.toml: id:" in caplog.text
    assert "no-toml/model.toml" in caplog.text


def test_unknown_models_and_other_versions_are_refused(tmp_path: Path) -> None:
    write_random(tmp_path, "owls")
    models = repository(tmp_path)

    with pytest.raises(ModelUnavailable, match="no model 'cats'"):
        models.get(ModelRef(id="cats", digest="sha256:" + "0" * 64))
    with pytest.raises(ModelUnavailable, match="another version"):
        models.get(ModelRef(id="owls", digest="sha256:" + "0" * 64))


def test_the_least_recently_used_goes_first_and_pinned_models_stay(tmp_path: Path) -> None:
    write_random(tmp_path, "pinned", more="pinned = true")
    for name in ("a", "b", "c"):
        write_random(tmp_path, name)
    models = repository(tmp_path)
    size = models.get(ref(models, "a")).n_bytes
    models = repository(tmp_path, max_bytes=3 * size)

    for name in ("pinned", "a", "b", "a", "c"):
        models.get(ref(models, name))

    assert models.loaded == ("pinned", "a", "c")
    assert models.loaded_bytes == 3 * size


def test_another_model_than_the_one_in_need_goes_if_it_may(tmp_path: Path) -> None:
    write_random(tmp_path, "pinned", more="pinned = true")
    for name in ("a", "b", "c"):
        write_random(tmp_path, name)
    models = repository(tmp_path)
    for name in ("a", "pinned", "b", "c"):
        models.get(ref(models, name))

    assert models.let_another_go(ref(models, "a"))
    assert [*models.loaded] == ["a", "pinned", "c"]
    assert models.let_another_go(ref(models, "a"))
    assert not models.let_another_go(ref(models, "a"))
    assert [*models.loaded] == ["a", "pinned"]


def test_a_model_that_is_larger_than_all_is_held_while_it_is_asked_for(tmp_path: Path) -> None:
    write_random(tmp_path, "a")
    write_random(tmp_path, "b")
    models = repository(tmp_path, max_bytes=1)

    models.get(ref(models, "a"))
    models.get(ref(models, "b"))

    assert models.loaded == ("b",)


def test_random_weights_follow_from_their_seed_and_leave_the_global_noise_alone(tmp_path: Path) -> None:
    write_random(tmp_path, "a", seed=1)
    write_random(tmp_path, "same", seed=1)
    write_random(tmp_path, "other", seed=2)
    models, noise = repository(tmp_path), torch.get_rng_state()
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))

    answers = {name: models.get(ref(models, name)).network(image) for name in ("a", "same", "other")}

    assert torch.equal(answers["a"], answers["same"])
    assert not torch.equal(answers["a"], answers["other"])
    assert ref(models, "a").digest == ref(models, "same").digest != ref(models, "other").digest
    assert torch.equal(torch.get_rng_state(), noise)


def test_the_operators_folder_hides_a_phantom_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_random(tmp_path / "shipped", "owls", seed=1)
    write_random(tmp_path / "shipped", "phantom")
    write_random(tmp_path / "own", "owls", seed=2)
    monkeypatch.setattr("workers.models.repository.PHANTOMS", tmp_path / "shipped")

    own, both = Repository(tmp_path / "own", phantoms=False), Repository(tmp_path / "own")

    assert [card.id for card in both.cards()] == ["owls", "phantom"]
    assert ref(both, "owls") == ref(own, "owls")
    assert [card.id for card in Repository().cards()] == ["owls", "phantom"]


def test_a_folder_that_is_not_there_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        models = repository(tmp_path / "modles")

    assert models.cards() == ()
    assert "modles" in caplog.text


def test_a_model_stays_while_others_stand_beside_it(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write_random(tmp_path, name)
    models = repository(tmp_path, max_bytes=1)
    a, b, c = (ref(models, name) for name in ("a", "b", "c"))

    steps: list[tuple[ModelRef, list[ModelRef]]] = [(a, []), (b, [a]), (c, [a]), (b, [])]
    loaded = []
    for one, beside in steps:
        models.get(one, beside=beside)
        loaded.append("".join(models.loaded))

    assert loaded == ["a", "ab", "ac", "b"]
    assert not models.let_another_go(a, b)
    assert models.let_another_go(a, c)
