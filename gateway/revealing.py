"""What a request may see in clear, and who saw it.

Identifiers and ids of governments are shown as they are to keys with the scope `read:pii`, where the request asks for
it (`reveal=true`); names, dates and places to all who may read customers. Of all of it the audit log tells first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Annotated, Protocol
from uuid import UUID

from fastapi import Depends, Header, Query
from starlette.requests import Request

from gateway.occasions import occasion_of
from gateway.opening import is_masked
from gateway.ports import ports_of
from gateway.rights import caller_of
from pipeline.api_keys.scope import Scope
from pipeline.audit.actions import Action
from pipeline.audit.entry import AuditEntry
from pipeline.errors import BadInput
from pipeline.identity.ids import Id

REASON = "X-Audit-Reason"
_MOST = 500


async def explained(
    request: Request,
    reason: Annotated[
        str | None,
        Header(
            alias=REASON,
            description="Why it is looked at, such as a ticket; kept in the audit log, so that no customer's name "
            "belongs here.",
            json_schema_extra={"pattern": rf"^[^\x00-\x1f\x7f]{{0,{_MOST}}}$"},
        ),
    ] = None,
) -> None:
    """Of routes that may show personal data in clear, `Depends(explained)`: documents the header, and refuses one that
    cannot be kept, whatever there is to show."""
    _reason(request)


async def _asked(
    request: Request,
    _: Annotated[None, Depends(explained)],
    reveal: Annotated[
        bool,
        Query(
            description="Identifiers as they are, not masked: needs the scope `read:pii` as well. "
            "The audit log tells it apart."
        ),
    ] = False,
) -> bool:
    if reveal:
        caller_of(request).must_hold(Scope.READ_PII)
    return reveal


Reveal = Annotated[bool, Depends(_asked)]
"""Whether the request asks for values as they are. 403 where its key lacks `read:pii`."""


class Value(Protocol):
    """The value of an attribute that is about to be shown."""

    @property
    def value(self) -> str | None:
        """None where there is none to show."""


def in_clear(values: Mapping[str, Value]) -> bool:
    """Whether any of these values, by attribute, goes out as it is where identifiers are masked."""
    return any(shown.value is not None and not is_masked(attribute) for attribute, shown in values.items())


async def tell_shown(request: Request, profiles: Collection[UUID], *, reveal: bool) -> None:
    """Tell whose values are about to go out: a route that shows any calls this before. Where records of another profile
    are shown, it is one of them. Raises AuditUnavailable: nothing may go out then; BadInput of a reason that cannot be
    kept, whether any is shown or not."""
    _reason(request)  # a route that FastAPI solves nothing of has not been asked for it
    if profiles and (reveal or ports_of(request).settings.audit_reads == "clear"):
        action = Action.CUSTOMER_REVEALED if reveal else Action.CUSTOMER_READ
        await _tell(request, action, profiles, {})


async def tell_exported(request: Request, profile: UUID) -> None:
    """The same of all that is known of a customer."""
    await _tell(request, Action.CUSTOMER_EXPORTED, [profile], {})


async def tell_searched(
    request: Request, by: Sequence[str], profiles: Iterable[UUID], *, reveal: bool
) -> None:
    """The same of a search, which is told whatever it found. `by` names what was searched by, and no value of it."""
    await _tell(request, Action.CUSTOMER_SEARCHED, profiles, {"by": list(by), "revealed": reveal})


async def _tell(
    request: Request, action: Action, profiles: Iterable[UUID], details: Mapping[str, object]
) -> None:
    ports, actor = ports_of(request), caller_of(request).actor
    about = [Id(profile.bytes) for profile in profiles]
    occasion, why = occasion_of(request), _reason(request)
    await ports.audit.tell(AuditEntry(action, actor, ports.clock(), about, (), why, occasion, details))


def _reason(request: Request) -> str | None:
    """Why, as the request says. Header fields are read as Latin-1, and written in UTF-8. Raises BadInput."""
    given = request.headers.get(REASON)
    if given is None:
        return None
    reason = given.encode("latin-1").decode("utf-8", "replace").strip()
    if len(reason) > _MOST or not reason.isprintable():
        raise BadInput(REASON, f"{len(reason)} characters; send up to {_MOST} printable ones")
    return reason or None
