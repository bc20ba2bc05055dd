"""Rotate the keys: begin, make ready, switch, clear away. It may be ended anywhere, and goes on from there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from pipeline.audit.actions import Action
from pipeline.audit.entry import AuditEntry, named
from pipeline.errors import Conflict, TransactionConflict
from pipeline.identity.ids import Id
from pipeline.privacy.keyfile import KeyFile, with_another
from pipeline.privacy.ring_file import RingFile
from pipeline.progress import Progress, silent
from pipeline.reasons import must_say_why
from pipeline.rotation.pace import Pace
from pipeline.rotation.work import FIRST, LEFT, WORK, House, Page, Taken, switch
from pipeline.store.activations import keep_out, stand_alone
from pipeline.store.audit import write_audit
from pipeline.store.database import Transaction
from pipeline.store.key_versions import Step, StoredVersions, key_versions

_ATTEMPTS = 10
_ROUNDS = 5
_NOTICED_S = 2.0
"""By then every process reads a key ring again that was changed."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for it, why, and when."""

    actor: str
    reason: str | None
    now: datetime

    def entry(self, action: Action, *versions: int) -> AuditEntry:
        """What the audit log is told."""
        return AuditEntry(
            action, self.actor, self.now, (), tuple(named("key_version", *versions)), self.reason
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a rotation is."""

    stored: StoredVersions
    place: Id


def lock_place(tx: Transaction) -> Place:
    """Where it is, locked: one process at a time goes on with it."""
    row = tx.row("lock_rotation")
    assert row is not None
    return Place(StoredVersions.of(*row[:3]), row[3])


def begin(house: House, asked: Asked, kept: RingFile | None) -> tuple[int, int] | None:
    """Begin a rotation, unless one is under way; the versions it leads from and to. None where it goes on.

    The ring's file gets another version, unless it has one that is not in use yet: all processes read it
    again. Nobody decides while it is begun, so that who decides afterwards hashes new records by both.
    Raises BadInput (a blank reason), Conflict (the ring is no file, and holds no other version).
    """
    if asked.reason is not None:
        must_say_why(asked.reason)
    with house.database.transaction() as tx:
        stand_alone(tx)
        stored = lock_place(tx).stored
        if stored.other is not None:
            return None
        old = stored.known_to(house.ring).looked_up
        if house.ring.current.version == old:
            _make_current(house, old, kept)
        new = house.ring.current.version
        tx.run("begin_rotation", {"old": old, "new": new})
        write_audit(tx, asked.entry(Action.KEYS_ROTATION_BEGUN, old, new))
    return old, new


def add_version(house: House, kept: RingFile | None) -> KeyFile:
    """The ring with another version that is not current yet, for houses where processes have their own copy of it: all
    have to hold it before the rotation is begun. One that is there already is left alone. A ring that is no file is
    returned and not written."""
    with house.database.transaction() as tx:
        lock_place(tx)
        house.ring.refresh()
        file = house.ring.file
        if max(file.keys) == file.current:
            file = with_another(file)
            if kept is not None:
                kept.replace(file)
                house.ring.refresh()
        return file


def _make_current(house: House, old: int, kept: RingFile | None) -> None:
    house.ring.refresh()
    file = house.ring.file
    if max(file.keys) <= old:
        file = with_another(file)
    _writable(kept).replace(replace(file, current=max(file.keys), naming=file.named_by))
    house.ring.refresh()


def _writable(kept: RingFile | None) -> RingFile:
    if kept is None:
        raise Conflict(
            "the key ring stands in RB_KEY_RING, which cannot be written from here: `keys add` prints it with another "
            "version; give it to every process, then rotate"
        )
    return kept


def rotate(house: House, asked: Asked, pace: Pace, progress: Progress = silent) -> None:
    """Go on with a rotation to its end. `progress` hears each step with the rows done and to do.

    Raises Conflict (a process still wraps data keys under another version), SealBroken (a record does not open),
    ConfigurationError (the ring lacks a version), StoreUnavailable.
    """
    rounds = 0
    for step, total in _steps(house):
        if step is Step.REWRAP and not rounds:
            pace.sleep(_NOTICED_S)  # whoever still wraps by another version does so no more
        done = 0
        progress(step.value, 0, total)
        while True:
            began = pace.clock()
            taken = advance(house, step, asked, pace.rows)
            done += taken.rows
            progress(step.value, min(done, total), total)
            if taken.at is None:
                break
            pace.rest(taken.rows, began)
        progress(step.value, total, total)
        if step is Step.REWRAP and _left(house):
            rounds += 1
            if rounds == _ROUNDS:
                raise Conflict(
                    "some process still wraps data keys under another version: let it read the ring that others have, "
                    "or start it anew, then go on with `retail-brain keys rotate`"
                )
            pace.sleep(_NOTICED_S)


def rewrap(house: House, pace: Pace, progress: Progress = silent) -> int:
    """Wrap all data keys by the current version that some process with an older ring has wrapped since a rotation;
    returns how many. Raises SealBroken, ConfigurationError, StoreUnavailable."""
    with house.database.transaction() as tx:
        total = _count(tx, house, Step.REWRAP, FIRST)
    taken, done = Taken(0, FIRST), 0
    while taken.at is not None:
        began = pace.clock()
        with house.database.transaction() as tx:
            page = Page(key_versions(tx, house.ring), taken.at, pace.rows)
            taken = WORK[Step.REWRAP](tx, house, page)
        done += taken.rows
        progress(Step.REWRAP.value, done, total)
        pace.rest(taken.rows, began)
    return done


def _steps(house: House) -> Iterator[tuple[Step, int]]:
    """Each step that is to be done, as the one before ends, and how many rows it has left."""
    while True:
        with house.database.transaction() as tx:
            at = lock_place(tx)
            if at.stored.step is None:
                return
            total = _count(tx, house, at.stored.step, at.place)
        yield at.stored.step, total


def _count(tx: Transaction, house: House, step: Step, place: Id) -> int:
    asked = {"place": place, "version": house.ring.current.version}
    count: int = (tx.row(LEFT[step], asked) or (0,))[0]
    return count


def _left(house: House) -> bool:
    """Whether a rotation is not at its end."""
    with house.database.transaction() as tx:
        return lock_place(tx).stored.step is not None


def advance(house: House, step: Step, asked: Asked, rows: int) -> Taken:
    """Take the next rows of a step in one transaction, which is run again where it lost a race; none where somebody
    else went on with it."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return _taken(house, step, asked, rows)
        except TransactionConflict:
            if attempt == _ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def _taken(house: House, step: Step, asked: Asked, rows: int) -> Taken:
    with house.database.transaction() as tx:
        keep_out(tx)
        at = lock_place(tx)
        if at.stored.step is not step:  # somebody else went on with it
            return Taken(0, None)
        page = Page(at.stored.known_to(house.ring), at.place, rows)
        taken = WORK[step](tx, house, page)
        if taken.at is not None:
            tx.run("advance_rotation", {"step": step, "place": taken.at})
        elif step is not Step.FILL:
            _end(tx, house, at, asked)
    if taken.at is None and step is Step.FILL:
        _switch(house)
    return taken


def _switch(house: House) -> None:
    """Nobody decides meanwhile. Nothing is missing: whoever came since the last page was taken wrote it as well."""
    with house.database.transaction() as tx:
        stand_alone(tx)
        if lock_place(tx).stored.step is Step.FILL:
            switch(tx)


def _end(tx: Transaction, house: House, at: Place, asked: Asked) -> None:
    """The step is done: the next one, or the end of all."""
    steps = list(Step)
    if at.stored.step is not Step.REWRAP:
        tx.run(
            "advance_rotation", {"step": steps[steps.index(Step(at.stored.step or "")) + 1], "place": FIRST}
        )
    elif _count(tx, house, Step.REWRAP, FIRST):
        tx.run("advance_rotation", {"step": Step.REWRAP, "place": FIRST})
    else:
        assert at.stored.other is not None
        tx.run("end_rotation")
        versions = (at.stored.other, at.stored.looked_up or 0)
        write_audit(tx, asked.entry(Action.KEYS_ROTATION_ENDED, *versions))
