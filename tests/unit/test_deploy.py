"""What brings Lookalike up on a server fits the program: the Compose files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from lookalike import __version__
from lookalike.services.settings import Settings, read_settings

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"
FILES = [ROOT / "docker-compose.yml", DEPLOY / "compose.s3.yml"]
MAIN, S3 = (yaml.safe_load(path.read_text()) for path in FILES)
SERVICES: dict[str, dict[str, Any]] = {**S3["services"], **MAIN["services"]}
for adopted in ("s3", "s3-bucket"):
    SERVICES[adopted] = S3["services"][adopted]
TEXTS = {
    path: path.read_text()
    for path in (*FILES, *DEPLOY.rglob("*"))
    if path.is_file() and path.suffix != ".json"
}

WEB = ["gunicorn", "--config", "python:lookalike.web.gunicorn", "lookalike.web.wsgi:app"]
WORKER = ["celery", "-A", "lookalike.workers.app", "worker"]
BEAT = ["celery", "-A", "lookalike.workers.app", "beat", "--schedule", "/tmp/lookalike-beat"]
PING = "celery -A lookalike.workers.app inspect ping -d celery@$HOSTNAME"
COMMANDS = {
    "web": WEB,
    "worker": WORKER,
    "worker-gpu": WORKER,
    "beat": BEAT,
    "migrate": ["lookalike", "migrate"],
}
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?:(:[?-])([^}]*))?\}")
SECRET = re.compile(r"PASSWORD|SECRET|API_KEY")


def filled(value: object, given: Mapping[str, str]) -> str:
    """A value as Compose hands it over, with the variables that `given` holds."""

    def fill(match: re.Match[str]) -> str:
        default = match[3] if match[2] == ":-" else ""
        return given.get(match[1]) or default

    return VARIABLE.sub(fill, str(value)).replace("$$", "$")


def variables() -> Iterator[tuple[str, str | None, str]]:
    """Each use of a variable in the Compose files: its name, what follows it, the rest."""
    for path in FILES:
        code = re.sub(r"^\s*#.*$", "", path.read_text(), flags=re.MULTILINE)
        yield from ((match[1], match[2], match[3] or "") for match in VARIABLE.finditer(code))


def required() -> dict[str, str]:
    return {name: "given" for name, operator, _rest in variables() if operator == ":?"}


@pytest.mark.parametrize("name", COMMANDS)
def test_each_process_runs_its_command(name: str):
    assert SERVICES[name]["command"] == COMMANDS[name]


def test_each_of_our_containers_is_one_of_the_processes():
    ours = {name for name, service in SERVICES.items() if "build" in service}
    assert ours == set(COMMANDS)


def test_every_setting_that_is_named_exists():
    for path, text in TEXTS.items():
        named = {name.lower() for name in re.findall(r"LOOKALIKE_([A-Z][A-Z0-9_]+)", text)}
        assert named <= set(Settings.model_fields), path


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("with_s3", [False, True])
def test_the_settings_of_each_process_are_accepted(
    name: str, with_s3: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.chdir(tmp_path)
    environment = MAIN["services"][name]["environment"]
    if with_s3:
        environment = environment | S3["services"][name]["environment"]
    for key, value in environment.items():
        monkeypatch.setenv(key, filled(value, required() | {"SITE_HOST": "pictures.example"}))
    settings = read_settings()
    settings.check_reachable()
    settings.check_servers()
    assert settings.blob_url == ("s3://lookalike" if with_s3 else "/blobs")
    assert settings.database_url == "postgresql://lookalike:given@postgres/lookalike"
    assert settings.device == ("cuda" if name == "worker-gpu" else "cpu")
    if name == "web":
        assert settings.allowed_hosts == ("pictures.example", "web")


def test_tasks_for_a_gpu_are_cut_by_all_processes_alike():
    given = required() | {"SITE_HOST": "pictures.example", "LOOKALIKE_TASK_BATCH": "256"}
    cut = {
        filled(MAIN["services"][name]["environment"]["LOOKALIKE_TASK_BATCH"], given)
        for name in COMMANDS
    }
    assert cut == {"256"}


def test_no_secret_has_a_default_and_a_missing_one_is_named():
    uses = list(variables())
    assert {name for name, _operator, _rest in uses if SECRET.search(name)} == {
        "POSTGRES_PASSWORD",
        "VALKEY_PASSWORD",
        "QDRANT_API_KEY",
        "S3_SECRET_KEY",
    }
    for name, operator, rest in uses:
        if SECRET.search(name) or operator == ":?":
            assert (operator, rest) == (":?", f"set {name} in .env")


def test_every_secret_comes_from_outside():
    for name, service in SERVICES.items():
        for key, value in (service.get("environment") or {}).items():
            if SECRET.search(key):
                assert VARIABLE.fullmatch(value), f"{name}: {key}"


def test_every_volume_is_declared_and_used():
    for document in (MAIN, S3):
        mounts = [
            mount.split(":")[0]
            for service in document["services"].values()
            for mount in service.get("volumes", [])
        ]
        assert {mount for mount in mounts if mount[0] not in "./"} == set(document["volumes"])


def test_what_is_waited_for_exists_and_can_come_true():
    for document in (MAIN, S3):
        for name, service in document["services"].items():
            for target, wait in service.get("depends_on", {}).items():
                awaited = document["services"][target]
                if wait["condition"] == "service_healthy":
                    assert awaited["healthcheck"]["test"], f"{name} waits for {target}"
                else:
                    assert wait["condition"] == "service_completed_successfully"
                    assert awaited["restart"] == "on-failure:3", f"{name} waits for {target}"


def test_nothing_starts_before_the_database_is_up_to_date():
    for name in set(COMMANDS) - {"migrate"}:
        assert SERVICES[name]["depends_on"]["migrate"] == {
            "condition": "service_completed_successfully"
        }


def test_every_image_is_pinned_and_ours_have_the_version_of_the_program():
    for name, service in SERVICES.items():
        tag = service["image"].rpartition(":")[2]
        assert re.match(r"v?\d+(\.\d+)+", tag), name
        if "build" in service:
            assert tag == __version__


def test_every_container_is_held_in():
    for name, service in SERVICES.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"], name
        assert service["restart"], name
        assert "privileged" not in service, name


def test_only_the_proxy_can_be_reached_and_only_from_this_machine_unless_told():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert list(published) == ["proxy"]
    for port in published["proxy"]:
        assert filled(port, {}).startswith("127.0.0.1:")
    assert SERVICES["proxy"]["networks"] == ["edge"]
    assert [
        name for name, service in SERVICES.items() if "edge" in service.get("networks", [])
    ] == [
        "web",
        "proxy",
    ]


def test_the_queue_keeps_what_it_is_given():
    command = SERVICES["valkey"]["command"][-1]
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command


def test_workers_have_time_to_finish_their_batch():
    for name in ("worker", "worker-gpu"):
        assert SERVICES[name]["stop_grace_period"] == "2m"
        assert SERVICES[name]["healthcheck"]["test"] == ["CMD-SHELL", PING.replace("$", "$$")]


def run(command: list[str], cwd: Path = ROOT, **given: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(cwd), **given}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=environment, cwd=cwd, check=False
    )


def tool(name: str) -> str:
    """Where a program is, beside Python or anywhere; skips the test by its name without it."""
    beside = str(Path(sys.executable).parent)
    if found := shutil.which(name, path=beside) or shutil.which(name):
        return found
    pytest.skip(f"{name} is not installed")


def compose() -> list[str]:
    """The Compose plug-in, which has no program of its own."""
    docker = tool("docker")
    if run([docker, "compose", "version"]).returncode:
        pytest.skip("docker compose is not installed")
    return [docker, "compose", "--env-file", "/dev/null"]


def test_compose_reads_the_files():
    for files in (FILES[:1], FILES):
        command = [*compose(), *(word for file in files for word in ("-f", str(file)))]
        read = run([*command, "--profile", "gpu", "config", "--quiet"], **required())
        assert read.returncode == 0, read.stderr


def test_compose_stops_with_the_name_of_a_missing_secret():
    for name in required():
        given = {key: value for key, value in required().items() if key != name}
        files = [word for file in FILES for word in ("-f", str(file))]
        read = run([*compose(), *files, "config", "--quiet"], **given)
        assert read.returncode != 0
        assert f"set {name} in .env" in read.stderr


def test_the_compose_files_are_of_the_published_form():
    pytest.importorskip("check_jsonschema", reason="check-jsonschema is not installed")
    command = [sys.executable, "-m", "check_jsonschema"]
    checked = run([*command, "--builtin-schema", "vendor.compose-spec", *map(str, FILES)])
    assert checked.returncode == 0, checked.stdout + checked.stderr
