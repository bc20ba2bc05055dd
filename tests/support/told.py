"""What somebody who only reads `profiles.updates` knows, against Postgres."""

from __future__ import annotations

from collections.abc import Mapping

from tests.support.pipeline import StagesOnPostgres


def told(stages: StagesOnPostgres) -> dict[str, Mapping[str, object]]:
    """The outbox replayed into an empty model: the last state of each profile. Versions must come without gaps."""
    known: dict[str, Mapping[str, object]] = {}
    for keys, payloads in stages.rows(
        "SELECT keys, payloads FROM outbox WHERE topic = 'profiles.updates' ORDER BY outbox_id"
    ):
        for key, payload in zip(keys, payloads, strict=True):
            profile = key.decode()
            if not payload:
                del known[profile]
                continue
            state = stages.codec.decode("profiles.updates", payload)
            before = known.get(profile, {"version": 0})["version"]
            assert isinstance(before, int)
            assert state["version"] == before + 1, profile
            known[profile] = state
    return known


def is_told(stages: StagesOnPostgres) -> None:
    """All that stands was told, and nothing else."""
    stands = stages.rows(
        """SELECT profile_id::text, version, merged_into::text, golden,
                  ARRAY(SELECT record_id::text FROM identity_record r JOIN data_key ON owner_id = record_id
                        WHERE r.profile_id = p.profile_id ORDER BY 1),
                  ARRAY(SELECT type || ' ' || encode(value_hash, 'hex') FROM profile_identifier i
                        WHERE i.profile_id = p.profile_id ORDER BY 1),
                  coalesce((SELECT jsonb_agg(jsonb_build_array(purpose, state, extract(epoch FROM at)::float8, source)
                                             ORDER BY purpose)
                            FROM profile_consent c WHERE c.profile_id = p.profile_id), '[]')
           FROM customer_profile p ORDER BY 1"""
    )
    known = told(stages)
    opens = {
        str(r)
        for (r,) in stages.rows("SELECT record_id FROM identity_record JOIN data_key ON owner_id = record_id")
    }
    assert [
        (
            profile,
            s["version"],
            s["merged_into"],
            s["golden_record"],
            sorted(opens.intersection(s["record_ids"])),  # type: ignore[call-overload]
            sorted(f"{i['type']} {i['value_hash']}" for i in s["identifiers"]),  # type: ignore[attr-defined]
            [[c["purpose"], c["state"], c["at"].timestamp(), c["source"]] for c in s["consent"]],  # type: ignore[attr-defined]
        )
        for profile, s in sorted(known.items())
    ] == stands
