"""Each database role may do what is declared, and nothing else; what it must not do is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from infra.doctor import postgres_roles
from infra.migrate import migrate
from infra.rights import make_role, roles_lacking, to_be_run
from pipeline.errors import RetryLater, RightsLacking, StoreUnavailable
from pipeline.settings import Settings
from pipeline.store.database import Database
from pipeline.store.rights import NOBODYS, RIGHTS
from pipeline.store.roles import Role, as_role
from tests.support.pipeline import StagesOnPostgres, event

Place = tuple[str, str]
"""A table, and a column of it or an empty text for the whole of it."""

_GIVEN = re.compile(r"(SELECT|INSERT|UPDATE|DELETE)(?: \(([^)]*)\))?")

GRANTED = """
SELECT c.relname::text, '', a.privilege_type FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
WHERE c.relnamespace = 'public'::regnamespace AND a.grantee = %(role)s::regrole
UNION ALL
SELECT c.relname::text, t.attname::text, a.privilege_type
FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid CROSS JOIN LATERAL aclexplode(t.attacl) a
WHERE c.relnamespace = 'public'::regnamespace AND a.grantee = %(role)s::regrole
UNION ALL
SELECT p.proname::text, '', a.privilege_type FROM pg_proc p CROSS JOIN LATERAL aclexplode(p.proacl) a
WHERE p.pronamespace = 'public'::regnamespace AND a.grantee = %(role)s::regrole
"""
OF_THE_HOUSE = """
SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
    AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
UNION ALL
SELECT p.proname::text FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
"""
OPEN_TO_ALL = """
SELECT c.relname::text FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
WHERE c.relnamespace = 'public'::regnamespace AND a.grantee = 0
UNION ALL
SELECT p.proname::text FROM pg_proc p CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
WHERE p.pronamespace = 'public'::regnamespace AND a.grantee = 0
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
"""

PARTITIONS = "SELECT relname::text FROM pg_class WHERE relispartition AND relkind = 'r'"

SEALED = {
    "identity_record": "SELECT sealed FROM identity_record",
    "customer_raw_event": "SELECT sealed FROM customer_raw_event",
    "data_key": "SELECT wrapped FROM data_key",
    "dead_letter": "SELECT sealed_value FROM dead_letter",
    "record_identifier": "SELECT value_hash FROM record_identifier",
    "match_key": "SELECT key FROM match_key",
    "event": "SELECT source_record_id FROM event",
    "webhook": "SELECT sealed_secret FROM webhook",
}
"""Statements that read what is sealed, what opens it, hashes of persons, and a source's own id of them."""

MAY_READ = {
    Role.GATEWAY: {
        "identity_record",
        "customer_raw_event",
        "data_key",
        "record_identifier",
        "match_key",
        "event",
    },
    Role.ANALYST: {
        "identity_record",
        "customer_raw_event",
        "data_key",
        "record_identifier",
        "match_key",
        "event",
    },
    Role.STEWARD: {"identity_record", "data_key", "record_identifier", "match_key"},
    Role.ERASER: {"identity_record", "data_key", "dead_letter", "record_identifier", "match_key"},
    Role.RESOLVE: {"identity_record", "data_key", "match_key"},
    Role.NORMALIZE: {"data_key"},
    Role.RELAY: {"data_key", "dead_letter"},
    Role.OPERATOR: {"data_key", "dead_letter", "webhook"},
    Role.WEBHOOKS: {"webhook"},
}

