"""`verify`: everything stored, clustered from scratch, against what stands. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from pipeline.identity.hold import as_constraints
from pipeline.identity.ids import Id
from pipeline.identity.policy import Policy
from pipeline.identity.score import Model
from pipeline.identity.scratch import KeptWear, weighed
from pipeline.identity.sharing import OVERFULL
from pipeline.privacy.keyring import KeyRing
from pipeline.progress import Progress, silent, watched
from pipeline.resolve_records import resolve_records
from pipeline.store.database import Database
from pipeline.store.stored import read_stored
from pipeline.verify.derived import (
    EvidenceFaults,
    EvidenceRow,
    KeyRow,
    Rotating,
    identifier_faults,
    match_key_faults,
    record_faults,
    shared_faults,
)
from pipeline.verify.fault import Fault
from pipeline.verify.standing import StandingFaults


@dataclass(frozen=True, slots=True)
class Verification:
    """What was looked at, in numbers, and every fault found."""

    counts: Mapping[str, int]
    faults: tuple[Fault, ...]

    def of_kind(self) -> dict[str, list[Fault]]:
        """The faults by kind."""
        found: dict[str, list[Fault]] = {}
        for fault in self.faults:
            found.setdefault(fault.kind, []).append(fault)
        return found


def verify(
    database: Database, ring: KeyRing, model: Model, policy: Policy, progress: Progress = silent
) -> Verification:
    """Compare what stands with what the model and the policy make of all records.

    Reads one snapshot, so the pipeline may run on; memory grows with the records. Raises StoreUnavailable, and
    ConfigurationError where the key ring lacks a version.
    """
    with database.snapshot() as tx:
        stored = read_stored(tx, ring, progress)
        kept = KeptWear(
            ring.hash_keys(stored.versions.looked_up).match,
            {key: inf if step == OVERFULL else lost for key, step, lost in tx.rows("stored_kept_wear")},
        )
        stored.records.update(weighed(stored.records, policy, kept))
        total = (tx.row("stored_counts") or (0, 0))[1]
        rotation = Rotating(stored.versions, ring, (tx.row("rotation_place") or (Id(bytes(16)),))[0])
        evidence = EvidenceFaults(stored, model, policy)
        rows = watched(tx.stream("stored_evidence"), "evidence", total, progress)
        overfull = {key for (key,) in tx.stream("stored_overfull")}
        faults = [
            *record_faults(stored, ring),
            *match_key_faults(
                (KeyRow(*row) for row in tx.stream("stored_keys")), overfull, stored, ring, rotation
            ),
            *identifier_faults((row for row in tx.stream("stored_identifiers")), stored, ring, rotation),
            *shared_faults((row for row in tx.stream("stored_shared")), stored, ring),
            *evidence.differing(EvidenceRow(*row) for row in rows),
        ]
    constraints = (*stored.constraints, *as_constraints(stored.held()))
    found = resolve_records(stored.records, constraints, model, policy, progress, kept)
    faults += evidence.unequal(found.edges)
    faults += StandingFaults(stored, found.partition, policy).all()
    counts = {
        "records": len(stored.homes),
        "forgotten": stored.forgotten,
        "profiles": len(set(stored.homes.values())),
        "evidence": evidence.rows,
        "evidence_of_other_versions": evidence.aged,
        "reviews": len(stored.reviews),
        "constraints": len(stored.constraints),
        "compared": len(found.pairs),
    }
    return Verification(counts, tuple(faults))
