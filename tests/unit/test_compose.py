"""docker-compose.yml and what it mounts, checked without an engine."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft7Validator
from prometheus_client import REGISTRY

import pipeline.metrics  # noqa: F401 declares the metrics
from cli.servers import MAINS
from pipeline.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
INFRA = ROOT / "infra"
SPEC = json.loads((ROOT / "tests/data/compose-spec/compose-spec.json").read_text())
COMPOSE = yaml.safe_load((INFRA / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]


def errors(document: object) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in Draft7Validator(SPEC).iter_errors(document)]


def test_it_obeys_the_compose_specification() -> None:
    assert errors(COMPOSE) == []


@pytest.mark.parametrize(
    "wrong", [{"ports": "8080"}, {"helthcheck": {}}, {"depends_on": {"kafka": {"condition": "hopefully"}}}]
)
def test_the_check_can_fail(wrong: dict[str, object]) -> None:
    assert errors({**COMPOSE, "services": {"gateway": {**SERVICES["gateway"], **wrong}}})


def test_it_runs_every_process_of_ours() -> None:
    run = {service["command"][1] for service in SERVICES.values() if service.get("command", [""])[0] == "run"}
    assert run == set(MAINS)


def test_whatever_is_waited_for_exists_and_can_become_it() -> None:
    for service in SERVICES.values():
        for name, how in service.get("depends_on", {}).items():
            assert name in SERVICES
            assert how["condition"] != "service_healthy" or "healthcheck" in SERVICES[name]


def test_named_volumes_are_declared_and_mounted_files_exist() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (INFRA / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]


def test_its_settings_exist() -> None:
    known = {f"RB_{name.upper()}" for name in Settings.model_fields}
    used = {
        name
        for service in SERVICES.values()
        for name in service.get("environment", {})
        if name.startswith("RB_")
    }
    assert used <= known


def test_images_are_pinned() -> None:
    for service in SERVICES.values():
        image = service["image"]
        assert image == "retail-brain" or re.search(r":[\w.-]*\d", image), image


def test_the_dockerfile_copies_every_package() -> None:
    packages = re.search(r"^packages = (\[.*\])$", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert packages is not None
    copied = re.findall(r"^COPY (\w+) \1$", (INFRA / "Dockerfile").read_text(), re.MULTILINE)
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert json.loads(packages[1]) == copied
    assert all(f"!{name}" in ignored for name in copied)


def test_prometheus_scrapes_every_process() -> None:
    scrapes = yaml.safe_load((INFRA / "prometheus/prometheus.yml").read_text())["scrape_configs"]
    assert set(scrapes[0]["dns_sd_configs"][0]["names"]) == set(MAINS)
    assert (
        str(scrapes[0]["dns_sd_configs"][0]["port"]) == SERVICES["gateway"]["environment"]["RB_METRICS_PORT"]
    )


def test_the_dashboard_asks_for_metrics_that_exist() -> None:
    declared = {
        sample
        for metric in REGISTRY.collect()
        for sample in (metric.name, f"{metric.name}_total", f"{metric.name}_bucket")
    }
    dashboard = json.loads((INFRA / "grafana/dashboards/retail-brain.json").read_text())
    asked = {
        name
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in re.findall(r"\brb_\w+", target["expr"])
    }
    assert asked
    assert asked <= declared