IMMUTABLE = (
    *("customer_raw_event", "audit_entry", "audit_chain", "erasure", "activation"),
    *("stored_configuration", "dead_letter_action"),
)
REFUSED = (
    *(f"UPDATE {table} SET {column} = {column}" for table, column in (
        ("customer_raw_event", "sealed"), ("audit_entry", "actor"), ("audit_chain", "hash"), ("erasure", "receipt"),
        ("activation", "plan"), ("stored_configuration", "content"), ("dead_letter_action", "reason"),
    )),
    *(f"DELETE FROM {table}" for table in IMMUTABLE),
    *(f"TRUNCATE {table}" for table in (*IMMUTABLE, "data_key", "customer_profile", "identity_record")),
    "ALTER TABLE audit_entry DISABLE TRIGGER ALL",
    "DROP TABLE audit_entry",
    "CREATE TABLE mine (x int)",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "ALTER FUNCTION ensure_month SECURITY INVOKER",
    "CREATE ROLE mine",
    "COPY data_key TO '/tmp/keys'",
    "SELECT pg_read_file('/etc/passwd')",
    "UPDATE identity_merge_log SET actor = 'nobody'",
    "UPDATE identity_record SET sealed = ''",
    "UPDATE data_key SET wrapped = ''",
    "INSERT INTO activation (at, actor, reason, plan, model_version, policy_version, counts) "
    "VALUES (now(), '', '', '', '', '', '{}')",
)  # fmt: skip
"""Nobody but the owner may."""

REFUSED_TO = {
    Role.GATEWAY: (
        "INSERT INTO audit_entry (at, actor, action, profiles, objects, details) "
        "VALUES (now(), '', '', '{}', '{}', '{}')",
        "UPDATE customer_profile SET golden = '{}'",
        "DELETE FROM data_key",
        "UPDATE api_key SET scopes = '{admin}'",
        "INSERT INTO identity_constraint SELECT * FROM identity_constraint",
        "INSERT INTO outbox (topic, keys, payloads) VALUES ('', '{}', '{}')",
    ),
    Role.AUDIT: ("SELECT actor FROM audit_entry", "SELECT profile_id FROM customer_profile"),
    Role.STEWARD: (
        "DELETE FROM data_key",
        "DELETE FROM identity_record",
        "DELETE FROM event",
        "UPDATE identity_merge_log SET records = '{}'",
        "SELECT * FROM api_key",
        "UPDATE identity_constraint SET left_records = '{}'",
        "INSERT INTO erasure (erasure_id, erased_at, actor, reason, receipt) "
        "VALUES (gen_random_uuid(), now(), '', '', '')",
    ),
    Role.ERASER: ("SELECT * FROM api_key", "SELECT sealed FROM customer_raw_event", "SELECT * FROM webhook"),
    Role.OPERATOR: (
        "SELECT profile_id FROM customer_profile",
        "SELECT secret_hash FROM api_key",
        "SELECT event_id FROM event",
    ),
    Role.KEYS: ("SELECT profile_id FROM customer_profile", "DELETE FROM api_key"),
    Role.NORMALIZE: (
        "SELECT profile_id FROM customer_profile",
        "DELETE FROM data_key",
        "SELECT payloads FROM outbox",
        "SELECT ensure_month('data_key', '2026-01-01')",
    ),
    Role.RESOLVE: (
        "SELECT raw_id FROM customer_raw_event",
        "DELETE FROM identity_record",
        "DELETE FROM event",
        "UPDATE identity_merge_log SET rolled_back = true",
        "INSERT INTO identity_constraint SELECT * FROM identity_constraint",
        "SELECT source_snapshot FROM identity_merge_log",
        "SELECT payloads FROM outbox",
    ),
    Role.RELAY: ("SELECT profile_id FROM customer_profile", "DELETE FROM data_key", "SELECT event_id FROM event"),
    Role.CONSUMER: ("SELECT profile_id FROM customer_profile", "SELECT event_id FROM event"),
    Role.EMBEDDINGS: ("SELECT golden FROM customer_profile", "SELECT source FROM event", "SELECT * FROM outbox"),
    Role.WEBHOOKS: (
        "SELECT wrapped FROM data_key",
        "UPDATE webhook SET url = ''",
        "INSERT INTO webhook SELECT * FROM webhook",
        "SELECT profile_id FROM customer_profile",
    ),
    Role.ANALYST: ("UPDATE customer_profile SET golden = '{}'", "DELETE FROM data_key", "SELECT * FROM api_key"),
    Role.AUDITOR: ("SELECT records FROM identity_merge_log", "SELECT profile_id FROM customer_profile"),
}  # fmt: skip


