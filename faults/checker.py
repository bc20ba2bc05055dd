"""Whether a house at rest kept its promises to those whose events it acknowledged.

Written apart from the pipeline: it knows the contracts (schemas, tables, keys of Redis) and none of the code that
decides, writes or projects, so that a mistake there cannot excuse itself here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from uuid import UUID

from faults.acts import Act, act_findings, contradictions, said
from faults.cache import cache_findings
from faults.embeddings import embedding_findings
from faults.events import Link, event_findings
from faults.finding import Finding, FindingKind
from faults.moves import Moves, astray
from faults.profiles import exclusive_findings, redirect_findings
from faults.replay import Replay
from faults.state import stored
from faults.topic import Read, read_topic
from pipeline.configuration import load_policy
from pipeline.errors import BadMessage
from pipeline.settings import Settings
from pipeline.store.database import Database
from schemas.codec import Codec, load_codec


def check(
    settings: Settings,
    acknowledged: Iterable[str | UUID],
    acts: Collection[Act] = (),
    cache_timeout_s: float = 30.0,
) -> list[Finding]:
    """Everything that is not as promised; empty where all holds.

    `acknowledged` are the ids of events whose senders were told that they are safe, `acts` what stewards were told is
    done. The house is at rest: nobody sends, and its processes have had their time; embeddings, and then the cache, are
    given `cache_timeout_s` more, in seconds. Reads whole tables and topics, so memory grows with events and profiles.
    Writes nothing. Raises StoreUnavailable, BrokerUnavailable, ConfigurationError and redis' own errors; ValueError
    where an acknowledged id is no UUID.
    """
    found: list[Finding] = []
    codec = load_codec(settings)
    links = _links(settings, codec, found)
    replay = _replay(settings, codec, found)
    moves = _moves(settings, codec, found)
    with Database(settings.postgres_dsn.get_secret_value(), "faults") as database, database.snapshot() as tx:
        row = tx.row("faults_outbox")
        if row is not None and row[0]:
            found.append(Finding(FindingKind.OUTBOX_LEFT, "outbox", f"{row[0]} messages wait", "none"))
        found += event_findings(tx, acknowledged, links)
        profiles = stored(tx)
        found += redirect_findings(profiles, links)
        found += exclusive_findings(tx, load_policy(settings))
        words = said(tx)
        found += act_findings(tx, acts, words)
    found += contradictions(words, profiles)
    found += astray(links, moves, profiles)
    found += replay.findings
    found += replay.against(profiles)
    found += embedding_findings(settings, profiles, cache_timeout_s)
    found += cache_findings(settings.redis_url, profiles, replay.messages, cache_timeout_s)
    return found


def _links(settings: Settings, codec: Codec, found: list[Finding]) -> dict[str, frozenset[Link]]:
    """What events.linked says of each event."""
    links: dict[str, frozenset[Link]] = {}
    for message in read_topic(settings, "events.linked"):
        fields = _decoded(codec, "events.linked", message, found)
        if fields is not None:
            said = Link(str(fields["profile_id"]), str(fields["record_id"]), str(fields["decision"]))
            event = str(fields["event_id"])
            links[event] = links.get(event, frozenset()) | {said}
    return links


def _replay(settings: Settings, codec: Codec, found: list[Finding]) -> Replay:
    """The model that profiles.updates makes."""
    replay = Replay()
    for message in read_topic(settings, "profiles.updates"):
        if message.value is None:
            replay.tombstone(message.key)
            continue
        fields = _decoded(codec, "profiles.updates", message, found)
        if fields is not None:
            replay.take(message.key, message.value, fields)
    return replay


def _moves(settings: Settings, codec: Codec, found: list[Finding]) -> Moves:
    """What identity.merges says of each record."""
    moves = Moves()
    for message in read_topic(settings, "identity.merges"):
        fields = _decoded(codec, "identity.merges", message, found)
        if fields is not None:
            moves.take(fields)
    return moves


def _decoded(codec: Codec, topic: str, message: Read, found: list[Finding]) -> dict[str, object] | None:
    try:
        return codec.decode(topic, message.value or b"")
    except BadMessage as exc:
        subject = f"{topic} [{message.partition}] @{message.offset}"
        found.append(Finding(FindingKind.MESSAGE_BROKEN, subject, str(exc), f"a message of {topic}"))
        return None
