"""Dead letters as the gateway takes and answers them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from gateway.models import View
from gateway.taken import Flag, Named, Text, Time, Why
from gateway.together import OBJECT, SOME, all_of, any_of, given, one_of
from pipeline.store.dead_letters import Choice

MOST_IDS = 1_000


class DeadLetter(View):
    """A message that could not be processed, without the message."""

    dead_letter_id: UUID
    stage: str = Field(description="Who refused it: a stage or a consumer.")
    reason: str = Field(description="A reason code.")
    detail: str = Field(description="What was wrong and what would do; names fields, never their values.")
    topic: str
    partition: int
    offset: int
    message_at: datetime = Field(description="The broker's time of the message.")
    failed_at: datetime
    truncated: bool = Field(description="Only the first 900,000 bytes were kept.")
    replay_of: UUID | None = Field(description="The letter whose replay failed again.")
    status: Literal["waiting", "replayed", "dropped"]
    edited: bool


class LetterMessage(View):
    """The message as it may be seen, the newest edit of it if there is one."""

    form: str = Field(description="json, avro or unknown.")
    size: int = Field(description="Bytes.")
    fields: dict[str, object] | None = Field(description="Values that may be personal are masked.")
    problem: str | None = Field(description="Why its fields cannot be read.")
    look: str | None = Field(description="Then its first bytes, escaped; of each word the first letter.")


class LetterAction(View):
    """What somebody did with a letter."""

    action: Literal["edited", "replayed", "dropped", "reopened"]
    at: datetime
    actor: str
    reason: str
    fields: list[str] = Field(description="Of an edit: the fields it changed.")


class DeadLetterDetail(View):
    """A letter with its message, and what was done with it, the oldest first."""

    letter: DeadLetter
    message: LetterMessage | None
    unread: str | None = Field(description="Why there is no message to see, and where it is.")
    unreplayable: str | None = Field(
        description="Why a letter that waits cannot be replayed as it stands, and what to do; null: it can."
    )
    actions: list[LetterAction]


class DeskRequest(View):
    """Who acts on a letter, and why; both are kept with it."""

    model_config = ConfigDict(extra="forbid")

    reason: Text = Field("", max_length=500, description="Kept with the letter.")
    actor: Named | None = Field(
        None, description="Kept as `ann by` and the API key's name, not given as the name alone."
    )


class EditRequest(DeskRequest):
    """Fields to set and unset, or the whole event."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra=one_of(
            all_of(
                given(event=OBJECT),
                {"properties": {"set": {"maxProperties": 0}, "unset": {"maxItems": 0}}},
            ),
            all_of(
                any_of(given(set={"type": "object", "minProperties": 1}), given(unset=SOME)),
                {"properties": {"event": {"type": "null"}}},
            ),
        ),
    )

    put: dict[str, object] = Field(
        default_factory=dict,
        alias="set",
        max_length=100,
        examples=[{"identifiers.phone": "+14155550132"}],
        description="By path: identifiers.phone, traits.first_name, payload.items.0.sku.",
    )
    unset: list[str] = Field(default_factory=list, max_length=100, description="Paths to take away.")
    event: dict[str, object] | None = Field(None, description="The whole event, as POST /v1/events takes it.")


class DropRequest(DeskRequest):
    """Why a letter is given up."""

    reason: Why = Field(description="Kept with the letter.")
    dry_run: Flag = Field(False, description="Say what would be done, and do nothing.")


class ReplayRequest(DeskRequest):
    """Who replays a letter."""

    dry_run: Flag = Field(False, description="Say what would be done, and do nothing.")


class LetterChoice(View):
    """All that is given must hold; `since` <= failed_at < `until`."""

    model_config = ConfigDict(from_attributes=True, extra="forbid")

    stage: Text | None = None
    reason: Text | None = Field(None, description="A reason code.")
    topic: Text | None = None
    since: Time | None = None
    until: Time | None = None

    @property
    def choice(self) -> Choice:
        """The same for the store."""
        return Choice(self.stage, self.reason, self.topic, self.since, self.until)


_WHICH = one_of(given(ids=SOME), given(choose=OBJECT))


class BulkReplay(ReplayRequest):
    """Either letters by their ids, or all that wait and are chosen ({}: all that wait)."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_WHICH)

    ids: list[UUID] | None = Field(None, min_length=1, max_length=MOST_IDS)
    choose: LetterChoice | None = None


class BulkDrop(DropRequest):
    """Either letters by their ids, or all that wait and are chosen ({}: all that wait)."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_WHICH)

    ids: list[UUID] | None = Field(None, min_length=1, max_length=MOST_IDS)
    choose: LetterChoice | None = None


class UntouchedLetter(View):
    """A letter that nothing was done with, and why."""

    dead_letter_id: UUID
    outcome: Literal["unchanged", "refused"]
    detail: str


class LettersDone(View):
    """What came of it, or in a dry run would. `untouched` names the first hundred that were unchanged (done with
    before) or refused."""

    action: Literal["replayed", "dropped"]
    dry_run: bool
    done: int
    unchanged: int
    refused: int
    untouched: list[UntouchedLetter]