def _settings(dsn: str, **more: object) -> Settings:
    return Settings.model_validate({"postgres_dsn": dsn, **more})


def _refused(dsn: str, role: Role, statement: str) -> bool:
    """Whether the server refuses the statement for want of a right; nothing is done in any case."""
    with psycopg.connect(as_role(_settings(dsn), role)) as connection:
        try:
            connection.execute(statement.encode())
        except psycopg.errors.InsufficientPrivilege:
            return True
        finally:
            connection.rollback()
    return False


def _declared(role: Role) -> set[tuple[str, str, str]]:
    """What is declared for a role: table, column (empty: all of them), right."""
    found = {(function, "", "EXECUTE") for function in RIGHTS[role].functions}
    for table, what in RIGHTS[role].tables.items():
        for right, columns in _GIVEN.findall(what):
            found |= {
                (table, column.strip(' "'), right) for column in (columns.split(",") if columns else [""])
            }
    return found


@pytest.fixture
def filled(database: str) -> Iterator[str]:
    """A house with a customer, and so with partitions."""
    with closing(StagesOnPostgres(database)) as stages:
        stages.send(event(1, {"email": "ann@x.com"}))
        yield database


@pytest.mark.parametrize("role", Role)
def test_a_role_has_what_is_declared_and_nothing_else(filled: str, role: Role) -> None:
    with psycopg.connect(filled) as connection:
        granted = set(connection.execute(GRANTED.encode(), {"role": role.value}).fetchall())
    assert granted == _declared(role)


def test_every_table_view_and_function_is_declared_and_none_is_open_to_all(filled: str) -> None:
    declared = {name for rights in RIGHTS.values() for name in (*rights.tables, *rights.functions)} | NOBODYS
    with psycopg.connect(filled) as connection:
        there = {name for (name,) in connection.execute(OF_THE_HOUSE)}
        assert connection.execute(OPEN_TO_ALL).fetchall() == []
    assert there - declared == set(), "declare who may use it in pipeline/store/rights.py"
    assert declared - there == set()


def test_a_new_table_is_nobodys_until_it_is_declared(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE secret_of_tomorrow (x int)")
        connection.execute("CREATE FUNCTION act_of_tomorrow() RETURNS int LANGUAGE sql AS 'SELECT 1'")
        connection.execute("GRANT SELECT ON secret_of_tomorrow TO PUBLIC")
    migrate(database)
    for role in Role:
        assert _refused(database, role, "SELECT * FROM secret_of_tomorrow")
        assert _refused(database, role, "SELECT act_of_tomorrow()")


@pytest.mark.parametrize("role", Role)
def test_what_is_sealed_is_read_by_those_who_need_it(filled: str, role: Role) -> None:
    readable = {name for name, statement in SEALED.items() if not _refused(filled, role, statement)}
    assert readable == MAY_READ.get(role, set())


@pytest.mark.parametrize("role", Role)
def test_what_a_role_must_not_do_is_refused(filled: str, role: Role) -> None:
    allowed = [s for s in (*REFUSED, *REFUSED_TO[role]) if not _refused(filled, role, s)]
    assert allowed == []


def test_a_partition_is_reached_through_its_table_alone(filled: str) -> None:
    with psycopg.connect(filled) as connection:
        names = [name for (name,) in connection.execute(PARTITIONS)]
    assert names
    assert all(_refused(filled, role, f"SELECT * FROM {name}") for name in names for role in Role)


def test_the_deliverer_of_webhooks_sees_keys_of_webhooks_alone(filled: str) -> None:
    with psycopg.connect(as_role(_settings(filled), Role.WEBHOOKS)) as connection:
        assert connection.execute("SELECT * FROM webhook_key").fetchall() == []
    with psycopg.connect(filled) as connection:
        assert connection.execute("SELECT count(*) FROM data_key").fetchone() != (0,)


def test_who_lacks_a_right_waits_for_it(database: str) -> None:
    with (
        Database(as_role(_settings(database), Role.CONSUMER), "test") as opened,
        pytest.raises(
            RightsLacking, match="outbox: `retail-brain migrate` gives roles their rights"
        ) as refused,
        opened.transaction() as tx,
    ):
        tx.row("outbox_depth")
    assert isinstance(refused.value, RetryLater)


def test_roles_are_off_where_they_are_set_so(database: str) -> None:
    assert as_role(_settings(database, postgres_roles=False), Role.CONSUMER) == database


def test_a_role_keeps_what_the_dsn_asks_of_the_server(database: str) -> None:
    asked = make_conninfo(database, options="-c statement_timeout=7s")
    with Database(as_role(_settings(asked), Role.RELAY), "test") as opened, opened.transaction() as tx:
        found = tx.connection.execute(
            "SELECT current_user::text, current_setting('statement_timeout'), current_setting('jit')"
        ).fetchone()
    assert found == (Role.RELAY.value, "7s", "off")


@pytest.fixture
def login(database: str) -> Iterator[str]:
    """DSN of a login that owns a database and may make no roles, as in a managed Postgres."""
    name = str(conninfo_to_dict(database)["dbname"]).replace("rb_test_", "rb_owner_")
    named = sql.Identifier(name)
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'x'").format(named))
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(named, named))
        with psycopg.connect(make_conninfo(database, dbname=name)) as inside:
            inside.execute("CREATE EXTENSION vector")
        try:
            yield make_conninfo(database, dbname=name, user=name, password="x")
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(named))
            admin.execute(sql.SQL("DROP ROLE {}").format(named))


