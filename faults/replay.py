"""profiles.updates from its beginning in an empty model, as a consumer that knows nothing else would keep it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import cast

from faults.finding import Finding, FindingKind
from faults.state import ProfileState, told


class Replay:
    """The model: the newest message of every profile. The highest version wins, a tombstone deletes.

    `findings` are those of the order: versions run 1, 2, 3, ... and a version told again is told alike. A topic that
    the broker compacted meanwhile lacks versions; the cleaner leaves a young topic alone.
    """

    def __init__(self) -> None:
        self.messages: dict[str, Mapping[str, object]] = {}
        self.findings: list[Finding] = []
        self._told: dict[str, list[bytes]] = {}  # a digest of each version, in order; b"" where it is missing

    def tombstone(self, profile: str) -> None:
        """The profile was erased."""
        self.messages.pop(profile, None)

    def take(self, profile: str, payload: bytes, message: Mapping[str, object]) -> None:
        """A message and the bytes it was decoded from."""
        version = cast(int, message["version"])
        versions = self._told.setdefault(profile, [])
        digest = blake2b(payload, digest_size=16).digest()
        if version <= len(versions):
            if version < 1 or versions[version - 1] != digest:
                self._find(
                    FindingKind.VERSION_TOLD_TWICE, profile, f"version {version} again", "the same message"
                )
        else:
            expected = len(versions) + 1
            if version > expected:
                self._find(FindingKind.VERSION_GAP, profile, f"version {version}", f"version {expected}")
            versions += [b""] * (version - expected) + [digest]
        newest = self.messages.get(profile)
        if newest is None or cast(int, newest["version"]) < version:
            self.messages[profile] = message

    def _find(self, kind: FindingKind, profile: str, seen: str, expected: str) -> None:
        self.findings.append(Finding(kind, f"profile {profile} on profiles.updates", seen, expected))

    def against(self, stored: Mapping[str, ProfileState]) -> Iterator[Finding]:
        """What the model has other than Postgres."""
        for profile in sorted(self.messages.keys() - stored.keys()):
            version = f"version {told(self.messages[profile]).version}"
            yield Finding(
                FindingKind.PROFILE_SURPLUS, f"profile {profile}", version, "no profile, as in Postgres"
            )
        for profile, stands in stored.items():
            if profile not in self.messages:
                expected = f"version {stands.version}"
                yield Finding(
                    FindingKind.PROFILE_UNTOLD, f"profile {profile}", "nothing on the topic", expected
                )
                continue
            said = told(self.messages[profile])
            if said.version != stands.version:
                seen, expected = f"version {said.version} on the topic", f"version {stands.version}"
                yield Finding(FindingKind.VERSION_DIFFERS, f"profile {profile}", seen, expected)
            for field, ours, theirs in said.differences(stands):
                subject = f"profile {profile} {field}"
                yield Finding(FindingKind.STATE_DIFFERS, subject, f"{ours} on the topic", str(theirs))
