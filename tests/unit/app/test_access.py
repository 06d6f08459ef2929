"""Keys: made, kept as digests, told apart, and asked for everywhere but on this machine."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.access import (
    LOCAL_TENANT,
    Access,
    check_address,
    create_key,
    find_key,
    is_loopback,
    list_keys,
    revoke_key,
    server_secret,
    set_webhooks,
)
from jobs.errors import InvalidRequest, NotFound, Unauthorised


def test_a_key_opens_for_its_tenant_until_it_is_revoked(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "keys.json"
    first = create_key(path, name="Ward 3", tenant="clinic")
    second = create_key(path, name="Lab", tenant="lab")
    access = Access(path)
    assert access.tenant(f"Bearer {first}") == "clinic"
    assert access.tenant(f"bearer {second}") == "lab"
    assert revoke_key(path, first.split("_")[1]).name == "Ward 3"
    with pytest.raises(Unauthorised):
        access.tenant(f"Bearer {first}")
    assert access.tenant(f"Bearer {second}") == "lab"


def test_the_file_holds_digests_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    key = create_key(path, name="x", tenant="clinic")
    _, key_id, secret = key.split("_", 2)
    assert len(secret) >= 43  # 256 bits in base64
    assert secret not in path.read_text()
    assert json.loads(path.read_text())["keys"][0]["id"] == key_id
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer rat", "Bearer rat_", "rat_a_b"])
def test_half_a_header_opens_nothing(tmp_path: Path, header: str | None) -> None:
    path = tmp_path / "keys.json"
    create_key(path, name="x", tenant="clinic")
    with pytest.raises(Unauthorised):
        Access(path).tenant(header)


def test_a_missing_or_broken_file_opens_nothing(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    key = create_key(path, name="x", tenant="clinic")
    access = Access(path)
    assert access.tenant(f"Bearer {key}")
    path.unlink()
    with pytest.raises(Unauthorised):
        access.tenant(f"Bearer {key}")
    path.write_text('{"keys": [{"id": "x"}]}')
    with pytest.raises(Unauthorised):
        access.tenant(f"Bearer {key}")


def test_without_a_file_everybody_is_the_local_tenant() -> None:
    assert Access(None).tenant(None) == LOCAL_TENANT


@pytest.mark.parametrize("tenant", ["", "UPPER", "a b", "../x", "x" * 65])
def test_a_tenant_has_a_plain_name(tmp_path: Path, tenant: str) -> None:
    with pytest.raises(ValidationError):
        create_key(tmp_path / "keys.json", name="x", tenant=tenant)


def test_an_unknown_key_cannot_be_revoked(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    create_key(path, name="x", tenant="clinic")
    with pytest.raises(NotFound):
        revoke_key(path, "nothing")
    assert len(list_keys(path)) == 1


def test_a_key_with_webhook_hosts_has_a_secret_that_can_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    plain = create_key(path, name="x", tenant="clinic").split("_")[1]
    key_id = create_key(path, name="y", tenant="clinic", webhook_hosts=["example.org"]).split("_")[1]
    assert find_key(path, plain).webhook_secrets == ()
    [first] = find_key(path, key_id).webhook_secrets
    assert first.get_secret_value() in path.read_text()
    assert first.get_secret_value() not in repr(find_key(path, key_id))
    more = set_webhooks(path, key_id, hosts=["example.org", "example.com:8443"], new=False)
    assert (more.webhook_hosts, more.webhook_secrets) == (("example.org", "example.com:8443"), (first,))
    for _ in range(2):
        before = find_key(path, key_id).webhook_secrets[0]
        after = set_webhooks(path, key_id, hosts=[], new=True)
        assert after.webhook_secrets[1] == before != after.webhook_secrets[0]
    assert find_key(path, plain).webhook_hosts == find_key(path, key_id).webhook_hosts == ()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(NotFound):
        set_webhooks(path, "nothing", hosts=[], new=True)


def test_a_key_is_found_by_a_header_and_by_its_id(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    key = create_key(path, name="x", tenant="clinic", webhook_hosts=["example.org"])
    access = Access(path)
    assert (
        access.key_of(f"Bearer {key}") == access.key(key.split("_")[1]) == find_key(path, key.split("_")[1])
    )
    assert access.key("nothing") is None
    assert Access(None).key_of(f"Bearer {key}") is None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "LOCALHOST", "::1", "[::1]"])
def test_loopback_needs_no_keys(host: str) -> None:
    assert is_loopback(host)
    check_address(host, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.0.0.1", "example.org", "127.0.0.1.example.org"])  # noqa: S104 - refused here
def test_every_other_address_does(host: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="loopback"):
        check_address(host, None)
    path = tmp_path / "keys.json"
    with pytest.raises(InvalidRequest, match="keys create"):
        check_address(host, path)
    create_key(path, name="x", tenant="clinic")
    check_address(host, path)


def test_the_servers_secret_is_made_once(tmp_path: Path) -> None:
    first = server_secret(tmp_path / "data")
    assert len(first) >= 32
    assert server_secret(tmp_path / "data") == first
    assert server_secret(tmp_path / "other") != first
    assert stat.S_IMODE((tmp_path / "data" / "secret").stat().st_mode) == 0o600


def test_processes_that_start_at_once_have_one_secret(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        secrets = set(pool.map(server_secret, [tmp_path] * 64))
    assert len(secrets) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_a_secret_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"")
    with pytest.raises(InvalidRequest, match="too short"):
        server_secret(tmp_path)


def test_a_missing_file_of_keys_is_named_with_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="rationale keys create") as caught:
        check_address("127.0.0.1", tmp_path / "none.json")

    assert caught.value.problems[0].field == "keys_file"
