"""A stored model or policy is the one that decided, whatever the files of today say."""

from __future__ import annotations

import zlib
from dataclasses import fields

import orjson
import pytest

from pipeline.errors import ConfigurationError
from pipeline.identity.compare import compare, side
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model
from pipeline.store.configurations import packed, unpacked
from tests.support.people import model, person, policy


def test_a_model_is_read_again_whole() -> None:
    again = unpacked(Model, packed(model()), model().version)
    assert {f.name: getattr(again, f.name) for f in fields(Model)} == {
        f.name: getattr(model(), f.name) for f in fields(Model)
    }


def test_a_policy_is_read_again_whole() -> None:
    assert unpacked(Policy, packed(policy()), policy().version) == policy()


def test_evidence_by_what_is_stored_is_the_same_to_the_last_bit() -> None:
    again = unpacked(Model, packed(model()), ""), unpacked(Policy, packed(policy()), "")
    home = "1304 Poppy Hills Dr, Blacklick OH 43004"
    one, other = (
        side([p.arrival.record])
        for p in (
            person({"email": "bob.zbik@mailbox.net"}, first_name="Bob", last_name="Zbik", address=home),
            person({"email": "info@mailbox.net"}, first_name="Robert", last_name="Zbick", address=home),
        )
        if p.arrival.record
    )
    assert compare(one, other, *again) == compare(one, other, model(), policy())


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"no zlib", "no known form"),
        (zlib.compress(b"[1]"), "no known form"),
        (zlib.compress(orjson.dumps({"format": 99, "content": {}})), "format 99"),
        (zlib.compress(orjson.dumps({"format": 1, "content": {}})), "stored without version"),
    ],
)
def test_what_cannot_be_read_says_so(content: bytes, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        unpacked(Policy, content, "policy-1")
