"""A replay over the stages of a test: built, compared, activated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from pipeline.identity.policy import Policy
from pipeline.replay.activate import Activated, activate, compare
from pipeline.replay.build import Builder
from pipeline.replay.difference import Difference
from pipeline.replay.logic import Logic
from pipeline.replay.shadow import Shadow, shadow_database
from pipeline.unmerge.asked import Asked
from pipeline.verify.verification import verify
from tests.support.people import model, ring
from tests.support.pipeline import StagesOnPostgres
from tests.support.told import is_told


class Reprocessing:
    """By the rules and settings that the stages have now; pages are small, so that there are several."""

    def __init__(self, stages: StagesOnPostgres, dsn: str, schema: str = "shadow", page: int = 7) -> None:
        self.stages, self.page = stages, page
        self.shadow = Shadow(shadow_database(dsn, schema), schema)
        self.builder: Builder | None = None

    @property
    def logic(self) -> Logic:
        s = self.stages
        return Logic(s.settings, s.keys, s.codec, model(), s.rules)

    def build(self, from_time: datetime | None = None) -> Builder:
        """Begun, or gone on with, to the end."""
        self.shadow.begin(self.logic, from_time, datetime.now(UTC))
        self.builder = Builder(self.shadow, self.logic, self.page)
        self.builder.build()
        return self.builder

    def compare(self) -> Difference:
        """Built and compared."""
        return compare(self.shadow, self.builder or self.build())

    def activate(self, plan: str | None = None) -> Activated:
        """What was built, put in force."""
        assert self.builder is not None
        asked = Asked("ann", "a better policy", datetime.now(UTC), plan=plan)
        return activate(self.shadow, self.builder, self.logic, asked)

    def close(self) -> None:
        """Close the connection."""
        self.shadow.database.close()


@contextmanager
def sound_stages(dsn: str, rules: Policy) -> Iterator[StagesOnPostgres]:
    """Stages that leave nothing behind for `verify` to find, and have told all that stands."""
    opened = StagesOnPostgres(dsn, rules=rules)
    yield opened
    assert [f.as_dict() for f in verify(opened.database, ring(), model(), opened.rules).faults] == []
    is_told(opened)
    opened.close()
