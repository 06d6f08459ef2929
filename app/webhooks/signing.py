"""Signatures after Standard Webhooks: HMAC-SHA256 over id, time and body."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, PlainSerializer, SecretStr

PREFIX = "whsec_"
SECRET_BYTES = 32

WebhookSecret = Annotated[
    SecretStr,
    Field(min_length=len(PREFIX) + 32),
    PlainSerializer(lambda secret: secret.get_secret_value(), return_type=str, when_used="json"),
]


def new_secret() -> SecretStr:
    """A secret that nobody has had before."""
    return SecretStr(PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode())


def signed(secrets: Sequence[SecretStr], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of a message, with a signature by each secret."""
    content = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{_signature(secret, content)}" for secret in secrets),
    }


def _signature(secret: SecretStr, content: bytes) -> str:
    key = base64.b64decode(secret.get_secret_value().removeprefix(PREFIX))
    return base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
