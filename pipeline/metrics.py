"""Every metric, declared once. Labels are bounded: names of stages, topics, reasons; never an id.

Each room has its section; add a metric here and import it where it is observed.
"""

from __future__ import annotations

from prometheus_client import start_http_server

from pipeline.settings import Settings

# ── gateway ───────────────────────────────────────────────────────────────────────────────────────────────

# ── stages ────────────────────────────────────────────────────────────────────────────────────────────────

# ── store and outbox ──────────────────────────────────────────────────────────────────────────────────────

# ── consumers ─────────────────────────────────────────────────────────────────────────────────────────────


def serve(settings: Settings) -> None:
    """Serve this process's metrics at `settings.metrics_port` in the background; 0 serves none."""
    if settings.metrics_port > 0:
        start_http_server(settings.metrics_port, addr=settings.metrics_host)
