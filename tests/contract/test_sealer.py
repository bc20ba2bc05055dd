"""What a sealer of the key ring has to do, held against conversations as Vault's documentation has them."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from pipeline.errors import ConfigurationError, KeyServiceUnavailable
from pipeline.privacy.keyfile import KeyFile, create_key_file
from pipeline.privacy.keyring import load_key_ring, ring_file
from pipeline.privacy.ring_file import RingFile
from pipeline.privacy.sealer import Sealer, VaultTransit, sealer_of
from pipeline.settings import Settings

RING = KeyFile(2, {1: bytes(range(32)), 2: bytes(reversed(range(32)))})
TOKEN = "hvs.a-token"


@dataclass
class Vault:
    """The transit engine of one key, as https://developer.hashicorp.com/vault/api-docs/secret/transit tells it. What it
    keeps of a plaintext stands in for its encryption."""

    refuses: httpx.Response | None = None
    kept: list[str] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.refuses is not None:
            return self.refuses
        assert request.method == "POST"
        if request.headers["X-Vault-Token"] != TOKEN:
            return httpx.Response(403, json={"errors": ["permission denied"]})
        asked: Mapping[str, str] = json.loads(request.content)
        match request.url.path:
            case "/v1/transit/encrypt/retail-brain":
                self.kept.append(asked["plaintext"])
                return _told({"ciphertext": f"vault:v1:{len(self.kept) - 1}", "key_version": 1})
            case "/v1/transit/decrypt/retail-brain":
                _, _, number = asked["ciphertext"].split(":")
                if int(number) >= len(self.kept):
                    return httpx.Response(400, json={"errors": ["cipher: message authentication failed"]})
                return _told({"plaintext": self.kept[int(number)]})
        return httpx.Response(404, json={"errors": []})


def _told(data: Mapping[str, object]) -> httpx.Response:
    rest = {"request_id": "a3b2", "lease_id": "", "renewable": False, "lease_duration": 0, "wrap_info": None}
    return httpx.Response(200, json={**rest, "data": data, "warnings": None, "auth": None})


@pytest.fixture
def vault() -> Vault:
    return Vault()


Sealing = Callable[..., Sealer]


@pytest.fixture
def sealing(vault: Vault) -> Iterator[Sealing]:
    opened: list[httpx.Client] = []

    def make(token: str = TOKEN, key: str = "retail-brain") -> Sealer:
        transport = httpx.MockTransport(vault)
        client = httpx.Client(transport=transport, base_url="http://vault", headers={"X-Vault-Token": token})
        opened.append(client)
        return VaultTransit(client, key)

    yield make
    for client in opened:
        client.close()


def test_what_was_sealed_is_opened_and_tells_nothing(sealing: Sealing) -> None:
    sealed = sealing().seal(b"\x00secret\xff")
    assert sealed == "vault:v1:0"
    assert sealing().open(sealed) == b"\x00secret\xff"


@pytest.mark.parametrize("given", [{"token": "another"}, {"key": "unknown"}])
def test_who_may_not_is_told_what_to_check(sealing: Sealing, given: Mapping[str, str]) -> None:
    sealed = sealing().seal(b"secret")
    refused = sealing(**given)
    for act in (
        lambda: refused.open(sealed),
        lambda: refused.seal(b"secret"),
        lambda: sealing().open("vault:v1:9"),
    ):
        with pytest.raises(ConfigurationError, match="RB_VAULT_TOKEN") as told:
            act()
        assert "secret" not in str(told.value)
        assert told.value.__cause__ is None


@pytest.mark.parametrize("status", [429, 500, 503])
def test_one_that_is_away_is_waited_for(sealing: Sealing, vault: Vault, status: int) -> None:
    vault.refuses = httpx.Response(status, json={"errors": ["Vault is sealed"]})
    with pytest.raises(KeyServiceUnavailable, match=str(status)):
        sealing().open("vault:v1:0")


def test_one_that_does_not_answer_is_waited_for() -> None:
    with httpx.Client(base_url="http://127.0.0.1:1") as client, pytest.raises(KeyServiceUnavailable):
        VaultTransit(client, "retail-brain").seal(b"secret")


def test_an_answer_that_is_none_is_a_refusal(sealing: Sealing, vault: Vault) -> None:
    for answer in (b"<html>", b"{}", b'{"data": null}'):
        vault.refuses = httpx.Response(200, content=answer)
        with pytest.raises(ConfigurationError, match="RB_VAULT_URL"):
            sealing().open("vault:v1:0")


def test_a_sealed_ring_is_read_and_replaced(sealing: Sealing, vault: Vault, tmp_path: Path) -> None:
    file = RingFile(tmp_path / "ring", sealing())
    file.path.touch()
    file.replace(RING)
    assert file.path.read_text() == '{"sealed":"vault:v1:0"}'
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert file.read() == RING
    with pytest.raises(ConfigurationError, match="RB_VAULT_URL"):
        RingFile(file.path).read()
    vault.refuses = httpx.Response(503)
    with pytest.raises(KeyServiceUnavailable):
        file.replace(KeyFile(1, {1: bytes(32)}))
    vault.refuses = None
    assert file.read() == RING


def test_a_ring_that_lies_open_is_read_and_said(sealing: Sealing, tmp_path: Path) -> None:
    create_key_file(tmp_path / "ring")
    with capture_logs() as logs:
        RingFile(tmp_path / "ring", sealing()).read()
    assert [line["event"] for line in logs] == ["the key ring is not sealed: `retail-brain keys seal`"]


def test_a_ring_goes_on_while_what_seals_it_is_away(
    sealing: Sealing, vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.privacy.keyring.sealer_of", lambda settings: sealing())
    settings = Settings(key_ring_file=tmp_path / "ring")
    file = ring_file(settings)
    assert file is not None
    file.path.touch()
    file.replace(RING)
    ring = load_key_ring(settings)
    file.replace(KeyFile(3, {**RING.keys, 3: bytes(32)}))
    vault.refuses = httpx.Response(503)
    ring.refresh()
    assert ring.current.version == 2
    vault.refuses = None
    ring.refresh()
    assert ring.current.version == 3


def test_the_settings_name_it() -> None:
    assert sealer_of(Settings()) is None
    assert isinstance(sealer_of(Settings(vault_url="https://vault:8200")), VaultTransit)
