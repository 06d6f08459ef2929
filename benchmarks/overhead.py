"""What the service adds to the computing of one explanation when nothing else is going on."""

from __future__ import annotations

import json
from statistics import median

from app.session import private_service
from benchmarks import load
from benchmarks.figures import Figure
from benchmarks.pictures import explanation_request, phantom_pngs

REQUESTS = 100
WARM_UP = 20


def measure() -> list[Figure]:
    """Median of end to end minus compute, one request at a time, every image new."""
    pngs = phantom_pngs(REQUESTS + WARM_UP, first_seed=50_000)
    requests = [explanation_request(png, model="phantom-resnet", method="grad-cam") for png in pngs]
    with private_service(durable=True) as address:
        answers = load.run(address, requests, connections=1).answers[WARM_UP:]
    computed = [json.loads(answer.body)["timings"]["compute_s"] for answer in answers]
    added = [answer.seconds - seconds for answer, seconds in zip(answers, computed, strict=True)]
    return [
        Figure(
            name="end to end minus compute, p50, one at a time (phantom-resnet, grad-cam)",
            ours=f"{1000 * median(answer.seconds for answer in answers):.1f} ms end to end",
            peer=f"{1000 * median(computed):.1f} ms compute",
            value=1000 * median(added),
            goal=15,
            unit=" ms",
            lower_is_better=True,
        )
    ]
