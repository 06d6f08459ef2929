"""Which parameters are quantities, and what they could as well have been."""

from __future__ import annotations

from typing import Literal

import pytest
from pydantic import Field, model_validator

from workers.declare import LayerParams
from workers.methods import METHODS
from workers.variants import variants


class Chosen(LayerParams):
    """Of every kind."""

    samples: int = Field(25, ge=2, le=40)
    noise: float = Field(0.5, gt=0, le=2)
    steps: int = Field(1, ge=1, le=8)
    against: int | None = Field(None, ge=0)
    tolerance: float | None = Field(0.1, gt=0, lt=0.15)
    absolute: bool = False
    kind: Literal["mean", "variance"] = "mean"
    pull: float = Field(0.0, ge=0)

    @model_validator(mode="after")
    def _noise_has_samples(self) -> Chosen:
        if self.noise > self.samples:
            raise ValueError("too noisy")
        return self


def test_quantities_are_halved_and_doubled_within_their_bounds() -> None:
    found = dict(variants(Chosen(layer="stem", against=4, absolute=True)))
    assert list(found) == ["samples=12", "samples=40", "noise=0.25", "noise=1", "steps=2", "tolerance=0.05"]
    assert found["noise=1"] == Chosen(layer="stem", against=4, absolute=True, noise=1)
    assert isinstance(found["samples=12"].samples, int)


def test_what_was_asked_for_is_varied_and_what_rules_forbid_is_left_out() -> None:
    found = [name for name, _ in variants(Chosen(samples=2, noise=2.0, tolerance=None))]
    assert found == ["samples=4", "noise=1", "steps=2"]


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_a_variant_of_any_method_differs_in_one_number_and_never_in_seconds(method: object) -> None:
    params = METHODS[method.name].params()  # type: ignore[attr-defined]  # any method
    usual = params.model_dump()
    for name, variant in variants(params):
        changed = {field for field, value in variant.model_dump().items() if value != usual[field]}
        assert changed == {name.partition("=")[0]}
        assert not any("seconds" in field or "layer" in field for field in changed)
