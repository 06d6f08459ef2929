"""Signatures: those of Standard Webhooks, verified the way its page tells receivers to."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Callable

import pytest
from pydantic import SecretStr

from app.webhooks.signing import new_secret, signed
from tests.unit.deployment import read

# The example that the libraries of Standard Webhooks test themselves with.
SECRET = SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
EXAMPLE = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')


def test_the_known_example_has_the_known_signature() -> None:
    assert signed([SECRET], *EXAMPLE) == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_every_secret_signs() -> None:
    old, new = SECRET, new_secret()
    signatures = signed([new, old], *EXAMPLE)["webhook-signature"].split(" ")
    assert signatures[1] == signed([old], *EXAMPLE)["webhook-signature"]
    key = base64.b64decode(new.get_secret_value().partition("_")[2])
    content = b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330." + EXAMPLE[2]
    digest = hmac.new(key, content, hashlib.sha256).digest()
    assert signatures[0] == "v1," + base64.b64encode(digest).decode()


def test_the_lines_of_the_documentation_verify_a_call_and_nothing_else() -> None:
    [lines] = re.findall(
        r"^```python\n(import base64.*?)^```", read("docs/operations.md"), re.MULTILINE | re.DOTALL
    )
    found: dict[str, Callable[[str, dict[str, str], bytes], None]] = {}
    exec(lines, found)  # noqa: S102 - the lines are our own
    verify = found["verify"]
    new, body = new_secret(), b'{"type":"explanation.done"}'
    headers = signed([new, SECRET], "msg_1", int(time.time()), body)
    for secret in (new, SECRET):
        verify(secret.get_secret_value(), headers, body)
    old = signed([new], "msg_1", int(time.time()) - 1000, body)
    for given, content, secret in (
        (headers, body + b" ", new),
        (headers, body, new_secret()),
        (old, body, new),
    ):
        with pytest.raises(ValueError, match="believed"):
            verify(secret.get_secret_value(), given, content)
    with pytest.raises(ValueError, match="believed"):
        verify(new.get_secret_value(), headers | {"webhook-id": "msg_2"}, body)


def test_secrets_are_long_and_different() -> None:
    secrets = {new_secret().get_secret_value() for _ in range(10)}
    assert len(secrets) == 10
    assert all(len(base64.b64decode(secret.removeprefix("whsec_"))) == 32 for secret in secrets)
