"""Four resolve workers over hot identifiers while stewards roll back, take out, join, answer, assign and skip, and take
back what was said: one truth, no deadlock, and an entry in the trail for every act."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event

from pipeline.answer import Answer, answer_review
from pipeline.errors import BadInput, Conflict, TransactionConflict
from pipeline.identity.ids import Id
from pipeline.joining import join_profiles
from pipeline.review_queue import assign_review, skip_review
from pipeline.revoking import revoke_constraint
from pipeline.steward import Stewardship
from pipeline.store.database import Database
from pipeline.unmerge.asked import Asked
from pipeline.unmerge.rollback import rollback_merge
from pipeline.unmerge.taking_out import take_out
from pipeline.verify.verification import verify
from tests.integration.test_answers import RULES
from tests.integration.test_concurrency import WORKERS, crowd, tills, work
from tests.support.people import model, ring
from tests.support.pipeline import StagesOnPostgres

STEWARDS = 2
MOST_ACTS = 40
_CHOICES = """
    (SELECT 'merge', merge_log_id, NULL::uuid FROM identity_merge_log WHERE kind = 'merged' AND NOT rolled_back
     ORDER BY random() LIMIT 1)
    UNION ALL (SELECT 'review', review_id, NULL FROM review_queue WHERE status = 'pending' ORDER BY random() LIMIT 1)
    UNION ALL (SELECT 'queue', review_id, NULL FROM review_queue WHERE status = 'pending' ORDER BY random() LIMIT 1)
    UNION ALL (SELECT 'word', constraint_id, NULL FROM identity_constraint WHERE revoked_at IS NULL
               ORDER BY random() LIMIT 1)
    UNION ALL (SELECT 'profile', profile_id, record_id FROM identity_record ORDER BY random() LIMIT 1)
    UNION ALL (SELECT 'pair', a.profile_id, b.profile_id
               FROM customer_profile a JOIN customer_profile b ON a.profile_id < b.profile_id
               WHERE NOT (a.is_merged OR b.is_merged) ORDER BY random() LIMIT 1)
"""


class Steward:
    """Does something to whatever is there, again and again; counts what was done, and what was too late."""

    def __init__(self, dsn: str, stages: StagesOnPostgres, seed: int) -> None:
        self._database = Database(dsn, f"steward-{seed}")
        self._by = Stewardship(self._database, ring(), stages.codec, model(), RULES)
        self._draw = random.Random(seed)

    def work(self, done: Event) -> Counter[str]:
        told: Counter[str] = Counter()
        while not done.is_set() and told.total() < MOST_ACTS:
            with self._database.transaction() as tx:
                choices = tx.connection.execute(_CHOICES).fetchall()
            if choices:
                kind, thing, record = self._draw.choice(choices)
                try:
                    self._act(kind, thing, record)
                    told[kind] += 1
                except (Conflict, BadInput):
                    told["too late"] += 1
                except TransactionConflict:
                    told["lost every race"] += 1
        self._database.close()
        return told

    def _act(self, kind: str, thing: Id, record: Id | None) -> None:
        who = ("ann", "I know them", datetime.now(UTC))
        if kind == "merge":
            rollback_merge(self._by, thing, Asked(*who))
        elif kind == "review":
            answer_review(self._by, thing, self._draw.choice(list(Answer)), *who)
        elif kind == "word":
            revoke_constraint(self._by, thing, Asked(*who))
        elif kind == "queue":
            self._place(thing, who)
        elif kind == "pair":
            assert record is not None
            join_profiles(self._by, [thing, record], Asked(*who))
        else:
            assert record is not None
            take_out(self._by, thing, [record], [], Asked(*who))

    def _place(self, review: Id, who: tuple[str, str, datetime]) -> None:
        """Whatever comes of it is something else than before, so that it is an act."""
        if self._draw.random() < 0.5:
            assign_review(self._by, review, f"steward-{self._draw.random()}", *who, seen=None)
        else:
            skip_review(self._by, review, who[2] + timedelta(days=1), *who)


def test_stewards_among_four_workers_leave_one_truth_and_no_deadlock(database: str) -> None:
    stages = StagesOnPostgres(database, rules=RULES)
    more = ({**e, "event_id": f"00000000-0000-4000-8000-{n:012d}"} for n, e in enumerate(tills(seed=3), 5000))
    events = [*crowd(seed=1), *more]
    normalized = stages.normalized(*events)
    done = Event()
    with ThreadPoolExecutor(WORKERS + STEWARDS) as pool:
        acting = [pool.submit(Steward(database, stages, n).work, done) for n in range(STEWARDS)]
        running = [pool.submit(work, database, stages, n, normalized[n::WORKERS]) for n in range(WORKERS)]
        try:
            conflicts = sum(r.result() for r in running)
        finally:
            done.set()
        told = sum((a.result() for a in acting), Counter[str]())
    assert conflicts < len(events), "workers mostly stand in each other's way"
    kinds = ("merge", "review", "queue", "profile", "pair", "word")
    assert min(told[kind] for kind in kinds) > 0, told
    entries = dict(stages.rows("SELECT act, count(*) FROM steward_action GROUP BY act"))
    assert entries.get("assign", 0) + entries.get("skip", 0) == told["queue"]
    assert [entries[act] for act in ("rollback", "split", "merge", "revoke")] == [
        told[kind] for kind in ("merge", "profile", "pair", "word")
    ]
    # one may give the answer that another one just gave: that is done once
    answers = "SELECT count(*) FROM review_queue WHERE status IN ('approved', 'rejected', 'revoked')"
    ((answered,),) = stages.rows(answers)
    assert entries.get("approve", 0) + entries.get("reject", 0) == answered <= told["review"]
    assert stages.rows("SELECT count(*) FROM event") == [(len(events),)]
    assert [fault.as_dict() for fault in verify(stages.database, ring(), model(), RULES).faults] == []
    versions: dict[object, list[object]] = {}
    for state in stages.outbox("profiles.updates"):
        versions.setdefault(state["profile_id"], []).append(state["version"])
    assert all(found == list(range(1, len(found) + 1)) for found in versions.values())
    # statistics of a connection are counted at the latest when it ends, and all have ended but this one
    assert stages.rows("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == [(0,)]
    stages.close()
