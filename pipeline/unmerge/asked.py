"""What every unmerge is asked with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pipeline.errors import Conflict
from pipeline.steward import Act, Outcome, Stewardship
from pipeline.store.steward_actions import UNTOLD, Occasion


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for it, why, when and on which `occasion`; whether only to `rehearse` it; and the `plan` that a
    rehearsal named, if just that is to be done."""

    actor: str
    reason: str
    now: datetime
    rehearse: bool = False
    plan: str | None = None
    occasion: Occasion = UNTOLD

    def act(
        self, stewardship: Stewardship, action: Callable[[Act], Outcome], *, alone: bool = False
    ) -> Outcome:
        """Run the action as it is asked. Raises what `Stewardship.act` raises."""
        return stewardship.act(
            action,
            self.actor,
            self.reason,
            self.now,
            rehearse=self.rehearse,
            occasion=self.occasion,
            alone=alone,
        )

    def must_come_to(self, plan: str) -> None:
        """Raises Conflict where something else than planned would happen."""
        if self.plan is not None and self.plan != plan:
            raise Conflict(
                f"what would happen is no longer what plan {self.plan} says: events or stewards came in between. "
                "Nothing was done; rehearse it again"
            )
