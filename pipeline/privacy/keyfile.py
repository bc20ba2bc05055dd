"""The key ring's document: `{"current": 1, "keys": {"1": "<base64, 32 bytes>"}, "development": false}`.

It is a file of mode 0600, or stands in RB_KEY_RING. `naming` may say which version names records (the first, unless it
does), and `retired` what is kept of versions that are held no longer.
"""

from __future__ import annotations

import base64
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.errors import ConfigurationError
from pipeline.log import get_logger
from pipeline.privacy.seal import KEY_BYTES


@dataclass(frozen=True, slots=True)
class Retired:
    """What is kept of a version that was retired: the public keys that its signatures are checked by, 32 bytes each;
    and where it names records, the one secret that does."""

    audit: bytes
    receipts: bytes
    naming: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class KeyFile:
    """Master secrets by version; `current` is one of them, `naming` one of them or retired.

    `development`: made without being asked for.
    """

    current: int
    keys: Mapping[int, bytes] = field(repr=False)
    development: bool = False
    naming: int = 0
    """0: the first version there is."""
    retired: Mapping[int, Retired] = field(default_factory=dict)

    @property
    def named_by(self) -> int:
        """The version that names records: for good, since their ids stand in what is never changed."""
        return self.naming or min({**self.keys, **self.retired})


class _Retired(BaseModel):
    model_config = ConfigDict(extra="forbid")

    audit: str
    receipts: str
    naming: str | None = None


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")

    current: int
    keys: dict[int, str] = Field(min_length=1)
    development: bool = False
    naming: int = 0
    retired: dict[int, _Retired] = Field(default_factory=dict)


def text_of(path: Path) -> bytes:
    """What a ring's file holds. Raises ConfigurationError: missing or unreadable."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read()
    except OSError as exc:
        raise ConfigurationError(f"the key ring {path} cannot be read ({exc.strerror}): restore it") from exc
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        get_logger().warning("the key ring is open to other users: chmod 600", path=str(path))
    return text


def parsed(text: bytes | str, where: str) -> KeyFile:
    """The document found at `where`. Raises ConfigurationError, which never quotes it."""
    try:
        document = _Document.model_validate_json(text)
        keys = {version: _decoded(key) for version, key in document.keys.items()}
        retired = {version: _kept(one) for version, one in document.retired.items()}
    except (ValidationError, ValueError):
        # not chained: the validator's message would quote key material
        raise ConfigurationError(
            f'the key ring {where} is malformed: {{"current": 1, "keys": {{"1": "<base64 of 32 bytes>"}}}}'
        ) from None
    file = KeyFile(document.current, keys, document.development, document.naming, retired)
    if file.current not in keys or any(len(key) != KEY_BYTES for key in keys.values()):
        raise ConfigurationError(f"the key ring {where} needs its current version, and 32 bytes for each key")
    if not all(0 < version < 32_768 for version in {**keys, **retired}) or keys.keys() & retired.keys():
        raise ConfigurationError(f"the key ring {where} has a version outside 1 to 32767, or one twice")
    named_by = file.named_by
    if named_by not in keys and (named_by not in retired or retired[named_by].naming is None):
        raise ConfigurationError(f"the key ring {where} lacks version {named_by}, which names records")
    return file


def _decoded(key: str) -> bytes:
    return base64.b64decode(key, validate=True)


def _kept(one: _Retired) -> Retired:
    naming = None if one.naming is None else _decoded(one.naming)
    return Retired(_decoded(one.audit), _decoded(one.receipts), naming)


def written(file: KeyFile) -> str:
    """The document as JSON: whoever reads it reads every customer."""
    document = _Document(
        current=file.current,
        keys={version: base64.b64encode(key).decode() for version, key in file.keys.items()},
        development=file.development,
        naming=file.naming,
        retired={version: _told(one) for version, one in file.retired.items()},
    )
    return document.model_dump_json(exclude_defaults=True)


def _told(one: Retired) -> _Retired:
    audit, receipts = (base64.b64encode(key).decode() for key in (one.audit, one.receipts))
    naming = None if one.naming is None else base64.b64encode(one.naming).decode()
    return _Retired(audit=audit, receipts=receipts, naming=naming)


def with_another(file: KeyFile) -> KeyFile:
    """The ring with one version more, random; the current one stays it."""
    version = max({**file.keys, **file.retired}) + 1
    return replace(file, keys={**file.keys, version: secrets.token_bytes(KEY_BYTES)})


def create_key_file(path: Path, *, development: bool = False) -> bool:
    """Write a new ring of one random version, mode 0600. False where the file was there: it is left alone.

    Atomic between processes: the first one wins, and nobody ever reads half a file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = KeyFile(1, {1: secrets.token_bytes(KEY_BYTES)}, development)
    draft = _draft(path, written(file))
    try:
        os.link(draft, path)  # unlike a rename, it fails where the name is taken
        _sync_folder(path.parent)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True


def put_text(path: Path, text: str) -> None:
    """Put another document in the place of the one there, mode 0600: nobody ever reads half of it."""
    _draft(path, text).replace(path)
    _sync_folder(path.parent)


def _draft(path: Path, text: str) -> Path:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    return draft


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
    return parsed(text_of(path), str(path))
