"""The Faust table that keeps the panes safe: a changelog beside the source, partition by partition."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import faust
from faust.types import FutureMessage

from consumers.panes import PaneKey
from pipeline.log import get_logger

_RESEND_S = 1.0


class PaneTable(faust.Table[PaneKey, bytes]):
    """A table whose keys name their partition, and whose changes can be waited for.

    Faust sends a change of a table some time later, and its commit does not wait for all of them where the broker is
    slow; so an offset could be committed before the state it stands for. `safe` closes that gap.
    """

    def partition_for_key(self, key: PaneKey) -> int:
        """The source's partition, so that one worker holds both."""
        return key[0]

    def on_key_get(self, key: PaneKey) -> None:
        """Called by Faust when a value is read."""

    def on_key_set(self, key: PaneKey, value: bytes) -> None:
        """Called by Faust when a value is set."""
        self._changes()[key] = self.send_changelog(key[0], key, value)

    def on_key_del(self, key: PaneKey) -> None:
        """Called by Faust when a key goes."""
        self._changes()[key] = self.send_changelog(key[0], key, None, value_serializer="raw")

    def _changes(self) -> dict[PaneKey, FutureMessage]:
        unsafe: dict[PaneKey, FutureMessage] = self.__dict__.setdefault("unsafe", {})
        return unsafe

    async def safe(self) -> None:
        """Returns once the broker has acknowledged every change; sends again what failed."""
        while changes := dict(self._changes()):
            results = await asyncio.gather(*changes.values(), return_exceptions=True)
            failed = [k for k, r in zip(changes, results, strict=True) if isinstance(r, BaseException)]
            for key in changes:
                del self._changes()[key]
            if failed:
                self._send_again(failed)
                await asyncio.sleep(_RESEND_S)

    def _send_again(self, keys: Sequence[PaneKey]) -> None:
        get_logger().warning("changelog not acknowledged: sending again", stage="insights", changes=len(keys))
        for key in keys:
            if key in self.data:
                self.on_key_set(key, self.data[key])
            else:
                self.on_key_del(key)
