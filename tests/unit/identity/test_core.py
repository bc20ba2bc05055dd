"""Hashes, match keys, policy and model files, and the core's purity."""

from __future__ import annotations

import ast
import json
from importlib import resources
from pathlib import Path

import pytest
import yaml

from pipeline.configuration import load_model, load_policy
from pipeline.errors import ConfigurationError
from pipeline.frozen import freeze, thaw
from pipeline.identity import hashing
from pipeline.identity.blocking import match_keys
from pipeline.identity.ids import Id
from pipeline.identity.model import Criterion, Identifier, IdentifierType, MatchKeyKind
from pipeline.identity.policy import Policy
from pipeline.identity.score import against_both, bits, confidence
from pipeline.settings import Settings
from tests.support.people import person

CORE = Path(str(resources.files("pipeline.identity")))
FORBIDDEN = {
    "os", "io", "sys", "socket", "subprocess", "pathlib", "shutil", "tempfile", "asyncio", "threading", "time",
    "random", "secrets", "logging", "urllib", "http", "importlib", "gzip", "csv", "sqlite3", "psycopg", "redis",
    "confluent_kafka",
    "fastapi", "httpx", "structlog", "prometheus_client", "yaml", "pydantic", "nicknames", "cryptography", "faust",
}  # fmt: skip
OUTSIDE = {"pipeline.codes", "pipeline.identity"}


