"""Dockerfile, compose and manifests name only commands, ports, variables, paths and extras that exist."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import pytest

from app.access import is_loopback
from app.settings import ApiSettings
from jobs.job import ModelRef
from jobs.keys import Keys
from tests.unit.commands import check_command, commands_in
from tests.unit.deployment import (
    ROOT,
    Document,
    compose,
    container,
    environment,
    files,
    kustomization,
    manifest,
    manifests,
    read,
    stages,
    values,
)
from workers.settings import WorkerSettings

PORT = 8000
ANYWHERE = "0.0.0.0"  # noqa: S104 - inside a container, whose port is published or not by its operator
ALIVE = ["python", "/opt/rationale/worker_alive.py"]
TARGETS = ("api", "worker")
REDIS_FLAGS = {"--appendonly": "yes", "--appendfsync": "always", "--maxmemory-policy": "noeviction"}
PROJECT = tomllib.loads(read("pyproject.toml"))["project"]
SETTINGS: dict[str, type[ApiSettings] | type[WorkerSettings]] = {
    "api": ApiSettings,
    "keys": ApiSettings,
    "worker": WorkerSettings,
    "worker-cpu": WorkerSettings,
    "worker-gpu": WorkerSettings,
}


def test_every_command_of_ours_exists_with_its_options() -> None:
    commands = [words for words in every_command() if words[0] == "rationale"]
    assert ["rationale", "worker"] in commands
    assert ["rationale", "api", "--host", ANYWHERE, "--port", str(PORT)] in commands
    for words in commands:
        check_command(words)


def test_every_command_that_a_comment_tells_the_reader_to_type_exists() -> None:
    typed = [words for text in files().values() for words in typed_commands(text)]
    assert len(typed) >= 2
    for words in typed:
        check_command(words)


@pytest.mark.parametrize(
    "words",
    [
        ["rationale", "explode"],
        ["rationale", "api", "--prot", "8000"],
        ["rationale", "keys", "forge"],
    ],
)
def test_the_check_itself_refuses_what_does_not_exist(words: list[str]) -> None:
    with pytest.raises(AssertionError):
        check_command(words)


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_runs_as_nobody_special_and_says_whether_it_is_healthy(target: str) -> None:
    stage = stages()[target]
    assert int(stage.last("USER").text) >= 10_000
    assert "CMD" in stage.last("HEALTHCHECK").text
    users = [index for index, step in enumerate(stage.instructions) if step.name == "USER"]
    assert not any(step.name in {"RUN", "COPY", "ADD"} for step in stage.instructions[users[0] :])


def test_the_images_are_built_from_extras_that_exist_and_the_api_has_no_torch() -> None:
    for target in TARGETS:
        named = re.findall(
            r'"\.\[(.*?)\]"', " ".join(step.text for step in stages()[f"{target}-builder"].all("RUN"))
        )
        assert named == [target]
        assert target in PROJECT["optional-dependencies"]
    assert "torch" not in " ".join(PROJECT["optional-dependencies"]["api"] + PROJECT["dependencies"])
    assert "torch" not in " ".join(step.text for step in stages()["api-builder"].instructions)


def test_the_build_of_torch_is_chosen_by_an_argument_that_compose_hands_on() -> None:
    (argument,) = stages()["worker-builder"].all("ARG")
    assert argument.text == 'TORCH_INDEX_URL=""'
    assert compose()["services"]["worker-cpu"]["build"]["args"] == {"TORCH_INDEX_URL": ""}


def test_every_installation_reads_the_constraints_or_takes_no_dependencies() -> None:
    installations = [
        command
        for stage in stages().values()
        for step in stage.all("RUN")
        for command in step.text.split(";")
        if "pip install" in command
    ]
    assert len(installations) == 5
    assert all("--constraint constraints.txt" in text or "--no-deps" in text for text in installations)


def test_what_the_images_copy_exists_passes_the_ignore_file_and_is_the_whole_package() -> None:
    copied = {
        path
        for stage in stages().values()
        for step in stage.all("COPY")
        if "--from=" not in step.text
        for path in step.words[:-1]
    }
    passed = {line[1:] for line in read(".dockerignore").splitlines() if line.startswith("!")}
    assert copied == passed
    assert all((ROOT / path).exists() for path in copied)
    tool = tomllib.loads(read("pyproject.toml"))["tool"]["setuptools"]["packages"]["find"]["include"]
    assert {pattern.rstrip("*") for pattern in tool} <= copied


def test_one_port_is_meant_everywhere() -> None:
    assert stages()["api"].last("EXPOSE").text == str(PORT)
    assert f"http://127.0.0.1:{PORT}/" in stages()["api"].last("HEALTHCHECK").words[-1]
    (published,) = compose()["services"]["api"]["ports"]
    assert published == f"127.0.0.1:{PORT}:{PORT}"
    ports = {port["name"]: port["containerPort"] for port in container("Deployment", "api")["ports"]}
    assert ports == {"http": PORT}
    for service in ("api", "redis"):
        (port,) = manifest("Service", service)["spec"]["ports"]
        assert port["targetPort"] == port["name"]


def test_every_health_path_is_a_route() -> None:
    paths = json.loads(read("openapi/openapi.json"))["paths"]
    asked = [re.search(r":\d+(/\w+)", stages()["api"].last("HEALTHCHECK").text)]
    named = [found[1] for found in asked if found] + [
        probe["path"] for probe in values(manifests(), "httpGet")
    ]
    assert sorted(named) == ["/livez", "/livez", "/readyz"]
    assert all("get" in paths[path] for path in named)
    api = container("Deployment", "api")
    assert api["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert api["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_every_variable_that_is_named_anywhere_is_a_setting() -> None:
    known = {
        f"RATIONALE_{name.upper()}" for model in (ApiSettings, WorkerSettings) for name in model.model_fields
    }
    for path, text in files().items():
        unknown = set(re.findall(r"RATIONALE_[A-Z_]+", text)) - known
        assert not unknown, f"{path} names {sorted(unknown)}, which no settings class reads"


@pytest.mark.parametrize("service", ["api", "keys", "worker-cpu", "worker-gpu"])
def test_compose_gives_each_process_only_settings_of_its_own_that_it_accepts(service: str) -> None:
    given = {name: str(value) for name, value in compose()["services"][service]["environment"].items()}
    check_settings(
        SETTINGS[service], {name: "s" * 64 if "SECRET" in name else value for name, value in given.items()}
    )


@pytest.mark.parametrize("workload", TARGETS)
def test_kubernetes_gives_each_process_only_settings_of_its_own_that_it_accepts(workload: str) -> None:
    check_settings(SETTINGS[workload], environment(container("Deployment", workload)))


def test_an_api_that_listens_beyond_loopback_has_a_folder_of_keys() -> None:
    words = stages()["api"].last("CMD").words
    assert not is_loopback(words[words.index("--host") + 1])
    service = compose()["services"]["api"]
    mounted = [mount.split(":")[1] for mount in service["volumes"]]
    assert folder(service["environment"]["RATIONALE_KEYS_FILE"]) in mounted
    api = container("Deployment", "api")
    mounted = [mount["mountPath"] for mount in api["volumeMounts"]]
    assert folder(environment(api)["RATIONALE_KEYS_FILE"]) in mounted
    assert not list(values(manifests(), "subPath")), "a file mounted by subPath never changes"


def test_the_keys_of_compose_are_written_where_the_api_reads_them() -> None:
    api, keys = (compose()["services"][name] for name in ("api", "keys"))
    assert keys["environment"]["RATIONALE_KEYS_FILE"] == api["environment"]["RATIONALE_KEYS_FILE"]
    assert [f"{mount}:ro" for mount in keys["volumes"]] == api["volumes"]
    assert folder(keys["environment"]["RATIONALE_KEYS_FILE"]) in stages()["api"].all("RUN")[0].text


def test_the_secret_is_asked_for_and_stands_in_no_file() -> None:
    assert compose()["services"]["api"]["environment"]["RATIONALE_SECRET"].startswith("${RATIONALE_SECRET:?")
    (secret,) = (item for item in container("Deployment", "api")["env"] if item["name"] == "RATIONALE_SECRET")
    reference = secret["valueFrom"]["secretKeyRef"]
    how = read("deploy/kubernetes/kustomization.yaml")
    assert f"create secret generic {reference['name']} " in how
    assert f"--from-literal={reference['key']}=" in how
    assert "--from-file=keys.json" in how


def test_redis_writes_before_it_answers_and_evicts_nothing() -> None:
    for words in (compose()["services"]["redis"]["command"], container("StatefulSet", "redis")["args"]):
        assert words[0] == "redis-server"
        given = dict(zip(words[1::2], words[2::2], strict=True))
        assert REDIS_FLAGS.items() <= given.items()
        assert set(given) - set(REDIS_FLAGS) == {"--maxmemory"}


def test_images_have_a_fixed_tag_and_no_registry() -> None:
    images = [stage.parent for stage in stages().values() if stage.parent not in {*stages(), "scratch"}]
    images += list(values(compose(), "image"))
    images += [tagged(image) for image in values(manifests(), "image")]
    assert len(images) >= 8
    for image in images:
        name, _, tag = image.partition(":")
        assert tag, f"{image} has no tag"
        assert tag != "latest"
        assert "/" not in name
        assert not name.startswith("rationale-") or tag.split("-")[0] == PROJECT["version"]


def test_no_file_names_a_host_of_the_world() -> None:
    for path, text in files().items():
        hosts = set(re.findall(r"(?:https?|git|ssh)://([^/\s\"'<]+)", text))
        assert hosts <= {f"127.0.0.1:{PORT}"}, f"{path} names {sorted(hosts)}"


def test_containers_have_a_read_only_root_and_no_power() -> None:
    for name, service in compose()["services"].items():
        if name != "keys":
            assert service["read_only"] is True, name
            assert service["cap_drop"] == ["ALL"], name
    for kind, name in (("Deployment", "api"), ("Deployment", "worker"), ("StatefulSet", "redis")):
        assert container(kind, name)["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    assert not [path for path, text in files().items() if "docker.sock" in text]


def test_the_gpu_worker_asks_for_a_gpu_and_the_default_one_does_not() -> None:
    services = compose()["services"]
    (device,) = services["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]
    assert services["worker-gpu"]["profiles"] == ["gpu"]
    assert "profiles" not in services["worker-cpu"]
    assert "deploy" not in services["worker-cpu"]
    assert container("Deployment", "worker")["resources"]["limits"]["nvidia.com/gpu"] == 1


def test_a_worker_is_alive_by_the_same_question_everywhere() -> None:
    stage = stages()["worker"]
    assert stage.last("HEALTHCHECK").words == ALIVE
    assert stage.last("COPY").words == ["deploy/worker_alive.py", ALIVE[1]]
    worker = container("Deployment", "worker")
    assert worker["livenessProbe"]["exec"]["command"] == ALIVE
    assert worker["startupProbe"]["exec"]["command"] == ALIVE


def test_a_worker_has_time_to_drain_before_it_is_killed() -> None:
    lease_seconds = WorkerSettings().lease_seconds
    pod = manifest("Deployment", "worker")["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] >= 3 * lease_seconds
    for name in ("worker-cpu", "worker-gpu"):
        assert int(compose()["services"][name]["stop_grace_period"].removesuffix("s")) >= 3 * lease_seconds


def test_the_kustomization_lists_every_file_but_the_one_that_needs_keda() -> None:
    listed = set(kustomization()["resources"])
    present = {path.name for path in (ROOT / "deploy" / "kubernetes").glob("*.yaml")}
    assert present - listed == {"kustomization.yaml", "scaling.yaml"}
    assert not listed - present


def test_selectors_find_the_pods_that_they_mean() -> None:
    labels = {
        document["metadata"]["name"]: document["spec"]["template"]["metadata"]["labels"]
        for document in manifests()
        if document["kind"] in {"Deployment", "StatefulSet"}
    }
    assert set(labels) == {"api", "worker", "redis"}
    for document in manifests():
        selector = document["spec"].get("selector") or document["spec"].get("podSelector")
        if selector:
            wanted = selector.get("matchLabels", selector)
            assert wanted.items() <= labels[document["metadata"]["name"]].items()


def test_workers_grow_with_the_queue_of_a_model_and_never_vanish() -> None:
    scaled = manifest("ScaledObject", "worker")
    assert scaled["metadata"]["namespace"] == kustomization()["namespace"]
    assert scaled["spec"]["scaleTargetRef"]["name"] == manifest("Deployment", "worker")["metadata"]["name"]
    assert scaled["spec"]["minReplicaCount"] >= 1
    (trigger,) = scaled["spec"]["triggers"]
    metadata = trigger["metadata"]
    model, _, digits = metadata["listName"].rpartition(":")[2].partition("@")
    ref = ModelRef(id=model, digest="sha256:" + digits.ljust(64, "0"))
    assert trigger["type"] == "redis"
    assert metadata["listName"] == Keys(WorkerSettings().namespace).unfinished(ref.key)
    assert re.fullmatch(r"[0-9a-f]{12}", digits)
    assert int(metadata["listLength"]) == WorkerSettings().held_jobs


def every_command() -> Iterator[list[str]]:
    """Each command line of each file as a list of words."""
    for target in TARGETS:
        yield stages()[target].last("CMD").words
        yield stages()[target].last("HEALTHCHECK").words
    for service in compose()["services"].values():
        words = [*service.get("entrypoint", []), *service.get("command", [])]
        if words:
            yield words
    yield from values(manifests(), "command")
    yield from values(manifests(), "args")


def typed_commands(text: str) -> Iterator[list[str]]:
    """Lines of comments that begin with `rationale`, or that run the service `keys` of compose."""
    yield from commands_in(text, "#     ")
    for line in re.findall(r"^#     docker compose run --rm (.*)$", text, re.MULTILINE):
        service, *words = shlex.split(line)
        yield [*compose()["services"][service]["entrypoint"], *words]


def check_settings(model: type[ApiSettings] | type[WorkerSettings], given: dict[str, Any]) -> None:
    """`given` are environment variables as a file sets them."""
    fields = {name.removeprefix("RATIONALE_").lower(): value for name, value in given.items()}
    assert fields
    assert set(fields) <= set(model.model_fields)
    model.model_validate(fields)


def folder(path: str) -> str:
    return str(PurePosixPath(path).parent)


def tagged(image: str) -> str:
    """The name of an image with the tag that the kustomization gives it."""
    tags: dict[str, Document] = {item["name"]: item for item in kustomization()["images"]}
    return f"{image}:{tags[image]['newTag']}" if image in tags else image
