"""Other models of a worker: shown the same picture in their own way, and no harm to the map if they fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor
from torch.nn import functional as F

from jobs.catalogue import Need
from jobs.errors import NotExplainable
from jobs.job import Job, MetricRef, ModelRef, Opened
from jobs.trust import FindingCode, Measurement
from tests.unit.workers.models.folders import write_random
from workers import explain
from workers.declare import Method, Relevance
from workers.methods import METHODS
from workers.models import repository as models
from workers.models.repository import Repository
from workers.onlooker import Onlooker
from workers.probe import Probe
from workers.runner import Answer, Runner

Ask = Callable[..., tuple[Job, bytes]]
Keys = Mapping[str, str]
SALIENCY = METHODS["saliency"]
CHANGES = {
    "owls": ("", ""),
    "twin": ("", ""),
    "other": ("seed = 0", "seed = 3"),
    "larger": ("size = [64, 64]", "size = [80, 100]"),
    "cropped": ("size = [64, 64]", "size = [64, 64]\nresize = 64"),
    "grey": ('mode = "rgb"', 'mode = "grey"\nmean = [0.4, 0.5, 0.6]\nstd = [0.2, 0.3, 0.4]'),
    "half": ("seed = 0", 'seed = 0\ndtype = "bfloat16"'),
    "renamed": ('["cat", "dog", "owl"]', '["dog", "cat", "owl"]'),
}


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    root = tmp_path_factory.mktemp("several")
    for name, change in CHANGES.items():
        path = write_random(root, name) / "model.toml"
        path.write_text(path.read_text().replace(*change))
    return Repository(root, phantoms=False)


@pytest.fixture
def keys(held: Repository) -> Keys:
    return {card.id: card.ref.key for card in held.cards()}


def judging(one: tuple[Job, bytes], *named: str, **changes: Any) -> Opened:  # Any: fields of a job
    job, pixels = one
    ref = MetricRef(name="model-consensus", version=1, params={"models": list(named)})
    return Opened(job.model_copy(update={"metrics": (ref,), **changes}), pixels)


def run(runner: Runner, *batch: Opened) -> list[Answer]:
    answers = runner.run(batch, Onlooker())
    assert all(answer.outcome.result for answer in answers), [answer.outcome.failure for answer in answers]
    return answers


def measured(answer: Answer) -> list[Measurement]:
    """Of each target."""
    assert answer.outcome.result is not None
    return [target.measurements[0] for target in answer.outcome.result.trust.targets]


def map_of(held: Repository, name: str, opened: Opened, target: int) -> Tensor:
    """(H, W): what a model says when it is asked by itself."""
    card = next(card for card in held.cards() if card.id == name)
    model = held.get(card.ref)
    prepared = model.intake.prepare(opened.pixels, opened.job.image).tensor.unsqueeze(0)
    method = opened.job.method
    return explain(model.network, prepared, target, method.name, **method.params)[0]


def test_a_twin_agrees_wholly_and_another_as_far_as_its_ranks_do(
    held: Repository, keys: Keys, ask: Ask
) -> None:
    opened = judging(ask(0, targets=(0, 2)), keys["twin"], keys["other"])
    [answer] = run(Runner(held, "cpu"), opened)
    for said, target in zip(measured(answer), (0, 2), strict=True):
        own, its = (map_of(held, name, opened, target).abs().flatten() for name in ("owls", "other"))
        rho = spearmanr(own, its).statistic
        found = said.details["correlations"]
        assert found == {keys["twin"]: 1.0, keys["other"]: pytest.approx(rho, abs=2e-3)}
        assert said.value == pytest.approx((1 + rho) / 2, abs=2e-3)
        assert said.details["is_predicted"].keys() == said.details["scores"].keys() == found.keys()
        assert said.random is not None
        assert abs(said.random) < 0.1
        assert said.edges not in (None, said.value)


@pytest.mark.parametrize(("method", "params"), [("saliency", {}), ("grad-cam", {"relu": False})])
def test_another_size_is_laid_upon_the_pixels_of_the_map(
    held: Repository, keys: Keys, ask: Ask, method: str, params: dict[str, bool]
) -> None:
    opened = judging(ask(0, method, targets=(2,), **params), keys["larger"])
    [said] = measured(run(Runner(held, "cpu"), opened)[0])
    its = map_of(held, "larger", opened, 2)
    assert its.shape == (80, 100)
    laid = F.interpolate(its[None, None], size=(64, 64), mode="bilinear", antialias=True)[0, 0]
    own = map_of(held, "owls", opened, 2)
    assert said.value == pytest.approx(
        spearmanr(own.abs().flatten(), laid.abs().flatten()).statistic, abs=5e-3
    )


def test_what_the_other_was_not_shown_is_left_out(held: Repository, keys: Keys, ask: Ask) -> None:
    """Of 192 columns it is shown those from 32 to 160, in which 42 of the map's 64 have their middle."""
    opened = judging(ask(0, targets=(2,), shape=(128, 192, 3)), keys["cropped"])
    [said] = measured(run(Runner(held, "cpu"), opened)[0])
    own, its = (map_of(held, name, opened, 2) for name in ("owls", "cropped"))
    picture = torch.zeros(64, 192)
    picture[:, 32:160] = F.interpolate(its[None, None], size=(64, 128), mode="nearest")[0, 0]
    seen = slice(11, 53)
    coarse = picture.view(64, 64, 3).mean(dim=2)[:, seen].abs().flatten()
    rho = spearmanr(own[:, seen].abs().flatten(), coarse).statistic
    assert said.value == pytest.approx(rho, abs=0.05)  # boxes of three pixels here, triangles there
    assert rho > 0.1


