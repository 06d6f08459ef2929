"""Both clients: what they send, how they wait, what they try again, and what they raise."""

from __future__ import annotations

from email.message import Message
from email.parser import BytesParser

import httpx
import numpy as np
import pytest

from jobs.errors import (
    DeadlineUnmeetable,
    Forbidden,
    Gone,
    InvalidRequest,
    NotExplainable,
    NotFinished,
    NotFound,
    QueueFull,
    RationaleError,
    Unauthorised,
    Unavailable,
)
from rationale import Explanation
from rationale.calls import FIRST_PAUSE_SECONDS, MOST_TRIES
from tests.unit.rationale.script import KINDS, MAP, URL, Script, ask, document, pauses_of, problem, said

pytestmark = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    return pauses_of(monkeypatch.setattr)


def form_of(request: httpx.Request) -> list[Message]:
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    parts = BytesParser().parsebytes(head + request.read()).get_payload()
    assert isinstance(parts, list)
    return [part for part in parts if isinstance(part, Message)]


def name_of(part: Message) -> str:
    name = part.get_param("name", header="content-disposition")
    assert isinstance(name, str)
    return name


async def test_a_question_becomes_a_form(kind: str) -> None:
    script = Script([said(document())])
    question = {
        "model": "m",
        "method": "rise",
        "target": ["nodule", 0],
        "params": {"max_samples": 10},
        "metrics": ["deletion"],
        "metric_params": {"deletion": {"steps": 5}},
        "seed": 3,
        "lane": "bulk",
        "deadline": 2.5,
    }
    await ask(kind, script, "explain", b"image", mask=b"mask", reference=b"other", key="k", **question)
    post = script.asked[0]
    assert (post.method, post.url.path) == ("POST", "/api/v1/explanations")
    assert post.headers["authorization"] == "Bearer k"
    parts = [(name_of(part), part.get_payload(decode=True)) for part in form_of(post)]
    assert sorted(parts) == sorted(
        [
            ("image", b"image"),
            ("mask", b"mask"),
            ("reference", b"other"),
            ("model", b"m"),
            ("method", b"rise"),
            ("target", b"nodule"),
            ("target", b"0"),
            ("params", b'{"max_samples": 10}'),
            ("metrics", b"deletion"),
            ("metric_params", b'{"deletion": {"steps": 5}}'),
            ("seed", b"3"),
            ("lane", b"bulk"),
            ("deadline", b"2.5"),
        ]
    )


async def test_an_explanation_has_maps_pictures_and_what_is_known(kind: str) -> None:
    script = Script([said(document())])
    found = await ask(kind, script, "explain", b"image", model="m", overlay={"opacity": 0.3})
    assert np.array_equal(found.map, 2 * MAP)
    assert np.array_equal(found["none"].map, 0 * MAP)
    assert found[2].label == "nodule"
    assert found.overlay().getpixel((0, 0)) == 2
    assert found.id == "abc"
    assert found.predictions
    assert found.trust.not_localisation
    overlays = [request.url for request in script.seen if request.url.path == "/overlays/2"]
    assert dict(overlays[0].params) == {"opacity": "0.3", "format": "png"}
    with pytest.raises(InvalidRequest, match=r"unicorn was not explained; there are: 2 \(nodule\), 0"):
        found["unicorn"]


async def test_it_waits_until_the_end_and_tells_how_far_it_is(kind: str) -> None:
    script = Script(
        [
            said(document("queued", progress=0.0), 202),
            said(document("running", progress=0.25)),
            said(document()),
        ]
    )
    told: list[float] = []
    await ask(kind, script, "explain", b"image", model="m", progress=told.append)
    assert told == [0.0, 0.25, 1.0]
    assert [request.headers.get("prefer") for request in script.asked] == [None, "wait=1", "wait=1"]


async def test_who_has_waited_long_enough_is_told_the_id(kind: str) -> None:
    script = Script([said(document("running"), 202)])
    with pytest.raises(NotFinished, match="abc is running still"):
        await ask(kind, script, "explain", b"image", model="m", wait=0)
    assert len(script.asked) == 1


async def test_an_explanation_is_found_again(kind: str) -> None:
    script = Script([said(document("running")), said(document())])
    found = await ask(kind, script, "get", "abc")
    assert [request.url.path for request in script.asked] == ["/api/v1/explanations/abc"] * 2
    assert np.array_equal(found.map, 2 * MAP)


