"""Jobs on repaired models, from their JSON to their results, on a runner that knows only the base."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from jobs.causal import Cut, MaskingAnswer, MaskingQuestion, Paths
from jobs.fingerprint import pixels_digest
from jobs.job import ImageRef, Job, Message, MethodRef, MetricRef, ModelRef, Opened
from jobs.repair import WeightCut, merged
from jobs.result import Result
from tests.samples import repaired_model
from workers.models.repository import Model, Repository
from workers.onlooker import Onlooker
from workers.phantom.scenes import LABELS, draw
from workers.runner import Answer, Runner

BASE = "phantom-resnet"
CUTS = (
    WeightCut(weight="layer1.conv1.weight", rows=tuple(range(16)), columns=(1, 4)),
    WeightCut(weight="layer2.shortcut.0.weight", rows=(0, 5), columns=(3, 9, 11)),
)
PIXELS = np.random.default_rng(3).integers(0, 256, (96, 96), dtype=np.uint8).tobytes()


def base() -> ModelRef:
    return next(card.ref for card in Repository().cards() if card.id == BASE)


def radiograph(number: int) -> bytes:
    return draw(7_300_000 + number, finding=LABELS[number % len(LABELS)]).image.tobytes()


def image_of(pixels: bytes) -> ImageRef:
    digest = pixels_digest(pixels, shape=(96, 96), dtype="uint8")
    return ImageRef(key=digest, digest=digest, height=96, width=96, channels=1, dtype="uint8")


def opened(model: ModelRef, *metrics: MetricRef, pixels: bytes = PIXELS) -> Opened:
    method = MethodRef(name="grad-cam", version=1)
    job = Job(
        id=model.own_key,
        tenant="clinic",
        model=model,
        method=method,
        image=image_of(pixels),
        targets=(1,),
        metrics=metrics,
    )
    return Opened(Job.model_validate_json(job.model_dump_json()), pixels)


def run(*batch: Opened) -> list[Answer]:
    """On a worker that has just been started."""
    return Runner(Repository(), "cpu").run(batch, Onlooker())


def result(*batch: Opened) -> Result:
    [answer] = run(*batch)
    assert answer.outcome.result is not None, answer.outcome.failure
    return answer.outcome.result


def edited() -> tuple[Model, Tensor]:
    """The base with its state dict edited by hand, and its logits (K,)."""
    model = Repository().get(base())
    state = model.network.state_dict()
    for cut in CUTS:
        keep = torch.ones(state[cut.weight].shape[:2])
        keep[np.ix_(cut.rows, cut.columns)] = 0
        state[cut.weight] = state[cut.weight] * keep[:, :, None, None]
    model.network.load_state_dict(state)
    image = model.intake.prepare(PIXELS, opened(base()).job.image).tensor
    with torch.no_grad():
        logits: Tensor = model.network(image.unsqueeze(0))[0]
    return model, logits


def logits_of(found: Result) -> list[float]:
    return [one.logit for one in sorted(found.predictions, key=lambda one: one.index)]


def test_its_answers_are_those_of_the_network_edited_by_hand() -> None:
    model, wanted = repaired_model(base(), *CUTS), edited()[1]
    found = result(opened(model))
    assert logits_of(found) == wanted.tolist()
    assert logits_of(result(opened(base()))) != wanted.tolist()
    assert found.provenance.base == base().digest
    assert "changed model" in found.trust.validated_for
    again = result(opened(model))
    assert (logits_of(again), again.targets) == (logits_of(found), found.targets)


def surveyed(model: ModelRef, pictures: list[bytes], survey: str, question: Message) -> dict[str, Any]:
    """What a survey of pictures of 96 x 96 finds."""
    images = tuple(image_of(one) for one in pictures)
    method = MethodRef(name=survey, version=1, params=question.model_dump(mode="json"))
    job = Job(id="survey-s", tenant="clinic", model=model, method=method, image=images[0], survey=images)
    findings = result(Opened(job, pictures[0], survey=tuple(pictures))).findings
    assert findings is not None
    return findings


def test_it_predicts_what_a_survey_of_masks_foretold() -> None:
    plain = base()
    pictures = [radiograph(number) for number in range(8)]
    masks = ((Cut(layer="layer1.conv1", nodes=(1, 5, 9)), Cut(layer="layer2.conv1", nodes=tuple(range(20)))),)
    question = MaskingQuestion(masks=masks, paths=Paths.WEIGHTS)
    answer = MaskingAnswer.model_validate(surveyed(plain, pictures, "masked-predictions", question))
    repaired = repaired_model(plain, *merged(answer.weights[0]))

    predicted = [result(opened(repaired, pixels=one)).predictions[0].index for one in pictures]
    before = [result(opened(plain, pixels=one)).predictions[0].index for one in pictures]

    assert tuple(predicted) == answer.predicted[0]
    assert predicted != before
    nothing = MaskingQuestion(masks=((),), paths=Paths.WEIGHTS)
    again = surveyed(repaired, pictures, "masked-predictions", nothing)
    assert tuple(again["predicted"][0]) == answer.predicted[0]


def test_a_result_of_a_plain_model_does_not_speak_of_repairs() -> None:
    found: dict[str, Any] = result(opened(base())).model_dump(mode="json")
    assert "base" not in found["provenance"]


def test_a_repair_that_does_not_fit_costs_its_jobs_and_no_others() -> None:
    runner = Runner(Repository(), "cpu")
    wrong = repaired_model(base(), WeightCut(weight="stem.0.weight", rows=(99,), columns=(0,)))
    [answer] = runner.run([opened(wrong)], Onlooker())
    failure = answer.outcome.failure
    assert failure is not None
    assert failure.code == "not-explainable"
    assert [problem.field for problem in failure.problems] == ["model"]
    assert "'stem.0.weight' has 16 rows" in failure.detail
    [fine] = runner.run([opened(base())], Onlooker())
    assert fine.outcome.failure is None


@pytest.mark.parametrize("turned", [False, True], ids=["of the base", "of the repaired one"])
def test_it_is_another_model_to_ask(turned: bool) -> None:
    plain, repaired = base(), repaired_model(base(), *CUTS)
    explained, other = (repaired, plain) if turned else (plain, repaired)
    brought = tuple(ref for ref in (other,) if ref.repair is not None)
    metric = MetricRef(
        name="model-consensus", version=1, params={"models": [other.own_key]}, repaired=brought
    )
    found = result(opened(explained, metric))
    [measured] = found.trust.targets[0].measurements
    expected = {True: Repository().get(plain).network, False: edited()[0].network}[turned]
    image = edited()[0].intake.prepare(PIXELS, opened(plain).job.image).tensor.unsqueeze(0)
    with torch.no_grad():
        score = float(expected(image).softmax(dim=1)[0, 1])
    assert measured.details["scores"] == {other.own_key: pytest.approx(score, abs=1e-6)}
    assert measured.value is not None
    assert -1 <= measured.value < 1


def test_one_that_no_job_brings_is_not_held() -> None:
    other = repaired_model(base(), *CUTS)
    metric = MetricRef(name="model-consensus", version=1, params={"models": [other.own_key]})
    found = result(opened(base(), metric))
    [measured] = found.trust.targets[0].measurements
    assert measured.value is None
    assert measured.details == {"failed": f"this worker does not hold {other.own_key}"}