@pytest.mark.parametrize("file", sorted(CORE.rglob("*.py")), ids=lambda f: f.name)
def test_the_core_does_no_io(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        for name in names:
            assert name.split(".")[0] not in FORBIDDEN, f"{file.name} imports {name}"
            assert not name.startswith("pipeline") or name.startswith(tuple(OUTSIDE)), f"{file.name}: {name}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"open", "print", "input", "exec", "eval"}
        if isinstance(node, ast.Attribute):
            assert node.attr not in {"now", "utcnow", "today", "uuid4"} or file.name == "normalize.py"


def test_value_hashes_keep_types_apart() -> None:
    phone, whatsapp = (
        hashing.value_hash(b"k", Identifier(t, "+17029191300"))
        for t in (IdentifierType.PHONE, IdentifierType.WHATSAPP)
    )
    assert phone != whatsapp
    assert len(phone) == 32
    assert phone != hashing.value_hash(b"other", Identifier(IdentifierType.PHONE, "+17029191300"))


def test_a_record_id_is_the_beginning_of_its_signature() -> None:
    signature = hashing.signature(b"k", b"content")
    assert hashing.record_id(signature) == Id(signature[:16])


def test_keyed_numbers_are_signed_64_bit_and_keep_domains_apart() -> None:
    numbers = [hashing.keyed_number(b"k", domain, str(n)) for domain in "ab" for n in range(100)]
    assert len(set(numbers)) == 200
    assert all(-(2**63) <= n < 2**63 for n in numbers)
    assert min(numbers) < 0 < max(numbers)


def kinds_shared(a: dict[str, str], b: dict[str, str]) -> set[MatchKeyKind]:
    one, other = (set(match_keys(person({}, **t).canonical, b"k")) for t in (a, b))
    return {key.kind for key in one & other}


def test_match_keys_meet_in_spite_of_slips() -> None:
    ada = {"first_name": "Ada", "last_name": "Lovelace", "date_of_birth": "1985-06-21", "postcode": "94107"}
    swapped = {**ada, "first_name": "Lovelace", "last_name": "Ada"}
    assert MatchKeyKind.NAMES in kinds_shared(ada, swapped)
    assert MatchKeyKind.NAME_DATE_OF_BIRTH in kinds_shared(ada, swapped)
    assert MatchKeyKind.NAME_POSTCODE in kinds_shared(ada, {**ada, "first_name": "X", "date_of_birth": ""})
    assert MatchKeyKind.DATE_OF_BIRTH in kinds_shared(ada, {"date_of_birth": "21/06/1985"})
    assert kinds_shared(ada, {"first_name": "Bo"}) == set()
    farm = {"address": "Studley St", "postcode": "4869"}
    assert kinds_shared(farm, {"address": "Studley Steet", "postcode": "4869"}) == {MatchKeyKind.ADDRESS}
    assert kinds_shared(farm, {"address": "Studley St"}) == set()
    assert kinds_shared(farm, {"address": "12 Studley St", "postcode": "4869"}) == set()


def test_a_whatsapp_account_meets_its_phone() -> None:
    keys = [
        set(match_keys(person({kind: "+1 415 555 0123"}).canonical, b"k")) for kind in ("phone", "whatsapp")
    ]
    assert {key.kind for key in keys[0] & keys[1]} == {MatchKeyKind.IDENTIFIER, MatchKeyKind.PHONE_TAIL}


def test_confidence_and_bits_are_inverse() -> None:
    assert confidence(0.0) == 0.5
    assert confidence(2.0) == pytest.approx(0.8)
    assert bits(confidence(3.3)) == pytest.approx(3.3)
    assert confidence(-5000.0) >= 0.0
    assert confidence(5000.0) <= 1.0


def test_odds_against_both_are_the_sum_of_odds() -> None:
    assert against_both(3.0, 3.0) == pytest.approx(2.0)
    assert against_both(40.0, 1.0) == pytest.approx(1.0)
    assert against_both(1.0, 40.0) == against_both(40.0, 1.0)


def shipped(name: str) -> str:
    return (CORE / "data" / name).read_text("utf-8")


def test_thresholds_of_the_environment_take_precedence() -> None:
    assert load_policy(Settings()).auto_merge == 0.80
    changed = load_policy(Settings(auto_merge_threshold=0.9))
    assert changed.auto_merge == 0.9
    assert changed.version != load_policy(Settings()).version


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"auto_merge": 1.5}, "auto_merge"),
        ({"review": 0.9}, "review"),
        ({"blok_caps": {}}, "blok_caps"),
        ({"identifiers": {}}, "identifiers lacks cookie_id"),
        ({"identifiers": {"fax": {}}}, "identifiers"),
        ({"block_caps": {"names": 5}}, "block_caps lacks address"),
        ({"neighbourhood_limit": "many"}, "neighbourhood_limit"),
        ({"split_limit": 0}, "split_limit: .*greater than or equal to 1"),
        ({"block_caps": {"names": 100_000}}, r"block_caps\.names: .*less than or equal to 5000"),
        (
            {"holders_compared": {"all": 500, "alike": 3, "others": 20}},
            r"holders_compared\.all: .*less than or equal to 100",
        ),
        ({"placeholder_dates": ["01.01.1900"]}, r"placeholder_dates\.0: .*write a day as YYYY-MM-DD"),
        ({"placeholder_emails": ["nobody"]}, r"placeholder_emails\.0: .*write user@domain, user@ or @domain"),
        ({"role_mailboxes": ["info@"]}, r"role_mailboxes\.0: .*the part before the @"),
        ({"placeholder_phones": ["555-0100"]}, r"placeholder_phones\.0: .*digits alone"),
        ({"dash_tag_domains": ["yahoo"]}, r"dash_tag_domains\.0: .*a domain such as gmail\.com"),
        (
            {"survivorship": {"shoe_size": ["trust"]}},
            r"survivorship\.shoe_size.*name a group or an attribute \(address",
        ),
        (
            {"survivorship": {"name": ["age"]}},
            r"survivorship\.name\.0: .*write trust, frequency, completeness, recency",
        ),
        ({"survivorship": {"name": ["trust", "trust"]}}, r"survivorship\.name: .*leave the other out"),
        ({"survivorship": {"name": []}}, r"survivorship\.name: .*at least 1 item"),
        ({"source_trust_of": {"default": {"crm": 1}}}, r"source_trust_of\.default.*source_trust"),
        (
            {"source_trust_of": {"adress": {"crm": 1}}},
            r"source_trust_of\.adress.*name a group or an attribute",
        ),
        ({"dotless_domains": ["gmail"]}, r"dotless_domains\.0: .*a domain such as gmail\.com"),
        ({"domain_aliases": {"a.org": "b.org", "b.org": "c.org"}}, r"domain_aliases\.a\.org: .*write c\.org"),
    ],
)
def test_a_wrong_policy_names_the_field(tmp_path: Path, change: dict[str, object], says: str) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(shipped("policy.yaml")), **change}))
    with pytest.raises(ConfigurationError, match=says):
        load_policy(Settings(policy_file=file))


