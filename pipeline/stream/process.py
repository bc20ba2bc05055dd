"""What every long-running process does with signals."""

from __future__ import annotations

import gc
import signal
import threading
from functools import cache


@cache
def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set, the same one each time. Call it in the main thread."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def calm_gc() -> None:
    """Make the cycle collector rare. Call once everything long-lived is loaded, before a batch loop.

    Batches make and drop hundreds of thousands of objects without cycles, which reference counts free; walking them
    again and again took a quarter of the resolve stage's CPU (`python -m bench`, CPU seconds of `resolve`).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)
