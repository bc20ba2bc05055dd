"""Who calls: keys of the environment and of the database, their ends and rotations, and how they are compared."""

from __future__ import annotations

import hmac
from datetime import timedelta

import pytest

from gateway import auth
from gateway.auth import ApiKeys
from pipeline.api_keys.configured import configured
from pipeline.api_keys.scope import EVERYTHING, Scope
from pipeline.api_keys.secret import id_in, written
from pipeline.api_keys.stored import StoredKey, Wanted
from pipeline.errors import BadInput, ConfigurationError, StoreUnavailable
from pipeline.settings import Settings
from tests.support.keys import ID, NOW, OTHER_SECRET, SECRET, Stored, keys_of, stored_key

SOON = timedelta(seconds=1)


async def opens(keys: ApiKeys, key: str) -> bool:
    return await keys.caller(f"Bearer {key}".encode()) is not None


async def test_keys_open_with_and_without_bearer() -> None:
    keys = keys_of("one,two words")
    one, two = await keys.caller(b"one"), await keys.caller(b"two words")
    assert one is not None
    assert one == await keys.caller(b"Bearer one") == await keys.caller(b"bearer  one ")
    assert two is not None
    assert two == await keys.caller(b"Bearer two words")
    assert one.name != two.name
    assert one.actor == f"api-key:{one.name}"
    for wrong in (None, b"", b"Bearer", b"Bearer ", b"On", b"Basic one", b"\xff", b"rb_", SECRET.encode()):
        assert await keys.caller(wrong) is None


def test_keys_of_the_environment_hold_everything_or_what_they_name() -> None:
    found = {one.key: one.scopes for one in configured(" a ,b:ingest, c:read+read:pii,d=:steward,")}
    assert found == {
        "a": EVERYTHING,
        "b": {Scope.INGEST},
        "c": {Scope.READ, Scope.READ_PII},
        "d=": {Scope.STEWARD},
    }
    assert Settings.model_validate({"api_keys": "a:read, b"}).api_key_list() == ("a", "b")
    for wrong in ("a,b:raed", "b:", "b:read+", "b:read pii", ":read", "b:read+raed", SECRET, "rb_x:read"):
        with pytest.raises(ConfigurationError, match=r"RB_API_KEYS: .*key [12]") as told:
            configured(wrong)
        assert wrong not in str(told.value), "no secret is told"


def test_the_first_key_with_the_scopes_needed_is_taken() -> None:
    given = Settings.model_validate({"api_keys": "shop:read,till:ingest,both:ingest+read"})
    assert given.api_key_for(Scope.READ) == "shop"
    assert given.api_key_for(Scope.INGEST) == "till"
    assert given.api_key_for(Scope.READ, Scope.INGEST) == "both"
    with pytest.raises(ConfigurationError, match="RB_API_KEYS: no key of it holds steward and read; add one"):
        given.api_key_for(Scope.STEWARD, Scope.READ)


async def test_a_key_of_the_database_opens_for_its_holder() -> None:
    key = stored_key(scopes=frozenset({Scope.READ}), per_minute=7)
    used: list[str] = []
    keys = ApiKeys((), Stored(key), used.append, lambda: NOW)
    caller = await keys.caller(f"Bearer {SECRET}".encode())
    assert caller is not None
    assert (caller.name, caller.actor, caller.scopes, caller.per_minute) == (ID, "till", {Scope.READ}, 7)
    for wrong in (OTHER_SECRET, SECRET[:-1], SECRET.upper(), written("f" * 16, b"s" * 32)):
        assert not await opens(keys, wrong)
    assert used == [ID]


@pytest.mark.parametrize(
    ("key", "current", "former"),
    [
        (stored_key(expires_at=NOW + SOON), True, False),
        (stored_key(expires_at=NOW), False, False),
        (stored_key(former=OTHER_SECRET, former_until=NOW + SOON), True, True),
        (stored_key(former=OTHER_SECRET, former_until=NOW), True, False),
        (stored_key(former=OTHER_SECRET, former_until=NOW + SOON, expires_at=NOW), False, False),
    ],
)
async def test_a_key_ends_and_its_former_secret_has_a_grace(
    key: StoredKey, current: bool, former: bool
) -> None:
    keys = keys_of("", Stored(key))
    assert (await opens(keys, SECRET), await opens(keys, OTHER_SECRET)) == (current, former)


async def test_keys_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the standard library's comparison, of hashes, and as often whether a key fits or not."""
    compared: list[tuple[int, int]] = []

    def counting(given: bytes, expected: bytes) -> bool:
        compared.append((len(given), len(expected)))
        return hmac.compare_digest(given, expected)

    monkeypatch.setattr(auth, "compare_digest", counting)
    environment = keys_of("one,two,three")
    database = keys_of("", Stored(stored_key(former=OTHER_SECRET, former_until=NOW + SOON)))
    for keys, count, tried in (
        (environment, 3, ("one", "three", "none", "x" * 999)),
        (database, 2, (SECRET, OTHER_SECRET, written(ID, b"x" * 32))),
    ):
        for key in tried:
            compared.clear()
            await opens(keys, key)
            assert compared == [(32, 32)] * count, key


async def test_keys_of_the_environment_need_no_database() -> None:
    stored = Stored(stored_key())
    stored.away = True
    keys = keys_of("one", stored)
    assert await opens(keys, "one")
    assert not await opens(keys, "other")
    with pytest.raises(StoreUnavailable):
        await opens(keys, SECRET)


def test_keys_are_known_by_their_form() -> None:
    assert id_in(SECRET.encode()) == ID
    assert SECRET.startswith(f"rb_{ID}_")
    for other in (
        SECRET[:-1],
        f"{SECRET}0",
        f" {SECRET}",
        f"{SECRET}\n",
        SECRET.replace("rb_", "rb-"),
        "key",
    ):
        assert id_in(other.encode()) is None


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, ID, "api-key:x", "-a", "é"])
def test_names_are_plain_and_no_ids(name: str) -> None:
    with pytest.raises(BadInput, match="name"):
        Wanted(name, EVERYTHING)


def test_secrets_are_not_shown_by_chance() -> None:
    assert "secret_hash" not in repr(stored_key())
    assert "one" not in repr(configured("one"))
