"""Keys rotated over the stages of a test, page by page or to the end."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.identity.policy import Policy
from pipeline.privacy.keyfile import KeyFile
from pipeline.privacy.keyring import KeyRing, load_key_ring
from pipeline.privacy.ring_file import RingFile
from pipeline.rotation.pace import Pace
from pipeline.rotation.rotate import Asked, advance, begin, rotate
from pipeline.rotation.work import House
from pipeline.settings import Settings
from pipeline.store.database import Database
from pipeline.store.key_versions import Step, stored_versions
from pipeline.verify.verification import verify
from tests.integration.test_order import _WHAT_STANDS
from tests.servers import TestStack, fresh_database
from tests.support.people import model
from tests.support.pipeline import EventIn, StagesOnPostgres
from tests.support.told import is_told

ASKED = Asked("ops", "a year has passed", datetime(2026, 2, 1, tzinfo=UTC))
QUICK = Pace(rows=7, sleep=lambda seconds: None)


def ring_file(folder: Path) -> Path:
    """A ring of one version, the one of all tests, in a file of its own."""
    path = folder / "ring.json"
    RingFile(path).replace(KeyFile(current=1, keys={1: bytes(range(32))}))
    return path


def ring_of(path: Path) -> KeyRing:
    """The ring as a process of its own holds it."""
    return load_key_ring(Settings(key_ring_file=path))


class Rotator:
    """A process that rotates, beside the stages: its connection and its ring are its own."""

    def __init__(self, dsn: str, path: Path, stages: StagesOnPostgres) -> None:
        self.path = path
        self.kept = RingFile(path)
        self.house = House(Database(dsn, "keys"), ring_of(path), stages.codec)

    def step(self) -> Step | None:
        """What a rotation is at."""
        with self.house.database.transaction() as tx:
            return stored_versions(tx).step

    def begin(self) -> None:
        """Begun, unless one is under way."""
        begin(self.house, ASKED, self.kept)

    def go_on(self, pages: int = 1, rows: int = 7) -> Step | None:
        """So many pages further; what it is at then."""
        for _ in range(pages):
            if (step := self.step()) is None:
                return None
            advance(self.house, step, ASKED, rows)
        return self.step()

    def up_to(self, step: Step) -> None:
        """Begun, and gone on with until the step is what is to be done next."""
        self.begin()
        while self.step() is not step:
            assert self.go_on() is not None

    def rotate(self) -> None:
        """To the end."""
        self.begin()
        rotate(self.house, ASKED, QUICK)

    def close(self) -> None:
        """Close the connection."""
        self.house.database.close()


def faults(stages: StagesOnPostgres) -> list[dict[str, object]]:
    """What `verify` finds."""
    return [f.as_dict() for f in verify(stages.database, stages.keys, model(), stages.rules).faults]


STANDS = {
    **_WHAT_STANDS,
    "evidence": "SELECT low, high, weight, veto, levels FROM identity_evidence ORDER BY 1, 2",
    "filed": """SELECT record_id, count(DISTINCT key), min(record_kinds), max(record_kinds) FROM match_key
        GROUP BY 1 ORDER BY 1""",
    "wear": "SELECT kind, step, lost, people, reason FROM worn_key ORDER BY 1, 2, 3, 4, 5",
    "shared": "SELECT record_id, count(*) FROM shared_identifier GROUP BY 1 ORDER BY 1",
    "identifiers": """SELECT record_id, type, count(*) FROM current_identifier GROUP BY 1, 2 ORDER BY 1, 2""",
    "blocks": """SELECT array_agg(record_id ORDER BY record_id) AS held FROM match_key GROUP BY key
        HAVING count(*) > 1 ORDER BY 1""",
    "via": "SELECT low, high, length(via) FROM identity_evidence ORDER BY 1, 2",
}
"""All of it but the hashes themselves, and what tells when."""

Act = Callable[[StagesOnPostgres], None]


@dataclass(frozen=True, slots=True)
class Rotation:
    """So many pages of so many rows of a rotation, which is begun where none is under way; 0 pages: to its end."""

    pages: int
    rows: int


History = Sequence[Sequence[EventIn] | Act | Rotation]


def stands_after(
    stack: TestStack, template: str, history: History, rules: Policy
) -> dict[str, list[tuple[object, ...]]]:
    """What stands after a history, all rotations brought to their end; and it is sound wherever one stopped."""
    with (
        fresh_database(stack.postgres_dsn, f"rb_test_{uuid.uuid4().hex[:12]}", template=template) as dsn,
        tempfile.TemporaryDirectory() as folder,
    ):
        path = ring_file(Path(folder))
        stages = StagesOnPostgres(dsn, rules=rules, keys=ring_of(path))
        rotator = Rotator(dsn, path, stages)
        for happens in history:
            if isinstance(happens, Rotation):
                turn(rotator, happens)
                assert faults(stages) == []
            elif isinstance(happens, Sequence):
                stages.send(*happens)
            else:
                happens(stages)
        if rotator.step() is not None:
            rotator.rotate()
        assert faults(stages) == []
        is_told(stages)
        found = standing(stages)
        rotator.close()
        stages.close()
    return found


def standing(stages: StagesOnPostgres) -> dict[str, list[tuple[object, ...]]]:
    """All that stands but the hashes themselves."""
    return {what: stages.rows(query) for what, query in STANDS.items()}


def turn(rotator: Rotator, rotation: Rotation) -> None:
    """Some pages of a rotation, or all of it."""
    rotator.begin()
    if not rotation.pages:
        rotator.rotate()
    rotator.go_on(rotation.pages, rotation.rows)