async def test_what_is_newer_than_the_client_is_left_out(kind: str) -> None:
    newer = document(more="yes")
    newer["targets"][0]["map"]["more"] = newer["trust"]["more"] = {"yes": 1}
    newer["predictions"][0]["more"] = [1]
    found = await ask(kind, Script([said(newer)]), "explain", b"image", model="m")
    assert np.array_equal(found.map, 2 * MAP)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (422, "invalid-request", InvalidRequest),
        (401, "unauthorised", Unauthorised),
        (403, "forbidden", Forbidden),
        (404, "not-found", NotFound),
        (422, "not-explainable", NotExplainable),
        (418, "of-the-future", RationaleError),
    ],
)
async def test_a_refusal_is_the_error_of_its_code(
    kind: str, status: int, code: str, expected: type[RationaleError]
) -> None:
    script = Script([problem(status, code, target="is no class")])
    with pytest.raises(expected, match=f"because of {code}") as caught:
        await ask(kind, script, "explain", b"image", model="m")
    assert type(caught.value) is expected
    assert [(one.field, one.message) for one in caught.value.problems] == [("target", "is no class")]
    assert caught.value.__notes__ == ["target: is no class"]
    assert len(script.asked) == 1


async def test_a_failed_and_a_cancelled_job_are_errors(kind: str) -> None:
    error = {"code": "not-explainable", "detail": "no layer", "errors": [{"field": "x", "message": "y"}]}
    with pytest.raises(NotExplainable, match="no layer") as caught:
        await ask(kind, Script([said(document("failed", error=error))]), "explain", b"image", model="m")
    assert caught.value.problems[0].field == "x"
    with pytest.raises(Gone, match="abc was cancelled"):
        await ask(kind, Script([said(document("cancelled"))]), "explain", b"image", model="m")


async def test_a_busy_service_is_asked_again_when_it_says_and_nothing_is_done_twice(
    kind: str, pauses: list[float]
) -> None:
    script = Script(
        [
            problem(503, "queue-full", retry_after=3),
            problem(429, "tenant-full", retry_after=99),
            httpx.ConnectError("refused"),
            said(document()),
        ]
    )
    await ask(kind, script, "explain", b"image", model="m")
    assert pauses == [3, 30, 4 * FIRST_PAUSE_SECONDS]
    keys = {request.headers["idempotency-key"] for request in script.asked}
    assert len(script.asked) == 4
    assert len(keys) == 1


async def test_it_gives_up_in_the_end_with_what_was_said_last(kind: str, pauses: list[float]) -> None:
    with pytest.raises(QueueFull) as caught:
        await ask(kind, Script([problem(503, "queue-full", retry_after=7)]), "explain", b"image", model="m")
    assert caught.value.retry_after == 7
    assert pauses == [7] * (MOST_TRIES - 1)
    with pytest.raises(Unavailable, match="the service does not answer: gone"):
        await ask(kind, Script([httpx.ReadError("gone")]), "explain", b"image", model="m")


async def test_a_deadline_that_cannot_be_met_is_not_tried_again(kind: str, pauses: list[float]) -> None:
    script = Script([problem(503, "deadline-unmeetable", retry_after=7)])
    with pytest.raises(DeadlineUnmeetable):
        await ask(kind, script, "explain", b"image", model="m", deadline=1.0)
    assert not pauses


async def test_what_is_no_service_is_said_to_be_none(kind: str) -> None:
    with pytest.raises(InvalidRequest, match="answered 404; is it a Rationale service"):
        await ask(kind, Script([httpx.Response(404, text="no")]), "models")


async def test_many_images_come_in_their_order_and_errors_in_their_places(kind: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        [image] = [part for part in form_of(request) if name_of(part) == "image"]
        [lane] = [part for part in form_of(request) if name_of(part) == "lane"]
        assert lane.get_payload() == "bulk"
        if image.get_payload(decode=True) == b"bad":
            return problem(422, "damaged")
        return said(document())

    class Answering(Script):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            return answer(request) if request.method == "POST" else super().__call__(request)

    told: list[float] = []
    images = [b"good", b"bad", b"good"]
    found = await ask(
        kind,
        Answering([said(document())]),
        "explain_many",
        images,
        model="m",
        in_flight=2,
        progress=told.append,
    )
    assert [type(one).__name__ for one in found] == ["Explanation", "Damaged", "Explanation"]
    assert told == [1, 2, 3]


async def test_no_more_images_are_taken_than_are_in_flight(kind: str) -> None:
    taken = 0

    def images() -> object:
        nonlocal taken
        for _ in range(7):
            taken += 1
            assert taken - len(script.finished) <= 3
            yield b"image"

    class Counting(Script):
        finished: list[str]

        def __call__(self, request: httpx.Request) -> httpx.Response:
            answer = super().__call__(request)
            if request.url.path == "/overlays/0":  # the last thing that is fetched
                self.finished.append("one")
            return answer

    script = Counting([said(document())])
    script.finished = []
    found = await ask(kind, script, "explain_many", images(), model="m", in_flight=3)
    assert len(found) == taken == 7
    assert all(isinstance(one, Explanation) for one in found)


async def test_it_can_be_erased(kind: str) -> None:
    script = Script([httpx.Response(204)])
    await ask(kind, script, "erase", "abc")
    assert [(request.method, str(request.url)) for request in script.asked] == [
        ("DELETE", f"{URL}/api/v1/explanations/abc")
    ]
