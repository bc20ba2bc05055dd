"""Kafka's jars are held to their hashes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from infra.embedded import jars
from infra.embedded.jars import Jar, default_cache, locked, obtain
from infra.embedded.lock import lines
from pipeline.errors import ServerFailed

GOOD = b"what the lock names"
JAR = Jar("org.example", "thing", "1.0", hashlib.sha256(GOOD).hexdigest())


class Repository:
    """Serves one answer after the other; an exception is raised."""

    def __init__(self, *answers: bytes | Exception) -> None:
        self.answers = list(answers)

    def __call__(self, jar: Jar, folder: Path) -> Path:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        file = folder / "some" / "where.jar"
        file.parent.mkdir(parents=True)
        file.write_bytes(answer)
        return file


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.embedded.jars.time.sleep", lambda _: None)


def test_the_lock_names_every_jar_once_by_hash_and_no_address() -> None:
    found = locked()
    assert len({(jar.group, jar.artifact) for jar in found}) == len(found) == 46
    assert all(len(bytes.fromhex(jar.sha256)) == 32 for jar in found)
    assert "://" not in Path(jars.__file__).with_name("kafka.lock").read_text()


def test_fetches_once(tmp_path: Path) -> None:
    repository = Repository(GOOD)
    seen: list[tuple[int, int]] = []
    first = obtain(tmp_path, [JAR], repository, lambda done, total: seen.append((done, total)))
    assert first == obtain(tmp_path, [JAR], repository)
    assert first[0].read_bytes() == GOOD
    assert seen == [(1, 1)]
    assert list(tmp_path.iterdir()) == [first[0]]


def test_a_damaged_file_in_the_cache_is_fetched_again(tmp_path: Path) -> None:
    (path,) = obtain(tmp_path, [JAR], Repository(GOOD))
    path.write_bytes(GOOD[:-1])
    assert obtain(tmp_path, [JAR], Repository(GOOD))[0].read_bytes() == GOOD


def test_a_damaged_download_is_refused_and_fetched_again(tmp_path: Path) -> None:
    assert obtain(tmp_path, [JAR], Repository(b"cut sh", b"", GOOD))[0].read_bytes() == GOOD


def test_the_network_may_fail_for_a_while(tmp_path: Path) -> None:
    repository = Repository(ConnectionError("reset"), RuntimeError("status 503"), GOOD)
    assert obtain(tmp_path, [JAR], repository)[0].read_bytes() == GOOD


def test_what_never_has_the_right_hash_is_never_used(tmp_path: Path) -> None:
    with pytest.raises(ServerFailed, match=r"org\.example:thing:1\.0 .*SHA-256"):
        obtain(tmp_path, [JAR], Repository(*[b"evil"] * jars.ATTEMPTS))
    assert list(tmp_path.iterdir()) == []


def test_the_cache_is_shared_unless_nobody_may_write_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert default_cache(tmp_path / "home") == tmp_path / "cache" / "retail-brain" / "jars"
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert default_cache(tmp_path / "home") == tmp_path / "home" / "cache" / "jars"


def test_a_lock_line_names_the_jar_by_the_hash_of_what_came() -> None:
    assert list(lines(["org.example:thing:1.0\n", "\n"], Repository(GOOD))) == [
        f"org.example:thing:1.0 {JAR.sha256}"
    ]
