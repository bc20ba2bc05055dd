"""The Faust table that keeps the panes safe: a changelog beside the source, partition by partition."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Set

import faust

from consumers.panes import BlockKey
from pipeline.log import get_logger

_RESEND_S = 1.0


class PaneTable(faust.Table[BlockKey, bytes]):
    """A table whose keys name their partition, and whose changes are sent and waited for by `safe`.

    Faust sends each change of a table some time later, and its commit does not wait for all of them where the broker
    is slow: an offset could be committed before the state it stands for. Here a batch's changes go together, a key
    once, and are acknowledged before anything is committed.
    """

    def partition_for_key(self, key: BlockKey) -> int:
        """The source's partition, so that one worker holds both."""
        return key[0]

    def on_key_get(self, key: BlockKey) -> None:
        """Called by Faust when a value is read."""

    def on_key_set(self, key: BlockKey, value: bytes) -> None:
        """Called by Faust when a value is set."""
        self._changed().add(key)

    def on_key_del(self, key: BlockKey) -> None:
        """Called by Faust when a key goes."""
        self._changed().add(key)

    def _changed(self) -> set[BlockKey]:
        changed: set[BlockKey] = self.__dict__.setdefault("changed", set())
        return changed

    def keep_only(self, partitions: Set[int]) -> None:
        """Forget other partitions, and do not send what changed in them: they are other workers' now."""
        for key in [k for k in self.data if k[0] not in partitions]:
            del self.data[key]
        self._changed().difference_update([k for k in self._changed() if k[0] not in partitions])

    async def safe(self) -> None:
        """Returns once the broker has acknowledged the newest value of every changed key; sends again what failed."""
        changed = self._changed()
        while changed:
            keys = list(changed)
            sent = [await self._send(key) for key in keys]
            results = await asyncio.gather(*sent, return_exceptions=True)
            failed = [k for k, r in zip(keys, results, strict=True) if isinstance(r, BaseException)]
            changed.difference_update(keys)
            changed.update(failed)
            if failed:
                get_logger().warning(
                    "changelog not acknowledged: sending again", stage="insights", keys=len(failed)
                )
                await asyncio.sleep(_RESEND_S)

    async def _send(self, key: BlockKey) -> Awaitable[object]:
        message = self.changelog_topic.as_future_message(
            key=key,
            value=self.data.get(key),  # None: a tombstone
            partition=key[0],
            key_serializer=self.key_serializer,
            value_serializer="raw",
        )
        return await self.changelog_topic.publish_message(message)
