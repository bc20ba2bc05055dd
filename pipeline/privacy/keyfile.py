"""The key ring's file, mode 0600: `{"current": 1, "keys": {"1": "<base64, 32 bytes>"}, "development": false}`."""

from __future__ import annotations

import base64
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.errors import ConfigurationError
from pipeline.log import get_logger
from pipeline.privacy.seal import KEY_BYTES


@dataclass(frozen=True, slots=True)
class KeyFile:
    """Master secrets by version; `current` is one of them. `development`: made without being asked for."""

    current: int
    keys: Mapping[int, bytes] = field(repr=False)
    development: bool = False


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")

    current: int
    keys: dict[int, str] = Field(min_length=1)
    development: bool = False


def read_key_file(path: Path) -> KeyFile:
    """Raises ConfigurationError: missing, unreadable or malformed; the text never quotes the content."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read()
    except OSError as exc:
        raise ConfigurationError(f"the key ring {path} cannot be read ({exc.strerror}): restore it") from exc
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        get_logger().warning("the key ring is open to other users: chmod 600", path=str(path))
    return _parsed(text, path)


def _parsed(text: bytes, path: Path) -> KeyFile:
    try:
        document = _Document.model_validate_json(text)
        keys = {version: base64.b64decode(key, validate=True) for version, key in document.keys.items()}
    except (ValidationError, ValueError):
        # not chained: the validator's message would quote key material
        raise ConfigurationError(
            f'the key ring {path} is malformed: {{"current": 1, "keys": {{"1": "<base64 of 32 bytes>"}}}}'
        ) from None
    if document.current not in keys or any(len(key) != KEY_BYTES for key in keys.values()):
        raise ConfigurationError(f"the key ring {path} needs its current version, and 32 bytes for each key")
    if not all(0 < version < 32_768 for version in keys):
        raise ConfigurationError(f"the key ring {path} has a version outside 1 to 32767")
    return KeyFile(document.current, keys, document.development)


def create_key_file(path: Path, *, development: bool = False) -> bool:
    """Write a new ring of one random version, mode 0600. False where the file was there: it is left alone.

    Atomic between processes: the first one wins, and nobody ever reads half a file.
    """
    key = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    document = _Document(current=1, keys={1: key}, development=development)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(document.model_dump_json())
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # unlike a rename, it fails where the name is taken
        _sync_folder(path.parent)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def development_file(path: Path) -> KeyFile:
    """The development ring at `path`, made when missing, and said loudly each time."""
    if not path.exists():
        create_key_file(path, development=True)
    get_logger().warning(
        "using a development key ring: whoever reads this file reads every customer; set RB_KEY_RING_FILE",
        path=str(path),
    )
    return read_key_file(path)