@pytest.mark.parametrize("name", ["grey", "half"])
def test_it_is_shown_the_picture_in_its_own_way(held: Repository, keys: Keys, ask: Ask, name: str) -> None:
    opened = judging(ask(0, targets=(2,)), keys[name])
    [said] = measured(run(Runner(held, "cpu"), opened)[0])
    own, its = (map_of(held, one, opened, 2).abs().flatten() for one in ("owls", name))
    assert said.value == pytest.approx(spearmanr(own, its).statistic, abs=2e-3)
    assert said.value != pytest.approx(1, abs=0.01)


def test_what_is_random_is_drawn_alike(held: Repository, keys: Keys, ask: Ask) -> None:
    opened = judging(ask(0, "smoothgrad", (0, 2), seed=5, samples=4), keys["twin"])
    values = [said.value for said in measured(run(Runner(held, "cpu"), opened)[0])]
    assert values == pytest.approx([1.0, 1.0], abs=1e-5)  # chunks of other sizes round otherwise


def test_the_reference_is_prepared_for_the_other_model_too(held: Repository, keys: Keys, ask: Ask) -> None:
    def explain(probe: Probe, params: Any) -> Relevance:  # Any: parameters of saliency
        return Relevance((probe.inputs - probe.references).mean(dim=1), probe.input_size)

    method = replace(SALIENCY, needs=frozenset({Need.REFERENCE}), explain=explain)
    reference, pixels = ask(1, shape=(80, 80))
    job, image = ask(0, targets=(0,))
    opened = replace(judging((job, image), keys["grey"], reference=reference.image), reference=pixels)
    [said] = measured(run(Runner(held, "cpu", methods={"saliency": method}), opened)[0])
    differences = []
    for name in ("owls", "grey"):
        intake = held.get(ref(held, name)).intake
        one, other = (
            intake.prepare(*each).tensor for each in ((image, job.image), (pixels, reference.image))
        )
        differences.append((one - other).mean(dim=0).abs().flatten())
    assert said.value == pytest.approx(spearmanr(*differences).statistic, abs=1e-3)
    assert said.value != pytest.approx(1, abs=0.01)


def test_a_mixed_batch_is_told_what_its_jobs_are_told_alone(held: Repository, keys: Keys, ask: Ask) -> None:
    batch = [
        judging(ask(0, targets=(0, 2)), keys["other"], keys["larger"]),
        judging(ask(1, targets=(2,), seed=4), keys["larger"]),
        judging(ask(0, "grad-cam", (0,)), keys["other"]),
        Opened(*ask(3)),
        judging(ask(1, targets=(2,)), keys["other"], keys["larger"]),
    ]
    runner = Runner(held, "cpu")
    together = run(runner, *batch)
    for opened, answer in zip(batch, together, strict=True):
        [alone] = run(runner, opened)
        if opened.job.metrics:
            for one, lonely in zip(measured(answer), measured(alone), strict=True):
                assert one.value == pytest.approx(lonely.value, abs=2e-3)
                assert one.details["scores"] == pytest.approx(lonely.details["scores"], abs=1e-5)


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("unheard-of", "does not hold unheard-of"),
        ("other", "does not hold other"),
        ("other@000000000000", "does not hold other@000000000000"),
        ("renamed", "has other classes than owls@"),
    ],
)
def test_who_cannot_be_asked_costs_the_figure_and_not_the_map(
    held: Repository, keys: Keys, ask: Ask, named: str, words: str
) -> None:
    key = keys["renamed"] if named == "renamed" else named
    runner = Runner(held, "cpu")
    plain, failed = run(runner, Opened(*ask(0)), judging(ask(0, seed=1), keys["twin"], key))
    [said] = measured(failed)
    assert (said.value, list(said.details)) == (None, ["failed"])
    assert words in said.details["failed"]
    assert failed.maps == plain.maps


