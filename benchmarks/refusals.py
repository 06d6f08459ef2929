"""A full queue under 64 posters: how soon each is refused, and whether `Retry-After` is true."""

from __future__ import annotations

import re
import time
from statistics import median, quantiles

from app.session import private_service
from benchmarks import load
from benchmarks.figures import Figure
from benchmarks.pictures import explanation_request, phantom_pngs

POSTERS = 64
POSTS = 1000
REPEATS = 40  # of what is refused, again and again, long enough for the pace to be learnt under this load
WARM_UP = 32
CAPACITY = 128
FILLING = CAPACITY + POSTERS
POLL_SECONDS = 0.05
REFUSED = frozenset({429, 503})
SETTINGS = {
    "RATIONALE_QUEUE_CAPACITY": str(CAPACITY),
    "RATIONALE_TENANT_CAPACITY": str(10 * CAPACITY),
    "RATIONALE_TENANT_SECONDS": "1000000",
    "RATIONALE_DECODE_SECONDS": "20",  # the worker takes every core
}


def measure() -> list[Figure]:
    """One worker drains meanwhile; when the posters stop, what they left is timed until it is done."""
    pngs = phantom_pngs(WARM_UP + FILLING + POSTS, first_seed=70_000)
    warm_up = [_request(png, wait=60) for png in pngs[:WARM_UP]]
    posts = [_request(png, wait=0) for png in pngs[WARM_UP:]]
    with private_service(settings=SETTINGS, durable=True) as address:
        load.run(address, warm_up, connections=WARM_UP)
        load.run(address, posts[:FILLING], connections=POSTERS, accepted=REFUSED)
        flood = load.run(address, REPEATS * posts[FILLING:], connections=POSTERS, accepted=REFUSED)
        started = time.perf_counter()
        while _depth(address):
            time.sleep(POLL_SECONDS)
        drained = time.perf_counter() - started
    refusals = [answer for answer in flood.answers if answer.status in REFUSED]
    promised = median(answer.retry_after or 0 for answer in refusals[-POSTERS:])
    return [*_figures([answer.seconds for answer in refusals]), _promise(promised, drained)]


def _request(png: bytes, *, wait: int) -> bytes:
    return explanation_request(png, model="phantom-resnet", method="occlusion", wait=wait)


def _figures(seconds: list[float]) -> list[Figure]:
    percentiles = {50: median(seconds), 99: quantiles(seconds, n=100)[98]}
    return [
        Figure(
            name=f"refusal by a full queue, p{percent}, {POSTERS} posters, a worker draining",
            ours=f"{len(seconds)} refused",
            peer="-",
            value=1000 * value,
            goal=50 if percent == 99 else None,
            unit=" ms",
            lower_is_better=True,
        )
        for percent, value in percentiles.items()
    ]


def _promise(promised: float, drained: float) -> Figure:
    return Figure(
        name="Retry-After of the last refusals beside the drain that followed, the larger by the smaller",
        ours=f"{promised:g} s promised",
        peer=f"{drained:.1f} s until all was done",
        value=max(promised / drained, drained / promised),
        goal=2,
        lower_is_better=True,
    )


def _depth(address: str) -> float:
    text = load.run(address, [load.get("/metrics")], connections=1).answers[0].body.decode()
    return sum(
        float(value) for value in re.findall(r"^rationale_queue_depth\{.*\} (.*)$", text, re.MULTILINE)
    )


if __name__ == "__main__":
    from benchmarks.figures import print_figures

    print_figures(measure())
