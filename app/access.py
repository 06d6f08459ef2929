"""API keys: who may call, and as which tenant."""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.webhooks.signing import WebhookSecret, new_secret
from app.webhooks.urls import WebhookHost
from jobs.errors import InvalidRequest, NotFound, Problem, Unauthorised

LOCAL_TENANT = "local"
SECRET_BYTES = 32
LOG = logging.getLogger(__name__)

TenantName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class ApiKey(BaseModel):
    """A key as the file keeps it: everything but its secret."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9]{8,32}$")
    name: str = Field(min_length=1, max_length=128)
    tenant: TenantName
    created: datetime
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Digest of the secret part.")
    webhook_hosts: tuple[WebhookHost, ...] = Field((), description="Where webhooks may go.")
    webhook_secrets: tuple[WebhookSecret, ...] = Field(
        (), max_length=2, description="What signs calls, the newest first; the older one is being replaced."
    )


class KeysFile(BaseModel):
    """The content of a keys file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keys: tuple[ApiKey, ...] = ()


class Access:
    """Tells the tenant of a request; without a keys file everybody is the tenant `local`."""

    def __init__(self, keys_file: Path | None) -> None:
        self._path = keys_file
        self._stamp: tuple[int, int, int] | None = None
        self._keys: dict[str, ApiKey] = {}

    @property
    def open(self) -> bool:
        """Whether no key is asked for."""
        return self._path is None

    def tenant(self, authorization: str | None) -> str:
        """The tenant of an `Authorization` header; raises `Unauthorised`."""
        if self._path is None:
            return LOCAL_TENANT
        scheme, prefix, key_id, secret = _parts(authorization)
        key = self.key(key_id)
        matches = hmac.compare_digest(_digest(secret), key.sha256 if key else _digest(""))
        if key is None or not matches or prefix != "rat" or scheme.lower() != "bearer":
            raise Unauthorised("Send an API key that is known here: `Authorization: Bearer rat_...`.")
        return key.tenant

    def key(self, key_id: str) -> ApiKey | None:
        """The key of this id as the file has it now."""
        if self._path is not None:
            self._reload(self._path)
        return self._keys.get(key_id)

    def key_of(self, authorization: str | None) -> ApiKey | None:
        """The key of a request that was admitted; None where no key is asked for."""
        return self.key(_parts(authorization)[2])

    def _reload(self, path: Path) -> None:
        """Read the file again when it changed; one that cannot be read admits nobody."""
        try:
            stat = path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if stamp != self._stamp:
                self._keys = {key.id: key for key in list_keys(path)}
                self._stamp = stamp
        except (OSError, ValidationError):
            LOG.exception("the keys file %s cannot be read; nobody is admitted", path)
            self._keys, self._stamp = {}, None


def create_key(path: Path, *, name: str, tenant: str, webhook_hosts: Sequence[str] = ()) -> str:
    """Add a key to the file and return it, `rat_<id>_<secret>`; its secret is kept nowhere."""
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(SECRET_BYTES)
    key = ApiKey(
        id=key_id,
        name=name,
        tenant=tenant,
        created=datetime.now(UTC),
        sha256=_digest(secret),
        webhook_hosts=tuple(webhook_hosts),
        webhook_secrets=(new_secret(),) if webhook_hosts else (),
    )
    _write(path, (*(list_keys(path) if path.exists() else ()), key))
    return f"rat_{key_id}_{secret}"


def list_keys(path: Path) -> tuple[ApiKey, ...]:
    """The keys of a file; raises OSError or ValidationError when it cannot be read."""
    return KeysFile.model_validate_json(path.read_bytes()).keys


def find_key(path: Path, key_id: str) -> ApiKey:
    """The key of an id; raises `NotFound`."""
    found = next((key for key in list_keys(path) if key.id == key_id), None)
    if found is None:
        raise NotFound(f"There is no key {key_id!r} in {path}.")
    return found


def revoke_key(path: Path, key_id: str) -> ApiKey:
    """Take a key out of the file; raises `NotFound`. Running servers see it with their next request."""
    revoked = find_key(path, key_id)
    _write(path, tuple(key for key in list_keys(path) if key.id != key_id))
    return revoked


def set_webhooks(path: Path, key_id: str, *, hosts: Sequence[str], new: bool) -> ApiKey:
    """Let the webhooks of a key go to these hosts and no others; `new` replaces the secret that signs.

    Calls are signed with the replaced secret too, until the next one is replaced. Raises `NotFound`.
    """
    key = find_key(path, key_id)
    kept = key.webhook_secrets
    if new or not kept:
        kept = (new_secret(), *kept[:1])
    changed = ApiKey.model_validate(dict(key) | {"webhook_hosts": tuple(hosts), "webhook_secrets": kept})
    _write(path, tuple(changed if each.id == key_id else each for each in list_keys(path)))
    return changed


def check_address(host: str, keys_file: Path | None) -> None:
    """Raise `InvalidRequest` when a server without keys would listen beyond this machine, or has no file.

    A file of keys that cannot be read raises OSError or ValidationError.
    """
    if keys_file is not None:
        if not keys_file.exists():
            raise InvalidRequest(
                f"There is no file of API keys at {keys_file}; `rationale keys create` makes one.",
                problems=(Problem(field="keys_file", message="must exist"),),
            )
        list_keys(keys_file)
    elif not is_loopback(host):
        raise InvalidRequest(
            f"Without API keys the service listens on loopback only, not on {host!r}. Create a key "
            "(`rationale keys create`) and set RATIONALE_KEYS_FILE, or listen on 127.0.0.1.",
            problems=(Problem(field="host", message="must be a loopback address without API keys"),),
        )


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only mean this machine."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def server_secret(data_dir: Path) -> bytes:
    """The secret behind every id, made and kept (mode 0600) in the data directory the first time.

    Raises InvalidRequest when the file holds less than one.
    """
    path = data_dir / "secret"
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        scratch = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(SECRET_BYTES))
        with suppress(FileExistsError):  # of several processes that start at once, the first one's holds
            path.hardlink_to(scratch)
        scratch.unlink()
    secret = path.read_bytes()
    if len(secret) < SECRET_BYTES:
        raise InvalidRequest(f"The secret in {path} is too short; remove the file to get a new one.")
    return secret


def _parts(authorization: str | None) -> tuple[str, str, str, str]:
    """Scheme, prefix, id and secret of a header; what is missing is empty."""
    scheme, _, token = (authorization or "").partition(" ")
    prefix, key_id, secret = (*token.strip().split("_", 2), "", "")[:3]
    return scheme, prefix, key_id, secret


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _write(path: Path, keys: tuple[ApiKey, ...]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(KeysFile(keys=keys).model_dump_json(indent=2) + "\n")
    scratch.replace(path)
