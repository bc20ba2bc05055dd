"""Everything is told to end amid the work: it ends in time, and nothing that was accepted is lost or doubled."""

from __future__ import annotations

import threading
from pathlib import Path
from uuid import uuid4

import httpx

from infra.supervisor import PROCESSES
from pipeline.settings import Settings
from pipeline.store.database import Database
from tests.support.processes import answering, free_port
from tests.support.running import ended, running
from tests.support.worker import eventually

BATCH = 50


def test_an_orderly_end_under_load_loses_and_doubles_nothing(house: Settings, tmp_path: Path) -> None:
    settings = house.model_copy(update={"gateway_port": free_port(), "home": tmp_path})
    accepted: set[str] = set()
    with Database(settings.postgres_dsn.get_secret_value(), "test") as database:

        def stored() -> int:
            with database.transaction() as tx:
                row = tx.connection.execute("SELECT count(*) FROM event").fetchone()
                return int(row[0]) if row else 0

        with running(PROCESSES, settings, tmp_path) as processes, answering(settings) as client:
            sending = threading.Thread(target=send, args=(client, accepted))
            sending.start()
            eventually(lambda: stored() > 20 * BATCH, moving=lambda: (len(accepted), stored()))
            assert len(accepted) > stored(), "something is in flight"
            assert ended(processes) == dict.fromkeys(PROCESSES, 0)
            sending.join()
        with running(("normalize", "resolve"), settings, tmp_path):
            eventually(lambda: stored() >= len(accepted), moving=stored)
        with database.transaction() as tx:
            rows = tx.connection.execute("SELECT event_id FROM event").fetchall()
        found = [str(event_id) for (event_id,) in rows]
        assert len(found) == len(set(found))
        assert set(found) >= accepted


def send(client: httpx.Client, accepted: set[str]) -> None:
    """Batches one after the other until the gateway is gone; what it accepted is noted."""
    while True:
        ids = [str(uuid4()) for _ in range(BATCH)]
        events = [
            {
                "source": "web",
                "event_type": "visit",
                "event_id": event_id,
                "identifiers": {"crm_id": f"C-{event_id[:4]}"},
            }
            for event_id in ids
        ]
        try:
            answer = client.post("/v1/events:batch", json={"events": events})
        except httpx.TransportError:
            return
        if answer.status_code == httpx.codes.ACCEPTED:
            accepted.update(ids)
