"""The key ring in a file: as it is, or sealed by a key management service."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import orjson

from pipeline.errors import ConfigurationError
from pipeline.log import get_logger
from pipeline.privacy.keyfile import KeyFile, parsed, put_text, text_of, written
from pipeline.privacy.sealer import Sealer


@dataclass(frozen=True, slots=True)
class RingFile:
    """A file of mode 0600. Where there is a sealer it holds `{"sealed": "<what that makes of the document>"}`."""

    path: Path
    sealer: Sealer | None = field(default=None, repr=False)

    def read(self) -> KeyFile:
        """The ring. Raises ConfigurationError (missing, unreadable, malformed, or sealed by what is not named here; the
        text never quotes the content), KeyServiceUnavailable."""
        text = text_of(self.path)
        sealed = _sealed_in(text)
        if sealed is not None:
            if self.sealer is None:
                raise ConfigurationError(
                    f"the key ring {self.path} is sealed: set RB_VAULT_URL to what opens it"
                )
            text = self.sealer.open(sealed)
        elif self.sealer is not None:
            get_logger().warning("the key ring is not sealed: `retail-brain keys seal`", path=str(self.path))
        return parsed(text, str(self.path))

    def replace(self, file: KeyFile) -> None:
        """Put another ring in its place: nobody ever reads half of it. Raises as `Sealer` does."""
        text = written(file)
        if self.sealer is not None:
            text = orjson.dumps({"sealed": self.sealer.seal(text.encode())}).decode()
        put_text(self.path, text)


def _sealed_in(text: bytes) -> str | None:
    """None where it is a document as it is, or none at all, which is told where it is read."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    sealed = found.get("sealed") if isinstance(found, dict) else None
    return sealed if isinstance(sealed, str) else None
