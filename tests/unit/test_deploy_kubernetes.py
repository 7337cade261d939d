"""The Kubernetes manifests: complete, held in, and in step with the program."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lookalike import __version__
from lookalike.services.adapters.embedding.devices import FORWARD_BATCH
from lookalike.services.broker import transport_options
from lookalike.services.records import Queue
from lookalike.services.settings import Settings, read_settings
from lookalike.web.app import create_app
from tests.platforms import World
from tests.unit.test_deploy import BEAT, PING, SECRET, WEB, WORKER

KUBERNETES = Path(__file__).parent.parent.parent / "deploy/kubernetes"
KUSTOMIZATIONS = sorted(KUBERNETES.rglob("kustomization.yaml"))
RENDERED = ["base", "overlays/gpu", "overlays/keda"]
COMMANDS = {"web": WEB, "worker": WORKER, "beat": BEAT, "migrate": ["lookalike", "migrate"]}
ONLY_INSIDE = {"/metrics", "/healthz", "/readyz"}


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


def env_file(name: str) -> dict[str, str]:
    lines = (KUBERNETES / "base" / name).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and line[0] != "#")


def render(folder: str, place: Path) -> list[dict[str, Any]]:
    """What `kubectl apply -k` would send, with secrets that are all the same."""
    if not (kubectl := shutil.which("kubectl")):
        pytest.skip("kubectl is not installed")
    copy = shutil.copytree(KUBERNETES, place / "kubernetes")
    text = "".join(f"{name}=given\n" for name in env_file("secrets.env.example"))
    (copy / "base/secrets.env").write_text(text)
    command = [kubectl, "kustomize", str(copy / folder)]
    made = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert made.returncode == 0, made.stderr
    return list(yaml.safe_load_all(made.stdout))


@pytest.fixture(params=RENDERED, scope="module")
def manifests(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    return render(request.param, tmp_path_factory.mktemp("rendered"))


def pods(manifests: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each workload's name and its pods' specification."""
    for manifest in manifests:
        if "template" in manifest.get("spec", {}):
            yield manifest["metadata"]["name"], manifest["spec"]["template"]["spec"]


def only(manifests: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    (found,) = (
        manifest
        for manifest in manifests
        if (manifest["kind"], manifest["metadata"]["name"]) == (kind, name)
    )
    return found


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=lambda path: path.parent.name)
def test_every_file_that_is_named_exists(path: Path):
    given = yaml.safe_load(path.read_text())
    named = [*given.get("resources", []), *given.get("components", [])]
    named += [patch["path"] for patch in given.get("patches", []) if "path" in patch]
    named += given.get("configurations", [])
    for generator in ("configMapGenerator", "secretGenerator"):
        for made in given.get(generator, []):
            named += [name.replace("secrets.env", "secrets.env.example") for name in made["envs"]]
    assert named
    for name in named:
        assert (path.parent / name).exists(), name


def test_every_manifest_is_used():
    for path in KUBERNETES.rglob("*.yaml"):
        if path.name != "kustomization.yaml":
            assert path.name in (path.parent / "kustomization.yaml").read_text(), path


def test_the_example_of_secrets_is_empty_and_the_real_one_stays_out():
    assert set(env_file("secrets.env.example").values()) == {""}
    assert "secrets.env" in (KUBERNETES / "base/.gitignore").read_text().splitlines()
    assert not [name for name in env_file("settings.env") if SECRET.search(name)]


def test_the_settings_are_accepted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    for name, value in env_file("settings.env").items():
        monkeypatch.setenv(name, value)
    settings = read_settings()
    assert settings.blob_url.startswith("s3://")
    assert settings.allowed_hosts == ("pictures.example", "web")
    assert settings.qdrant_shards % 3 == 0


def test_the_queues_that_are_scaled_by_are_those_of_the_program():
    prefix = transport_options("redis://valkey", lease_seconds=30).get("global_keyprefix", "")
    (scaled,) = (
        document
        for document in documents(KUBERNETES / "components/keda/scaling.yaml")
        if document["kind"] == "ScaledObject"
    )
    lists = [trigger["metadata"]["listName"] for trigger in scaled["spec"]["triggers"]]
    assert lists == [prefix + queue for queue in Queue]


def test_every_page_can_be_reached_from_outside_and_no_metrics(world: World):
    (ingress,) = documents(KUBERNETES / "components/ingress/ingress.yaml")
    paths = ingress["spec"]["rules"][0]["http"]["paths"]
    exact = {path["path"] for path in paths if path["pathType"] == "Exact"}
    prefixes = {path["path"] for path in paths if path["pathType"] == "Prefix"}
    rules = {rule.rule for rule in create_app(world.platform).url_map.iter_rules()}
    inside = {
        rule for rule in rules if rule not in exact and f"/{rule.split('/')[1]}" not in prefixes
    }
    assert inside <= ONLY_INSIDE
    assert not prefixes & ONLY_INSIDE


def test_each_process_runs_its_command_with_known_settings(manifests: list[dict[str, Any]]):
    seen = set()
    for name, pod in pods(manifests):
        container = pod["containers"][0]
        if container["name"] == "lookalike":
            seen.add(name)
            assert container["command"] == COMMANDS[name]
            names = {variable["name"] for variable in container["env"]}
            ours = {match[1].lower() for one in names if (match := re.match("LOOKALIKE_(.*)", one))}
            assert {"database_url", "broker_url", "qdrant_api_key"} <= ours
            assert ours <= set(Settings.model_fields)
    assert seen == set(COMMANDS)


