"""`If-Match`: change a thing only if it still is what was read (RFC 9110, section 13.1.1)."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Depends, Header
from starlette.requests import Request

from pipeline.errors import BadInput
from pipeline.seen import Seen

HEADER = "If-Match"
_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_HERE = "\0"  # no header holds it


def _if_match(
    request: Request,
    given: Annotated[
        str | None,
        Header(
            alias=HEADER,
            description="The ETag of what was read: nothing is done (412) where it is another one by now.",
            examples=['"3f1c9a0b7d2e4856"'],
            json_schema_extra={"pattern": rf"^(\*|{_TAG.pattern}([ \t]*,[ \t]*{_TAG.pattern})*)$"},
        ),
    ] = None,
) -> Seen:
    lines = request.headers.getlist(HEADER)  # several lines are one list
    return entity_tags(", ".join(lines)) if lines else None


def entity_tags(given: str) -> Seen:
    """The tags that an If-Match names; None of `*`, which any that is there matches. A weak tag is kept as it is and
    matches none, as the comparison is the strong one. Raises BadInput."""
    if given.strip(" \t") == "*":
        return None
    members = {member.strip(" \t") for member in _TAG.sub(_HERE, given).split(",")} - {""}
    if members != {_HERE}:
        raise BadInput(
            HEADER, "it holds no entity tag; send the ETag of what you read as it came, in its quotes"
        )
    return frozenset(_TAG.findall(given))


IfMatch = Annotated[Seen, Depends(_if_match)]
