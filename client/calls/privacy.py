"""Calls about privacy: all that is known of a customer, forgetting it, and the receipt of that."""

from __future__ import annotations

from typing import cast

import orjson

from client.call import Call, Query
from client.calls.making import Ident, get, ident, written
from gateway.erasing import Erasure, SignedReceipt


def export(profile_id: Ident) -> Call[dict[str, object]]:
    """All that is known of a customer, in the clear; docs/portability.md describes it."""
    return Call("GET", f"/v1/profiles/{ident(profile_id)}/export", _document)


def erase(
    profile_id: Ident,
    reason: str,
    *,
    dry_run: bool = False,
    plan: str | None = None,
    actor: str | None = None,
    once: str | None = None,
) -> Call[Erasure]:
    """Forget a customer, for good, and only as planned: make a dry run, then send its `plan`."""
    query: Query = {"reason": reason, "dry_run": dry_run, "plan": plan, "actor": actor}
    return Call(
        "DELETE",
        f"/v1/profiles/{ident(profile_id)}",
        Erasure.model_validate_json,
        query=query,
        headers=written(once),
    )


def erasure(profile_id: Ident) -> Call[SignedReceipt]:
    """The receipt of an erasure, by any id that led to the customer."""
    return get(f"/v1/profiles/{ident(profile_id)}/erasure", SignedReceipt)


def _document(body: bytes) -> dict[str, object]:
    return cast(dict[str, object], orjson.loads(body))
