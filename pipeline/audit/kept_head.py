"""The last head that this house signed, in a file: where who owns the database alone does not reach."""

from __future__ import annotations

import os

from psycopg.conninfo import conninfo_to_dict

from pipeline.audit.signing import Head, PublicKeys
from pipeline.errors import BadInput
from pipeline.log import get_logger
from pipeline.settings import Settings


class KeptHead:
    """One file a database below `settings.home`: by it a relay that is started anew knows what the chain holds."""

    def __init__(self, settings: Settings) -> None:
        named = conninfo_to_dict(settings.postgres_dsn.get_secret_value())
        name = f"{named.get('host') or 'local'}-{named.get('dbname') or 'default'}".replace("/", "_")
        self._path = settings.home / f"audit-head-{name}"

    def read(self, keys: PublicKeys) -> Head | None:
        """What was written last; None where nothing was, or nothing that one of the keys signed."""
        try:
            head = Head.parse(self._path.read_text("utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError, BadInput) as exc:
            get_logger().error("the head that was kept cannot be read", path=str(self._path), error=str(exc))
            return None
        if head.is_signed(keys):
            return head
        get_logger().error("the head that was kept is of another key ring", path=str(self._path))
        return None

    def write(self, head: Head) -> None:
        """Keep this one. Where it cannot be, the one before stays, which proves somewhat less."""
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(f"{head}\n", "utf-8")
            draft.replace(self._path)
        except OSError as exc:
            get_logger().error("the head cannot be kept", path=str(self._path), error=str(exc))
