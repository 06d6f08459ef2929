"""Settings come from `RATIONALE_...` variables and arguments, within limits."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from app.settings import ApiSettings


def test_the_environment_is_read_and_arguments_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATIONALE_PORT", "9000")
    monkeypatch.setenv("RATIONALE_MAX_PIXELS", "1000")
    assert ApiSettings().port == 9000
    settings = ApiSettings.model_validate({"port": 1})
    assert (settings.port, settings.max_pixels) == (1, 1000)


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "70000"), ("SECRET", "short"), ("NAMESPACE", "a:b{}"), ("MAX_PIXELS", "0")]
)
def test_values_out_of_bounds_are_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"RATIONALE_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        ApiSettings()


def test_every_setting_has_a_sentence_and_secrets_stay_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, field in ApiSettings.model_fields.items():
        assert field.description, name
    monkeypatch.setenv("RATIONALE_SECRET", "s" * 40)
    assert "sss" not in repr(ApiSettings())
