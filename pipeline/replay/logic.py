"""Today's logic, and what a shadow remembers of the logic it was built by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from pipeline.errors import BadInput, Conflict
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model
from pipeline.privacy.keyring import KeyRing
from pipeline.settings import Settings
from schemas.codec import Codec


@dataclass(frozen=True, slots=True)
class Logic:
    """All that decides: the program, and these."""

    settings: Settings
    ring: KeyRing
    codec: Codec
    model: Model
    policy: Policy


@dataclass(frozen=True, slots=True)
class Begun:
    """What a shadow was begun with. Events accepted before `from_time` keep the records they have; None: none do.
    `key_version` is the one by whose hashes records are found.

    A program that changed is not seen in it.
    """

    from_time: datetime | None
    model: str
    policy: str
    region: str
    key_version: int

    @classmethod
    def by(cls, logic: Logic, from_time: datetime | None, key_version: int) -> Begun:
        """What today's logic would begin."""
        return cls(
            from_time,
            logic.model.version,
            logic.policy.version,
            logic.settings.default_region,
            key_version,
        )

    def must_be(self, asked: Begun, schema: str) -> None:
        """Raises Conflict where a shadow was begun by something else than what is asked for."""
        differing = [
            f"{what} {was}, not {now}"
            for what, was, now in (
                ("from", self.from_time or "the beginning", asked.from_time or "the beginning"),
                ("model", self.model, asked.model),
                ("policy", self.policy, asked.policy),
                ("region", self.region, asked.region),
                ("key ring version", self.key_version, asked.key_version),
            )
            if was != now
        ]
        if differing:
            raise Conflict(
                f"shadow {schema} was begun with {'; '.join(differing)}: remove it (`replay --drop`) and build anew"
            )


def moment(text: str) -> datetime:
    """A time in ISO 8601, of UTC where it names no zone. Raises BadInput."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as exc:
        raise BadInput("--from", "send a time such as 2026-11-20T08:00:00Z, or `beginning`") from exc
    return at if at.tzinfo else at.replace(tzinfo=UTC)