def test_addresses_are_filled_from_secrets_that_stand_before_them(manifests: list[dict[str, Any]]):
    for name, pod in pods(manifests):
        for container in pod["containers"]:
            known: set[str] = set()
            for variable in container.get("env", []):
                used = set(re.findall(r"\$\((\w+)\)", variable.get("value", "")))
                assert used <= known, f"{name}: {variable['name']}"
                known.add(variable["name"])


def test_every_secret_that_is_named_is_made(manifests: list[dict[str, Any]]):
    (secret,) = (manifest for manifest in manifests if manifest["kind"] == "Secret")
    made = {(secret["metadata"]["name"], key) for key in secret["data"]}
    used = {
        (reference["name"], reference["key"])
        for _name, pod in pods(manifests)
        for variable in pod["containers"][0].get("env", [])
        if (reference := variable.get("valueFrom", {}).get("secretKeyRef"))
    }
    for manifest in manifests:
        for reference in manifest.get("spec", {}).get("secretTargetRef", []):
            used.add((reference["name"], reference["key"]))
    assert used == made


def test_every_pod_is_held_in(manifests: list[dict[str, Any]]):
    for name, pod in pods(manifests):
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["runAsUser"] > 0, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in pod["containers"]:
            held = container["securityContext"]
            assert held["allowPrivilegeEscalation"] is False, name
            assert held["readOnlyRootFilesystem"] is True, name
            assert held["capabilities"] == {"drop": ["ALL"]}, name
            assert container["resources"]["limits"]["memory"], name
            assert container["resources"]["requests"]["cpu"], name


def test_every_image_is_pinned_and_ours_have_the_version_of_the_program(
    manifests: list[dict[str, Any]],
):
    for name, pod in pods(manifests):
        for container in pod["containers"]:
            image, _colon, tag = container["image"].rpartition(":")
            assert re.match(r"v?\d+(\.\d+)+", tag), name
            if image.startswith("lookalike-"):
                assert tag == __version__


def test_there_is_one_beat_and_workers_have_time_and_a_pulse(manifests: list[dict[str, Any]]):
    beat = only(manifests, "Deployment", "beat")["spec"]
    assert (beat["replicas"], beat["strategy"]["type"]) == (1, "Recreate")
    worker = only(manifests, "Deployment", "worker")["spec"]["template"]["spec"]
    assert worker["terminationGracePeriodSeconds"] >= 120
    assert worker["containers"][0]["livenessProbe"]["exec"]["command"][-1] == f"exec {PING}"


def test_web_is_probed_under_a_name_that_it_answers_to(manifests: list[dict[str, Any]]):
    (web,) = only(manifests, "Deployment", "web")["spec"]["template"]["spec"]["containers"]
    probes = {name: web[f"{name}Probe"]["httpGet"] for name in ("readiness", "liveness", "startup")}
    assert [probe["path"] for probe in probes.values()] == ["/healthz", "/healthz", "/healthz"]
    for probe in probes.values():
        assert probe["httpHeaders"] == [{"name": "Host", "value": "localhost"}]


def test_one_autoscaler_decides_about_workers(manifests: list[dict[str, Any]]):
    scalers = [
        manifest["kind"]
        for manifest in manifests
        if manifest.get("spec", {}).get("scaleTargetRef", {}).get("name") == "worker"
    ]
    assert len(scalers) == 1
    assert "replicas" not in only(manifests, "Deployment", "worker")["spec"]


def test_with_gpu_workers_all_processes_cut_tasks_that_fill_a_gpu(tmp_path: Path):
    manifests = render("overlays/gpu", tmp_path)
    (settings,) = (
        one
        for one in manifests
        if one["kind"] == "ConfigMap" and one["metadata"]["name"].startswith("settings-")
    )
    assert int(settings["data"]["LOOKALIKE_TASK_BATCH"]) >= FORWARD_BATCH["cuda"]
    assert settings["data"].items() >= env_file("settings.env").items()
    for name in COMMANDS:
        (pod,) = (spec for found, spec in pods(manifests) if found == name)
        sources = [one["configMapRef"]["name"] for one in pod["containers"][0]["envFrom"][:1]]
        assert sources == [settings["metadata"]["name"]]


def test_gpu_workers_ask_for_a_gpu(tmp_path: Path):
    spec = only(render("overlays/gpu", tmp_path), "Deployment", "worker")["spec"]
    (worker,) = spec["template"]["spec"]["containers"]
    assert worker["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert {"name": "LOOKALIKE_DEVICE", "value": "cuda"} in worker["env"]
    assert worker["image"].startswith("lookalike-worker-cuda:")


def test_the_manifests_are_of_the_published_form(manifests: list[dict[str, Any]]):
    validate = pytest.importorskip(
        "kubernetes_validate", reason="kubernetes-validate is not installed"
    )
    foreign = {"ScaledObject", "TriggerAuthentication"}  # KEDA's own, which it does not know
    checked = [manifest for manifest in manifests if manifest["kind"] not in foreign]
    assert len(checked) > 15
    for manifest in checked:
        validate.validate(manifest, validate.latest_version(), strict=True)