def test_only_identifiers_may_be_shared_by_thousands_of_records(tmp_path: Path) -> None:
    content = yaml.safe_load(shipped("policy.yaml"))
    content["block_caps"] |= {"identifier": 5000, "names": 1001}
    file = tmp_path / "policy.yaml"
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigurationError, match=r"block_caps\.names: 1001 is too many; write at most 1000"):
        load_policy(Settings(policy_file=file))


def test_a_sharing_limit_beyond_the_block_cap_is_refused(tmp_path: Path) -> None:
    content = yaml.safe_load(shipped("policy.yaml"))
    content["identifiers"]["email"]["customers_per_identifier"] = content["block_caps"]["identifier"]
    file = tmp_path / "policy.yaml"
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(
        ConfigurationError, match=r"email\.customers_per_identifier .2000. has to lie below block_caps"
    ):
        load_policy(Settings(policy_file=file))


def test_a_policy_tells_by_what_golden_values_are_chosen(tmp_path: Path) -> None:
    content = yaml.safe_load(shipped("policy.yaml"))
    content["survivorship"] = {
        "default": ["recency"],
        "address": ["completeness"],
        "city": ["trust", "frequency"],
    }
    content["source_trust_of"] = {"address": {"pos": 95}, "city": {"pos": 1}}
    file = tmp_path / "policy.yaml"
    file.write_text(yaml.safe_dump(content))
    policy = load_policy(Settings(policy_file=file))
    assert policy.criteria("email") == (Criterion.RECENCY,)
    assert policy.criteria("street") == (Criterion.COMPLETENESS,)
    assert policy.criteria("city") == (Criterion.TRUST, Criterion.FREQUENCY)
    assert [policy.trust("pos", of) for of in ("street", "city", "email")] == [
        95,
        1,
        policy.source_trust["pos"],
    ]
    assert thaw(Policy, freeze(policy)) == policy


def test_a_policy_kept_from_before_survivorship_was_told_chooses_as_it_did(tmp_path: Path) -> None:
    kept = freeze(load_policy(Settings()))
    assert isinstance(kept, dict)
    del kept["survivorship"], kept["source_trust_of"]
    assert thaw(Policy, kept).criteria("first_name") == (
        Criterion.TRUST,
        Criterion.COMPLETENESS,
        Criterion.RECENCY,
    )


def test_a_policy_without_a_split_limit_has_the_shipped_one(tmp_path: Path) -> None:
    content = yaml.safe_load(shipped("policy.yaml"))
    del content["split_limit"]
    file = tmp_path / "policy.yaml"
    file.write_text(yaml.safe_dump(content))
    assert load_policy(Settings(policy_file=file)).split_limit == load_policy(Settings()).split_limit


def test_a_policy_that_is_no_yaml_or_not_there(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_policy(Settings(policy_file=file))
    file.write_text("a: [")
    with pytest.raises(ConfigurationError, match="no YAML"):
        load_policy(Settings(policy_file=file))
    file.write_text("- a")
    with pytest.raises(ConfigurationError, match="the file"):
        load_policy(Settings(policy_file=file))


def test_a_model_that_lacks_a_level_says_which(tmp_path: Path) -> None:
    content = json.loads(shipped("model.json"))
    del content["levels"]["email"]["user"]
    file = tmp_path / "model.json"
    file.write_text(json.dumps(content))
    with pytest.raises(ConfigurationError, match=r"levels\.email lacks user"):
        load_model(Settings(model_file=file))
    file.write_text("{")
    with pytest.raises(ConfigurationError, match="no JSON"):
        load_model(Settings(model_file=file))


def test_the_model_version_is_a_hash_of_its_content(tmp_path: Path) -> None:
    content = json.loads(shipped("model.json"))
    content["prior"] = -16.0
    file = tmp_path / "model.json"
    file.write_text(json.dumps(content))
    assert load_model(Settings(model_file=file)).version != load_model(Settings()).version
    assert load_model(Settings()).version == load_model(Settings()).version
