"""The key names: the table in the docstring is the truth, and one slot holds them all."""

from __future__ import annotations

import re

from jobs import keys as module
from jobs.keys import Keys
from tests.samples import FLOW, sample_model

KEYS = Keys("shop")


def spelled() -> set[str]:
    model = sample_model()
    return {
        KEYS.job("x"),
        KEYS.result("x"),
        KEYS.maps("x"),
        KEYS.draft("x"),
        KEYS.image("x"),
        KEYS.image_users("x"),
        KEYS.image_set("x"),
        KEYS.queue(model.key, FLOW),
        KEYS.flows(model.key),
        KEYS.bell(model.key, FLOW.lane),
        KEYS.unfinished(model.key),
        KEYS.pending("x"),
        KEYS.pace(model.key),
        KEYS.load(model.key),
        KEYS.tenant_load("x"),
        KEYS.events("x"),
        KEYS.binding("x"),
        KEYS.sanity(model.key),
        KEYS.causal_graphs("x", model.key),
        KEYS.causal_excerpts("x", model.key),
        KEYS.webhooks("x"),
        KEYS.analysis("x"),
        KEYS.analysis_parts("x"),
        KEYS.analysis_jobs("x"),
        KEYS.tenant_analyses("x"),
        KEYS.analyses,
        KEYS.repairs("x"),
        KEYS.repair_cuts("x"),
        KEYS.calls,
        KEYS.dead,
        KEYS.worker("x"),
        KEYS.workers,
        KEYS.model(model.key),
        KEYS.models,
    }


def test_the_table_names_every_key() -> None:
    words = {name.split(":")[1] for name in spelled()}
    table = re.findall(r"^\| `([a-z-]+)", module.__doc__ or "", flags=re.MULTILINE)
    assert sorted(table) == sorted(words)


def test_all_keys_lie_on_one_slot() -> None:
    assert all(name.startswith("{shop}:") for name in spelled() | {KEYS.changes})


def test_a_queue_belongs_to_exact_weights() -> None:
    one, other = sample_model("net", weights="v1"), sample_model("net", weights="v2")
    assert KEYS.queue(one.key, FLOW) != KEYS.queue(other.key, FLOW)