def test_disagreement_is_told_and_agreement_is_not(held: Repository, keys: Keys, ask: Ask) -> None:
    def explain(probe: Probe, params: Any) -> Relevance:  # Any: parameters of saliency
        first = next(iter(probe.images.shape[2:]))
        ramp = torch.arange(float(first * probe.images.shape[3])).view(1, first, -1) + 1
        return Relevance((1 / ramp if first == 80 else ramp).expand(len(probe), -1, -1), probe.input_size)

    methods: dict[str, Method[Any]] = {"saliency": replace(SALIENCY, explain=explain)}
    runner = Runner(held, "cpu", methods=methods)
    alike, apart = run(runner, judging(ask(0), keys["other"]), judging(ask(1), keys["larger"]))
    assert alike.outcome.result is not None
    assert apart.outcome.result is not None
    [one], [other] = alike.outcome.result.trust.targets, apart.outcome.result.trust.targets
    assert one.measurements[0].value == pytest.approx(1)
    assert other.measurements[0].value == pytest.approx(-1, abs=0.02)
    assert FindingCode.DISPUTED not in [finding.code for finding in one.findings]
    [text] = [finding.text for finding in other.findings if finding.code is FindingCode.DISPUTED]
    assert "others look elsewhere" in text


def test_what_one_row_is_refused_the_others_are_still_told(held: Repository, keys: Keys, ask: Ask) -> None:
    def explain(probe: Probe, params: Any) -> Relevance:  # Any: parameters of saliency
        if probe.input_size == (80, 100) and 1 in probe.targets:
            raise NotExplainable("not this class")
        relevance: Relevance = SALIENCY.explain(probe, params)
        return relevance

    methods: dict[str, Method[Any]] = {"saliency": replace(SALIENCY, explain=explain)}
    [answer] = run(Runner(held, "cpu", methods=methods), judging(ask(0, targets=(0, 1, 2)), keys["larger"]))
    first, refused, last = measured(answer)
    assert None not in (first.value, last.value)
    assert refused.value is None
    assert refused.details["refusals"] == {keys["larger"]: "not this class"}
    assert 0 < refused.details["scores"][keys["larger"]] < 1


class Cramped:
    """A method that finds memory full on the larger model where more than `most` rows come."""

    def __init__(self, most: int, room: Callable[[], bool] = lambda: False) -> None:
        self.most, self.room, self.sizes = most, room, list[int]()

    @property
    def methods(self) -> dict[str, Method[Any]]:  # Any: parameters of methods
        return {"saliency": replace(SALIENCY, explain=self.explain)}

    def explain(self, probe: Probe, params: Any) -> Relevance:  # Any: parameters of saliency
        if probe.input_size == (80, 100):
            self.sizes.append(len(probe))
            if len(probe) > self.most and not self.room():
                raise torch.OutOfMemoryError("device memory is full")
        relevance: Relevance = SALIENCY.explain(probe, params)
        return relevance


def test_where_memory_is_short_rows_are_asked_about_one_by_one(
    held: Repository, keys: Keys, ask: Ask
) -> None:
    cramped = Cramped(1)
    answers = run(
        Runner(held, "cpu", methods=cramped.methods),
        *(judging(ask(number), keys["larger"]) for number in range(3)),
    )
    assert cramped.sizes == [3, 1, 1, 1]
    assert all(measured(answer)[0].value is not None for answer in answers)


@pytest.fixture
def several(tmp_path: Path) -> Repository:
    for name, change in CHANGES.items():
        if name in ("owls", "other", "larger"):
            path = write_random(tmp_path, name) / "model.toml"
            path.write_text(path.read_text().replace(*change))
    return Repository(tmp_path, phantoms=False)


def ref(repository: Repository, name: str) -> ModelRef:
    return next(card.ref for card in repository.cards() if card.id == name)


@pytest.mark.parametrize("helps", [True, False])
def test_for_a_row_that_does_not_fit_alone_a_third_model_goes(
    several: Repository, ask: Ask, helps: bool
) -> None:
    several.get(ref(several, "other"))
    cramped = Cramped(0, lambda: helps and "other" not in several.loaded)
    opened = judging(ask(0), ref(several, "larger").key, model=ref(several, "owls"))
    [said] = measured(run(Runner(several, "cpu", methods=cramped.methods), opened)[0])
    assert cramped.sizes == [1, 1]
    assert sorted(several.loaded) == ["larger", "owls"]
    assert (said.value is not None) == helps
    if not helps:
        assert "device memory is full" in said.details["failed"]


@pytest.mark.parametrize("helps", [True, False])
def test_a_model_that_finds_no_room_makes_a_third_go_and_never_the_one_it_stands_beside(
    several: Repository, ask: Ask, monkeypatch: pytest.MonkeyPatch, helps: bool
) -> None:
    load = models._load

    def crowded(folder: Path, *rest: Any) -> Any:  # Any: passed on as it comes
        if folder.name == "larger" and not (helps and "other" not in several.loaded):
            raise torch.OutOfMemoryError("no room to load")
        return load(folder, *rest)

    monkeypatch.setattr(models, "_load", crowded)
    several.get(ref(several, "other"))
    opened = judging(ask(0), ref(several, "larger").key, model=ref(several, "owls"))
    [said] = measured(run(Runner(several, "cpu"), opened)[0])
    assert sorted(several.loaded) == (["larger", "owls"] if helps else ["owls"])
    assert (said.value is not None) == helps
    if not helps:
        assert "no room to load" in said.details["failed"]
