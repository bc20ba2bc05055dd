"""The key ring: derived secrets, wrapped data keys, and what its file may be."""

from __future__ import annotations

import base64
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.errors import ConfigurationError, SealBroken
from pipeline.ids import new_id
from pipeline.privacy.keyfile import (
    KeyFile,
    create_key_file,
    with_another,
    written,
)
from pipeline.privacy.keyring import key_ring, load_key_ring
from pipeline.privacy.ring_file import RingFile
from pipeline.settings import Settings

ONE, TWO = b"1" * 32, b"2" * 32


def test_every_use_has_a_key_of_its_own() -> None:
    ring = key_ring(KeyFile(2, {1: ONE, 2: TWO}))
    secrets = [
        secret for v in (1, 2) for k in [ring.hash_keys(v)] for secret in (k.value, k.signature, k.match)
    ]
    assert len({*secrets, ONE, TWO}) == 8
    assert ring.current == ring.hash_keys(2)


def test_derived_keys_never_change() -> None:
    """What is stored rests on them: a change here makes every stored hash unfindable."""
    assert key_ring(KeyFile(1, {1: ONE})).current.value.hex() == (
        "31c874256b033779d08cde9fa3f072f2a4d0e016bae460c8f7febf0f966addad"
    )


def test_a_data_key_unwraps_for_its_owner_only_and_after_rotation() -> None:
    owner = new_id()
    key = key_ring(KeyFile(1, {1: ONE})).new_data_key(owner)
    rotated = key_ring(KeyFile(2, {1: ONE, 2: TWO}))
    assert rotated.unwrap(key.wrapped, key.version, owner) == key.plain
    assert rotated.wrap(key.plain, owner).version == 2
    with pytest.raises(SealBroken):
        rotated.unwrap(key.wrapped, key.version, new_id())
    with pytest.raises(SealBroken):
        rotated.unwrap(key.wrapped, 2, owner)
    with pytest.raises(ConfigurationError, match="no version 3"):
        rotated.unwrap(key.wrapped, 3, owner)


def test_secrets_are_not_shown() -> None:
    file = KeyFile(1, {1: ONE})
    ring = key_ring(file)
    key = ring.new_data_key(new_id())
    shown = repr((file, ring, ring.current, key))
    assert "value" not in shown
    assert "plain" not in shown
    assert repr(ONE) not in shown


def test_the_first_start_makes_one_development_ring_for_all(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        rings = list(pool.map(lambda _: load_key_ring(Settings(home=tmp_path / "new")), range(16)))
    assert len({ring.current.value for ring in rings}) == 1
    path = tmp_path / "new" / "keys.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["keys.json"]


def test_production_refuses_a_development_ring(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="RB_KEY_RING_FILE"):
        load_key_ring(Settings(home=tmp_path, environment="production"))
    path = tmp_path / "keys.json"
    create_key_file(path, development=True)
    with pytest.raises(ConfigurationError, match="development"):
        load_key_ring(Settings(key_ring_file=path, environment="production"))


def test_production_takes_a_ring_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "ring.json"
    assert create_key_file(path)
    assert not create_key_file(path)
    ring = load_key_ring(Settings(key_ring_file=path, environment="production"))
    assert ring.current.version == 1


def _document(**changes: object) -> str:
    key = base64.b64encode(ONE).decode()
    return json.dumps({"current": 1, "keys": {"1": key}} | changes)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        _document(current=2),
        _document(keys={}),
        _document(keys={"1": base64.b64encode(b"short secret").decode()}),
        _document(keys={"1": "not base64, secret"}),
        _document(current=0, keys={"0": base64.b64encode(ONE).decode()}),
        _document(extra=1),
        _document(naming=3),
        _document(retired={"1": {"audit": "AAAA", "receipts": "AAAA"}}),
        _document(naming=2, retired={"2": {"audit": "AAAA", "receipts": "AAAA"}}),
    ],
)
def test_a_malformed_ring_is_refused_without_quoting_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "ring.json"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        RingFile(path).read()
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_missing_ring_is_never_replaced(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_key_ring(Settings(key_ring_file=tmp_path / "gone.json"))
    assert not (tmp_path / "gone.json").exists()


def test_records_are_named_by_the_first_version_unless_another_is_said() -> None:
    first = key_ring(KeyFile(1, {1: ONE})).naming
    assert key_ring(KeyFile(2, {1: ONE, 2: TWO})).naming == first
    assert key_ring(KeyFile(2, {1: ONE, 2: TWO}, naming=2)).naming != first


def test_a_ring_is_read_again_when_a_version_is_met_that_it_lacks(tmp_path: Path) -> None:
    path, owner = tmp_path / "ring.json", new_id()
    create_key_file(path)
    ring = load_key_ring(Settings(key_ring_file=path))
    other = with_another(RingFile(path).read())
    RingFile(path).replace(KeyFile(2, other.keys))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["ring.json"]
    key = load_key_ring(Settings(key_ring_file=path)).new_data_key(owner)
    assert key.version == 2
    assert ring.unwrap(key.wrapped, 2, owner) == key.plain
    assert ring.current.version == 2
    with pytest.raises(ConfigurationError, match="no version 3"):
        ring.hash_keys(3)


def test_a_ring_that_cannot_be_read_again_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "ring.json"
    create_key_file(path)
    ring = load_key_ring(Settings(key_ring_file=path))
    path.write_text("half a fi")
    assert ring.versions == (1,)
    path.unlink()
    assert ring.versions == (1,)


def test_a_ring_stands_in_the_environment(tmp_path: Path) -> None:
    text = written(KeyFile(2, {1: ONE, 2: TWO}))
    ring = load_key_ring(Settings.model_validate({"key_ring": text, "environment": "production"}))
    assert ring.versions == (1, 2)
    assert ring.current == key_ring(KeyFile(2, {1: ONE, 2: TWO})).current
    with pytest.raises(ConfigurationError, match="RB_KEY_RING is malformed") as caught:
        load_key_ring(Settings.model_validate({"key_ring": "secret", "home": tmp_path}))
    assert "secret" not in str(caught.value)


def test_of_a_retired_version_public_keys_are_left_and_what_names_records(tmp_path: Path) -> None:
    path, whole = tmp_path / "ring.json", key_ring(KeyFile(2, {1: ONE, 2: TWO}))
    RingFile(path).replace(whole.without(1))
    left = load_key_ring(Settings(key_ring_file=path))
    assert (left.audit_keys(), left.receipt_keys()) == (whole.audit_keys(), whole.receipt_keys())
    assert left.naming == whole.naming
    assert base64.b64encode(ONE) not in path.read_bytes()
    with pytest.raises(ConfigurationError, match="no version 1"):
        left.hash_keys(1)
    assert max(with_another(left.file).keys) == 3
    assert whole.without(2).retired[2].naming is None
