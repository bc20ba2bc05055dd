"""What the environment says goes before the stack's addresses, which go before the defaults."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.addresses import effective_settings, variables, with_addresses, with_gateway_port
from infra.embedded.kafka import Proxied
from infra.embedded.processes import record
from infra.embedded.state import Addresses, State
from pipeline.errors import ConfigurationError
from pipeline.settings import Settings, settings

ADDRESSES = Addresses(
    "127.0.0.1:1", "postgresql://postgres:secret@127.0.0.1:2/rb", "redis://127.0.0.1:3/0", 4, "key"
)
PORTS = {"kafka": 21_001, "controller": 21_002, "postgres": 21_003, "valkey": 21_004, "gateway": 21_005}


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("RB_KAFKA_BOOTSTRAP", "RB_POSTGRES_DSN", "RB_REDIS_URL", "RB_GATEWAY_PORT", "RB_API_KEYS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RB_HOME", str(tmp_path))
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_the_stack_fills_in_what_is_unsaid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RB_KAFKA_BOOTSTRAP", "broker:9092")
    found = with_addresses(Settings(), ADDRESSES)
    assert found.kafka_bootstrap == "broker:9092"
    assert found.redis_url == ADDRESSES.redis_url
    assert found.postgres_dsn.get_secret_value() == ADDRESSES.postgres_dsn
    assert (found.gateway_port, found.api_key_list()) == (4, ("key",))


def test_a_threshold_nobody_set_stays_the_policys(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "auto_merge_threshold" not in with_addresses(Settings(), ADDRESSES).model_fields_set
    monkeypatch.setenv("RB_AUTO_MERGE_THRESHOLD", "0.9")
    found = with_addresses(Settings(), ADDRESSES)
    assert found.auto_merge_threshold == 0.9
    assert "auto_merge_threshold" in found.model_fields_set


def test_the_variables_lead_a_process_to_the_same_place(monkeypatch: pytest.MonkeyPatch) -> None:
    found = with_addresses(Settings(), ADDRESSES)
    for name, value in variables(found).items():
        monkeypatch.setenv(name, value)
    assert Settings() == found.model_copy(update={"home": found.home.resolve()})


def test_no_stack_means_the_defaults() -> None:
    assert effective_settings() == Settings()


def test_a_running_stack_is_found(tmp_path: Path) -> None:
    (tmp_path / "postgres.password").write_text("secret")
    State(PORTS, "key", {"valkey": record(os.getpid())}).write(tmp_path / "stack.json")
    assert effective_settings().kafka_bootstrap == "127.0.0.1:21001"
    assert "secret" not in repr(effective_settings())


def test_the_gateways_port_is_the_environments_if_it_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert with_gateway_port(Settings(), 4711).gateway_port == 4711
    monkeypatch.setenv("RB_GATEWAY_PORT", "4712")
    assert with_gateway_port(Settings(), 4711).gateway_port == 4712


def test_a_second_door_is_remembered(tmp_path: Path) -> None:
    for door in (Proxied(21_006, 21_007), None):
        State(PORTS, "key", {}, door).write(tmp_path / "stack.json")
        held = State.read(tmp_path / "stack.json")
        assert held is not None
        assert held.proxied == door


def test_a_damaged_state_names_the_mend(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text("{")
    with pytest.raises(ConfigurationError, match="remove it"):
        effective_settings()
