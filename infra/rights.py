"""Makes the database roles and gives each what pipeline/store/rights.py declares; `migrate` does, behind the schema.

Roles belong to the whole server, rights to one database. So several databases of a server share the roles, and whoever
comes second finds them made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import LiteralString

from psycopg import errors as pg
from psycopg import sql as composed

from pipeline.errors import RightsLacking
from pipeline.settings import Settings
from pipeline.store.database import Database, Transaction
from pipeline.store.rights import RIGHTS
from pipeline.store.roles import Role

_LISTED = re.compile(r"\s*,\s*(?![^(]*\))")


def bring_rights(database: Database) -> tuple[str, ...]:
    """Make the roles that are missing, and give all of them what is declared and nothing else, in one transaction.

    Returns the statements that somebody with the right to make roles has to run where we may not: until then the rights
    of the roles that are missing are not given. Raises StoreUnavailable, psycopg.ProgrammingError.
    """
    missing = tuple(role for role in Role if not make_role(database, role.value))
    with database.transaction() as tx:
        known = [role for role in Role if role not in missing]
        _grant(tx, known)
        closed = [role for role in known if not _may_take(tx, role)]
    for role in tuple(closed):
        if _join(database, role):
            closed.remove(role)
    with database.transaction() as tx:
        (login,) = tx.row("login_name") or ("",)
    return to_be_run(missing, closed, login)


def to_be_run(missing: Sequence[Role], closed: Sequence[Role], login: str) -> tuple[str, ...]:
    """What an administrator has to run: for roles that are missing, and those that the login may not take."""
    made = [f"CREATE ROLE {role.value} NOLOGIN;" for role in missing]
    joined = [f'GRANT {role.value} TO "{login}";' for role in (*missing, *closed)]
    return (*made, *joined)


def roles_lacking(settings: Settings) -> tuple[str, ...]:
    """The statements that are still to be run, as this login sees it. Raises StoreUnavailable."""
    with (
        Database(settings.postgres_dsn.get_secret_value(), "roles") as database,
        database.transaction() as tx,
    ):
        known = {name for (name,) in tx.rows("roles_made", (_names(Role),))}
        missing = tuple(role for role in Role if role.value not in known)
        closed = tuple(role for role in Role if role.value in known and not _may_take(tx, role))
        (login,) = tx.row("login_name") or ("",)
        return to_be_run(missing, closed, login)


def _names(roles: Sequence[Role] | type[Role]) -> list[str]:
    return [role.value for role in roles]


def make_role(database: Database, name: str) -> bool:
    """Whether the role is there by now. One who makes the same role at the same moment makes it for us as well.

    Raises StoreUnavailable.
    """
    with database.transaction() as tx:
        if tx.row("roles_made", ([name],)):
            return True
    try:
        with database.transaction() as tx:
            tx.connection.execute(composed.SQL("CREATE ROLE {} NOLOGIN").format(composed.Identifier(name)))
    except (pg.DuplicateObject, pg.UniqueViolation):
        return True
    except RightsLacking:
        return False
    return True


def _may_take(tx: Transaction, role: Role) -> bool:
    return (tx.row("may_take_role", (role.value,)) or (False,))[0] is True


def _join(database: Database, role: Role) -> bool:
    """Whether our login may take the role, once it gave that to itself: who makes a role may do so."""
    try:
        with database.transaction() as tx:
            tx.connection.execute(_with(role, "GRANT {} TO CURRENT_USER"))
    except (RightsLacking, pg.UniqueViolation):
        pass
    with database.transaction() as tx:
        return _may_take(tx, role)


def _with(role: Role, statement: LiteralString) -> composed.Composed:
    return composed.SQL(statement).format(composed.Identifier(role.value))


def _grant(tx: Transaction, roles: Sequence[Role]) -> None:
    """Take everything from everybody but the owner, then give what is declared. Of a schema that lacks something of it,
    as one that was brought up to an earlier date, nothing is given."""
    relations, functions = (
        [str(name) for (name,) in tx.rows(query)] for query in ("own_relations", "own_functions")
    )
    for statement in (*_taken(relations, roles, "TABLE"), *_taken(functions, roles, "FUNCTION")):
        tx.connection.execute(statement)
    declared = {name for rights in RIGHTS.values() for name in (*rights.tables, *rights.functions)}
    if declared <= {*relations, *functions}:
        for role in roles:
            for statement in _given(role):
                tx.connection.execute(statement)


def _taken(names: Sequence[str], roles: Sequence[Role], kind: LiteralString) -> Iterator[composed.Composed]:
    if names:
        yield composed.SQL("REVOKE ALL ON {} {} FROM {}").format(
            composed.SQL(kind),
            composed.SQL(", ").join(composed.Identifier("public", name) for name in names),
            composed.SQL(", ").join([composed.SQL("PUBLIC"), *(composed.Identifier(r.value) for r in roles)]),
        )


def _given(role: Role) -> Iterator[composed.Composed]:
    rights, grantee = RIGHTS[role], composed.Identifier(role.value)
    yield composed.SQL("GRANT USAGE ON SCHEMA public TO {}").format(grantee)
    for table, what in rights.tables.items():
        listed = composed.SQL(", ".join(dict.fromkeys(_LISTED.split(what))))
        named = composed.Identifier("public", table)
        yield composed.SQL("GRANT {} ON {} TO {}").format(listed, named, grantee)
    for function in sorted(rights.functions):
        named = composed.Identifier("public", function)
        yield composed.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(named, grantee)