def test_a_login_takes_the_roles_it_is_a_member_of_and_no_other(database: str, login: str) -> None:
    migrate(login)
    lacking = roles_lacking(_settings(login))
    name = conninfo_to_dict(login)["user"]
    assert lacking == tuple(f'GRANT {role.value} TO "{name}";' for role in Role)
    (finding,) = postgres_roles(_settings(login))
    assert not finding.ok
    assert lacking[0] in finding.mend
    with psycopg.connect(database) as admin:
        admin.execute(lacking[list(Role).index(Role.RELAY)].encode())
    with Database(as_role(_settings(login), Role.RELAY), "test") as opened, opened.transaction() as tx:
        assert tx.row("outbox_depth") is not None
    with (
        Database(as_role(_settings(login), Role.STEWARD), "test") as opened,
        pytest.raises(StoreUnavailable, match="permission denied to set role"),
        opened.transaction(),
    ):
        pass


def test_who_may_not_make_roles_is_told_what_to_run(login: str) -> None:
    with Database(login, "test") as opened:
        assert not make_role(opened, "rb_not_there_yet")
    assert to_be_run([Role.KEYS], [Role.RELAY], "ann") == (
        "CREATE ROLE rb_keys NOLOGIN;",
        'GRANT rb_keys TO "ann";',
        'GRANT rb_relay TO "ann";',
    )


def test_a_login_that_may_make_roles_lacks_nothing(database: str, login: str) -> None:
    with psycopg.connect(database, autocommit=True) as admin:
        name = sql.Identifier(str(conninfo_to_dict(login)["user"]))
        admin.execute(sql.SQL("ALTER ROLE {} CREATEROLE").format(name))
        for role in Role:  # as who made them has it
            admin.execute(
                sql.SQL("GRANT {} TO {} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE").format(
                    sql.Identifier(role.value), name
                )
            )
    migrate(login)
    assert roles_lacking(_settings(login)) == ()


def test_a_role_is_made_once_however_many_make_it(database: str) -> None:
    name = str(conninfo_to_dict(database)["dbname"]).replace("rb_test_", "rb_made_")

    def make(_: int) -> bool:
        with Database(database, "test") as opened:
            return make_role(opened, name)

    try:
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(make, range(8)))
    finally:
        with psycopg.connect(database, autocommit=True) as admin:
            admin.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))
