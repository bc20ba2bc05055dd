"""`retail-brain keys` on real servers: what it shows, what it does, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import orjson
import pytest
from typer.testing import CliRunner

from cli.main import app
from infra.doctor import _rotation
from pipeline.errors import ConfigurationError, Conflict
from pipeline.privacy.keyfile import KeyFile, written
from pipeline.privacy.sealer import VaultTransit
from pipeline.settings import settings
from pipeline.store.key_versions import Step
from tests.contract.test_sealer import TOKEN, Vault
from tests.servers import TestStack, flushed_redis
from tests.support.pipeline import StagesOnPostgres, event
from tests.support.rotating import Rotator, faults, ring_file, ring_of


@pytest.fixture
def stages(
    database: str, stack: TestStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StagesOnPostgres]:
    """A house of two customers, which commands run in this process find."""
    path = ring_file(tmp_path)
    monkeypatch.setenv("RB_HOME", str(tmp_path))
    monkeypatch.setenv("RB_POSTGRES_DSN", database)
    monkeypatch.setenv("RB_REDIS_URL", flushed_redis(stack.redis_url, 15))
    monkeypatch.setenv("RB_KEY_RING_FILE", str(path))
    settings.cache_clear()
    opened = StagesOnPostgres(database, keys=ring_of(path))
    opened.send(event(1, {"email": "anna@mailbox.net"}), event(2, {"email": "bo@mailbox.net"}))
    yield opened
    opened.close()
    settings.cache_clear()


def run(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["keys", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_ring_is_rotated_and_its_old_version_retired(stages: StagesOnPostgres) -> None:
    assert orjson.loads(run("list", "--json")) == [
        {"version": 1, "current": True, "names_records": True, "retired": False}
    ]
    done = orjson.loads(
        run("rotate", "--json", "--rate", "0", "--batch", "1", "--reason", "a year has passed")
    )
    assert (done["current"], done["went_on"]) == (2, False)
    assert done["done"].pop("match keys") > 0
    assert done["done"] == {"fill": 2, "evidence": 0, "identifiers": 2, "announce": 2, "rewrap": 4}
    told = orjson.loads(run("status", "--json"))
    assert (told["looked_up"], told["rotation"]) == (2, None)
    assert told["versions"][0] == {"version": 1, "uses": [], "resting": {}}
    assert told["versions"][1]["resting"] == {"data_key": 4, "record_identifier": 2}
    assert "version 1 is retired" in run("retire", "1", "--reason", "nothing rests on it")
    assert run("list").split("\n")[:2] == ["    1  names records, retired", "    2  current"]
    with pytest.raises(Conflict, match="version 2 cannot be retired: current"):
        run("retire", "2")
    assert not faults(stages)


def test_one_that_is_under_way_is_told_and_gone_on_with(
    stages: StagesOnPostgres, database: str, tmp_path: Path
) -> None:
    rotator = Rotator(database, tmp_path / "ring.json", stages)
    rotator.up_to(Step.ANNOUNCE)
    rotator.close()
    assert "A rotation is at `announce`" in run("status")
    ((finding),) = _rotation(settings())
    assert not finding.ok
    assert not finding.blocks
    assert "versions 2 and 1" in finding.found
    assert orjson.loads(run("rotate", "--json"))["went_on"] is True
    assert "nothing rests on it" in run("status")
    assert not list(_rotation(settings()))


def test_a_version_is_added_before_it_is_used(stages: StagesOnPostgres, tmp_path: Path) -> None:
    assert "holds version 2" in run("add")
    assert "holds version 2" in run("add")
    ring = ring_of(tmp_path / "ring.json")
    assert (ring.versions, ring.current.version) == ((1, 2), 1)
    run("rotate")
    assert ring_of(tmp_path / "ring.json").versions == (1, 2)


def test_a_ring_of_the_environment_is_printed_and_not_written(
    stages: StagesOnPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = KeyFile(1, {1: bytes(range(32))})
    monkeypatch.delenv("RB_KEY_RING_FILE")
    monkeypatch.setenv("RB_KEY_RING", written(ring))
    settings.cache_clear()
    with pytest.raises(Conflict, match="`keys add` prints it with another version"):
        run("rotate")
    added = orjson.loads(run("add"))
    assert (added["current"], sorted(added["keys"])) == (1, ["1", "2"])
    monkeypatch.setenv("RB_KEY_RING", orjson.dumps({**added, "current": 2}).decode())
    settings.cache_clear()
    assert "found by version 2" in run("rotate")
    with pytest.raises(Conflict, match="take the version out there"):
        run("retire", "1")


def test_a_ring_is_sealed_and_rotates_sealed(
    stages: StagesOnPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ring.json"
    with pytest.raises(ConfigurationError, match="RB_VAULT_URL"):
        run("seal")
    with httpx.Client(
        transport=httpx.MockTransport(Vault()), base_url="http://vault", headers={"X-Vault-Token": TOKEN}
    ) as client:
        monkeypatch.setattr(
            "pipeline.privacy.keyring.sealer_of", lambda _: VaultTransit(client, "retail-brain")
        )
        assert "destroy its copies" in run("seal")
        assert file.read_text() == '{"sealed":"vault:v1:0"}'
        assert orjson.loads(run("rotate", "--json", "--rate", "0"))["current"] == 2
        assert "version 1 is retired" in run("retire", "1")
        assert file.read_text().startswith('{"sealed":"vault:v1:')
