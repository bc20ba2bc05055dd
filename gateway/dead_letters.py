"""Dead letters: what could not be processed, looked at, mended, replayed and dropped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Annotated, Literal, TypeVar
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.requests import Request

from gateway.documentation import WRITE, Responses, errors
from gateway.idempotency import OnceRoute
from gateway.letter_models import (
    BulkDrop,
    BulkReplay,
    DeadLetter,
    DeadLetterDetail,
    DropRequest,
    EditRequest,
    LettersDone,
    ReplayRequest,
)
from gateway.links import leading_to, link
from gateway.models import Page
from gateway.occasions import occasion_of
from gateway.paging import Paged
from gateway.ports import ports_of
from gateway.rights import actor_of, needs
from gateway.taken import Text, Time
from pipeline.api_keys.scope import Scope
from pipeline.dead_letters.bulk import Done
from pipeline.dead_letters.changes import Changes
from pipeline.dead_letters.desk import Desk, ShownLetter
from pipeline.errors import BadInput, Conflict
from pipeline.explain.report import as_data
from pipeline.identity.ids import Id
from pipeline.store.dead_letters import Choice

router = APIRouter(
    prefix="/v1", tags=["dead letters"], dependencies=[needs(Scope.ADMIN)], route_class=OnceRoute
)

Answer = TypeVar("Answer")
_ACTED = errors(*WRITE, 404)


_SHOWN = {"dead_letter_id": "$response.body#/letter/dead_letter_id"}
_REHEARSED = {"reason": "a rehearsal", "dry_run": True}
_REPLAY = link("replay_dead_letter", "Publish its message again.", _SHOWN, {"reason": "mended"})
_LEADS = {
    "edit": link("edit_dead_letter", "Mend it.", _SHOWN),
    "rehearse_replay": link("replay_dead_letter", "Whether it can be replayed.", _SHOWN, _REHEARSED),
    "rehearse_drop": link("drop_dead_letter", "Whether it can be dropped.", _SHOWN, _REHEARSED),
}


def _one_of(dead_letter_id: str) -> Responses:
    found = link("get_dead_letter", "One of them, with its message.", {"dead_letter_id": dead_letter_id})
    return leading_to({"letter": found})


@router.get(
    "/dead-letters",
    responses={**_one_of("$response.body#/data/0/dead_letter_id"), **errors(400, 503)},
    summary="What could not be processed",
)
async def list_dead_letters(
    request: Request,
    paging: Paged,
    status: Literal["waiting", "replayed", "dropped"] = "waiting",
    stage: Annotated[Text | None, Query(description="Only those of this stage or consumer.")] = None,
    reason: Annotated[Text | None, Query(description="Only those of this reason code.")] = None,
    topic: Annotated[Text | None, Query(description="Only messages of this topic.")] = None,
    since: Annotated[Time | None, Query(description="Only failures from then on.")] = None,
    until: Annotated[Time | None, Query(description="Only failures before then.")] = None,
) -> Page[DeadLetter]:
    """The newest failure first."""
    store = ports_of(request).store
    chosen = {"status": status, **asdict(Choice(stage, reason, topic, since, until))}
    rows = await store.rows("read_dead_letters", {**chosen, **paging.window})
    total = await store.rows("count_dead_letters", chosen)
    return paging.of([DeadLetter.model_validate(row) for row in rows], total[0]["total"])


@router.get(
    "/dead-letters/{dead_letter_id}",
    responses={**leading_to(_LEADS), **errors(400, 404, 503)},
    summary="One dead letter",
)
async def get_dead_letter(request: Request, dead_letter_id: UUID) -> DeadLetterDetail:
    """With its message, values masked, and what was done with it. The audit log tells who looked."""
    letter_id, actor, occasion = _id(dead_letter_id), actor_of(request, None), occasion_of(request)
    return _shown(await _at_desk(request, lambda desk: desk.show(letter_id, actor, occasion)))


@router.patch(
    "/dead-letters/{dead_letter_id}",
    responses={**leading_to({"replay": _REPLAY}), **_ACTED},
    summary="Mend a raw event",
)
async def edit_dead_letter(request: Request, dead_letter_id: UUID, body: EditRequest) -> DeadLetterDetail:
    """Sets and unsets fields of its event, or replaces it; 400 names the field that would be refused again. The message
    as it came is kept. It is not sent before it is replayed. 409 where the letter cannot be mended, or was replayed or
    dropped before."""
    changes = Changes(body.put, body.unset, body.event)
    letter_id, actor, occasion = _id(dead_letter_id), actor_of(request, body.actor), occasion_of(request)
    edited = await _at_desk(request, lambda desk: desk.edit(letter_id, changes, actor, body.reason, occasion))
    return _shown(edited)


@router.post("/dead-letters/{dead_letter_id}/replay", responses=_ACTED, summary="Replay one dead letter")
async def replay_dead_letter(request: Request, dead_letter_id: UUID, body: ReplayRequest) -> LettersDone:
    """Publishes its message to its topic again, once however often it is asked for. 409 says why it cannot be replayed
    and what to do instead; to replay again changes nothing."""
    return await _one(request, dead_letter_id, _replay(request, body, [_id(dead_letter_id)]))


@router.post("/dead-letters/{dead_letter_id}/drop", responses=_ACTED, summary="Drop one dead letter")
async def drop_dead_letter(request: Request, dead_letter_id: UUID, body: DropRequest) -> LettersDone:
    """Gives it up: its data key is destroyed, so that nobody can read or replay its message any more."""
    return await _one(request, dead_letter_id, _drop(request, body, [_id(dead_letter_id)]))


@router.post(
    "/dead-letters:replay",
    responses={**_one_of("$response.body#/untouched/0/dead_letter_id"), **errors(*WRITE)},
    summary="Replay many dead letters",
)
async def replay_dead_letters(request: Request, body: BulkReplay) -> LettersDone:
    """Those that cannot be replayed are counted and left as they are; with `dry_run` nothing is done. What is done is
    done, should it end in between: the same request does the rest."""
    return _done(await _at_desk(request, _replay(request, body, _which(body))))


@router.post("/dead-letters:drop", responses=errors(*WRITE), summary="Drop many dead letters")
async def drop_dead_letters(request: Request, body: BulkDrop) -> LettersDone:
    """Their data keys are destroyed, so that nobody can read or replay their messages any more."""
    return _done(await _at_desk(request, _drop(request, body, _which(body))))


def _replay(request: Request, body: ReplayRequest, which: Sequence[Id] | Choice) -> Callable[[Desk], Done]:
    actor, occasion = actor_of(request, body.actor), occasion_of(request)
    return lambda desk: desk.replay(which, actor, body.reason, dry_run=body.dry_run, occasion=occasion)


def _drop(request: Request, body: DropRequest, which: Sequence[Id] | Choice) -> Callable[[Desk], Done]:
    actor, occasion = actor_of(request, body.actor), occasion_of(request)
    return lambda desk: desk.drop(which, actor, body.reason, dry_run=body.dry_run, occasion=occasion)


def _which(body: BulkReplay | BulkDrop) -> Sequence[Id] | Choice:
    if (body.ids is None) == (body.choose is None):
        raise BadInput("choose", "send either ids, or what chooses letters ({}: all that wait)")
    return body.choose.choice if body.choose is not None else [_id(one) for one in body.ids or ()]


async def _one(request: Request, dead_letter_id: UUID, act: Callable[[Desk], Done]) -> LettersDone:
    def found(desk: Desk) -> Done:
        desk.found(_id(dead_letter_id))
        return act(desk)

    done = await _at_desk(request, found)
    if done.refused:
        raise Conflict(done.untouched[0].detail)
    return _done(done)


def _shown(letter: ShownLetter) -> DeadLetterDetail:
    return DeadLetterDetail.model_validate(as_data(letter))


async def _at_desk(request: Request, act: Callable[[Desk], Answer]) -> Answer:
    def run() -> Answer:
        with ports_of(request).desk() as desk:
            return act(desk)

    return await asyncio.to_thread(run)


def _done(done: Done) -> LettersDone:
    return LettersDone.model_validate(as_data(done))


def _id(dead_letter_id: UUID) -> Id:
    return Id(dead_letter_id.bytes)
