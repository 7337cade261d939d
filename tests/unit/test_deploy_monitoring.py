"""Dashboard and alerts ask for what is measured, and each alert goes off when it should."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Counter, Histogram

from lookalike.services import metrics
from lookalike.services.records import Queue
from tests.platforms import World

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
DASHBOARD = json.loads((DEPLOY / "grafana/lookalike.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
(GROUP,) = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
ALERTS: list[dict[str, Any]] = GROUP["rules"]
SCRAPED = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
CASES = yaml.safe_load((PROMETHEUS / "alerts.test.yml").read_text())["tests"]
COMPOSE = yaml.safe_load((DEPLOY.parent / "docker-compose.yml").read_text())["services"]
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel["targets"]]
ALERTING = [alert["expr"] for alert in ALERTS]


def named(expressions: list[str]) -> set[str]:
    """The series of ours that expressions ask for."""
    return set(re.findall(r"\blookalike_\w+", " ".join(expressions)))


def measured(world: World) -> dict[str, set[str]]:
    """Each metric of the program with the names of its series."""
    series: dict[str, set[str]] = {}
    for metric in vars(metrics).values():
        if isinstance(metric, Counter | Histogram):
            (family,) = metric.describe()
            ends = ["_total"] if family.type == "counter" else ["_bucket", "_sum", "_count"]
            series[family.name] = {family.name + end for end in ends}
    for family in metrics.PlatformGauges(world.platform.status).collect():
        series[family.name] = {family.name}
    return series


def test_dashboard_and_alerts_ask_for_what_is_measured(world: World):
    series = {name for names in measured(world).values() for name in names}
    assert named(EXPRESSIONS) <= series
    assert named(ALERTING) <= series


def test_everything_that_is_measured_is_on_the_dashboard(world: World):
    shown = named(EXPRESSIONS)
    for name, series in measured(world).items():
        assert shown & series, name


def test_states_and_queues_are_called_as_in_the_program(world: World):
    text = " ".join(EXPRESSIONS + ALERTING)
    states = {
        sample.labels["state"]
        for family in metrics.PlatformGauges(world.platform.status).collect()
        for sample in family.samples
        if "state" in sample.labels
    }
    assert set(re.findall(r'state="(\w+)"', text)) <= states
    assert set(re.findall(r'queue="(\w+)"', text)) <= set(Queue)


def test_every_panel_says_what_it_shows_and_can_be_pointed_at_any_prometheus():
    (variable,) = DASHBOARD["templating"]["list"]
    assert (variable["name"], variable["type"]) == ("datasource", "datasource")
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    for panel in PANELS:
        assert panel["title"]
        assert panel["description"].endswith(".")
        for source in (panel, *panel["targets"]):
            assert source["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_no_panel_covers_another():
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in PANELS)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _y in cells) < 24


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_every_alert_says_what_is_wrong_and_what_to_do(alert: dict[str, Any]):
    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert alert["annotations"]["summary"].endswith(".")
    assert len(alert["annotations"]["action"].split()) > 8


def test_every_alert_is_seen_to_go_off_and_all_to_keep_quiet():
    expected = [case["promql_expr_test"][0]["exp_samples"] for case in CASES]
    seen = set(re.findall(r'alertname="(\w+)"', json.dumps(expected).replace("\\", "")))
    assert seen == {alert["alert"] for alert in ALERTS}
    assert [] in expected


def test_every_process_that_counts_is_asked():
    jobs = {job["job_name"]: job for job in SCRAPED["scrape_configs"]}
    assert set(re.findall(r'job="([\w-]+)"', " ".join(ALERTING))) <= set(jobs)
    (web,) = jobs["lookalike-web"]["static_configs"]
    assert web["targets"] == [f"web:{COMPOSE['web']['environment']['LOOKALIKE_PORT']}"]
    (workers,) = jobs["lookalike-worker"]["dns_sd_configs"]
    for name in workers["names"]:
        assert COMPOSE[name]["environment"]["LOOKALIKE_METRICS_PORT"] == str(workers["port"])


def promtool(*arguments: str) -> None:
    if not (program := shutil.which("promtool")):
        pytest.skip("promtool is not installed")
    checked = subprocess.run(
        [program, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=PROMETHEUS,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_prometheus_understands_its_files():
    promtool("check", "config", "prometheus.yml")
    promtool("check", "rules", "alerts.yml")


def test_each_alert_goes_off_in_its_case():
    promtool("test", "rules", "alerts.test.yml")


def test_prometheus_understands_every_panel(tmp_path: Path):
    rules = [
        {"record": f"panel:{number}", "expr": text.replace("$__rate_interval", "5m")}
        for number, text in enumerate(EXPRESSIONS)
    ]
    path = tmp_path / "panels.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    promtool("check", "rules", str(path))
