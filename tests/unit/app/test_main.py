"""The API stays free of torch, prints its contract, and refuses to serve strangers without keys."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from app import main
from app.main import create_app
from app.settings import ApiSettings
from jobs.errors import InvalidRequest


def test_the_api_process_imports_no_torch() -> None:
    code = "import sys, app.main; sys.exit('torch' in sys.modules or 'workers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_printed_contract_is_the_apis_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "argv", ["app.main", "--check"])
    assert main.main() == 0
    monkeypatch.setattr(main, "PRINTED", tmp_path / "openapi.json")
    assert main.main() == 1
    assert "make openapi" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["app.main"])
    assert main.main() == 0
    monkeypatch.setattr(sys, "argv", ["app.main", "--check"])
    assert main.main() == 0


def test_without_keys_it_serves_loopback_only() -> None:
    with pytest.raises(InvalidRequest, match="loopback"):
        create_app(ApiSettings(host="0.0.0.0"))  # noqa: S104 - refused here


def test_the_contract_names_every_status_and_asks_for_a_key() -> None:
    document = create_app(ApiSettings()).openapi()
    for path, operations in document["paths"].items():
        public = path in {"/livez", "/readyz"}
        for operation in operations.values():
            assert operation["summary"]
            assert {"500", "503"} <= operation["responses"].keys()
            assert ("401" in operation["responses"]) is (not public)
            assert ("security" in operation) is (not public)
    names = document["components"]["schemas"].keys()
    assert {"Explanation", "ProblemBody", "ExplanationRequest", "BatchRequest"} <= names
    assert "HTTPValidationError" not in names
