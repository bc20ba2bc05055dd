"""Keys rotated over the stages of a test, page by page or to the end."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from pipeline.privacy.keyfile import KeyFile, replace_key_file
from pipeline.privacy.keyring import KeyRing, load_key_ring
from pipeline.rotation.pace import Pace
from pipeline.rotation.rotate import Asked, advance, begin, rotate
from pipeline.rotation.work import House
from pipeline.settings import Settings
from pipeline.store.database import Database
from pipeline.store.key_versions import Step, stored_versions
from pipeline.verify.verification import verify
from tests.support.people import model
from tests.support.pipeline import StagesOnPostgres

ASKED = Asked("ops", "a year has passed", datetime(2026, 2, 1, tzinfo=UTC))
QUICK = Pace(rows=7, sleep=lambda seconds: None)


def ring_file(folder: Path) -> Path:
    """A ring of one version, the one of all tests, in a file of its own."""
    path = folder / "ring.json"
    replace_key_file(path, KeyFile(current=1, keys={1: bytes(range(32))}))
    return path


def ring_of(path: Path) -> KeyRing:
    """The ring as a process of its own holds it."""
    return load_key_ring(Settings(key_ring_file=path))


class Rotator:
    """A process that rotates, beside the stages: its connection and its ring are its own."""

    def __init__(self, dsn: str, path: Path, stages: StagesOnPostgres) -> None:
        self.path = path
        self.house = House(Database(dsn, "keys"), ring_of(path), stages.codec)

    def step(self) -> Step | None:
        """What a rotation is at."""
        with self.house.database.transaction() as tx:
            return stored_versions(tx).step

    def begin(self) -> None:
        """Begun, unless one is under way."""
        begin(self.house, ASKED, self.path)

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
