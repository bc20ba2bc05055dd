-- What the gateway reads. Lists come as a page and, in a query of their own, as their length.

-- name: read_event_profiles
-- The committed ones among the given events, and the profile of each.
SELECT i.event_id, r.profile_id
FROM event_index i LEFT JOIN identity_record r USING (record_id)
WHERE i.event_id = ANY(%s::uuid[])

-- name: read_profile
-- The profile an id leads to (through merges), with its records and identifiers; no row where the id is unknown.
WITH RECURSIVE chain(profile_id, merged_into) AS (
    SELECT profile_id, merged_into FROM customer_profile WHERE profile_id = %(profile_id)s
    UNION
    SELECT p.profile_id, p.merged_into FROM chain JOIN customer_profile p ON p.profile_id = chain.merged_into
)
SELECT p.profile_id, p.version, p.created_at, p.updated_at, p.golden AS golden_record, 'active' AS status,
       ARRAY(SELECT r.record_id FROM identity_record r WHERE r.profile_id = p.profile_id
             ORDER BY r.first_seen, r.record_id) AS record_ids,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'type', i.type, 'value_hash', encode(i.value_hash, 'hex'),
                   'hash_key_version', i.hash_key_version,
                   'first_seen_at', i.first_seen, 'last_seen_at', i.last_seen)
               ORDER BY i.type, i.first_seen, i.value_hash), '[]')
        FROM profile_identifier i WHERE i.profile_id = p.profile_id) AS identifiers,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('purpose', c.purpose, 'state', c.state, 'at', c.at, 'source', c.source)
               ORDER BY c.purpose), '[]')
        FROM profile_consent c WHERE c.profile_id = p.profile_id) AS consent
FROM chain JOIN customer_profile p USING (profile_id)
WHERE chain.merged_into IS NULL

-- name: read_records
-- Sealed identity records with their wrapped keys and activity; a record whose key was destroyed is missing.
SELECT r.record_id, r.sealed, r.first_seen, r.last_seen, r.sources, k.wrapped, k.key_version
FROM identity_record r JOIN data_key k ON k.owner_id = r.record_id
WHERE r.record_id = ANY(%s::uuid[])

-- name: find_profiles
-- Live profiles that hold every wanted identifier; `want` numbers the identifiers asked for, each hashed by every version of the keys.
SELECT i.profile_id
FROM unnest(%(types)s::text[], %(hashes)s::bytea[], %(wants)s::int[]) w(type, value_hash, want)
JOIN profile_identifier i USING (type, value_hash)
JOIN customer_profile p USING (profile_id)
WHERE NOT p.is_merged
GROUP BY i.profile_id
HAVING count(DISTINCT w.want) = %(count)s
ORDER BY i.profile_id
LIMIT %(limit)s OFFSET %(offset)s

-- name: count_found_profiles
-- How many profiles `find_profiles` finds on all pages.
SELECT count(*) AS total FROM (
    SELECT i.profile_id
    FROM unnest(%(types)s::text[], %(hashes)s::bytea[], %(wants)s::int[]) w(type, value_hash, want)
    JOIN profile_identifier i USING (type, value_hash)
    JOIN customer_profile p USING (profile_id)
    WHERE NOT p.is_merged
    GROUP BY i.profile_id
    HAVING count(DISTINCT w.want) = %(count)s
) found

-- name: read_events
-- Events of a profile, newest first: of each record no more than the page could reach, from the index.
SELECT e.event_id, e.record_id, e.occurred_at, e.accepted_at, e.committed_at, e.source, e.event_type, e.channel,
       e.store, e.order_amount, e.currency, e.items, e.decision, e.reasons, e.request_id, e.correlation_id
FROM identity_record r CROSS JOIN LATERAL (
    SELECT * FROM event i WHERE i.record_id = r.record_id
    ORDER BY i.occurred_at DESC, i.event_id LIMIT %(limit)s::bigint + %(offset)s
) e
WHERE r.profile_id = %(profile_id)s
ORDER BY e.occurred_at DESC, e.event_id
LIMIT %(limit)s OFFSET %(offset)s

-- name: count_events
-- How many events a profile has.
SELECT count(*) AS total FROM identity_record r JOIN event e USING (record_id) WHERE r.profile_id = %(profile_id)s

-- name: read_merge_logs
-- Merges, splits and rollbacks, newest first; of one profile or one kind where given.
SELECT merge_log_id, kind, source_profile, target_profile, records, confidence_score, scoring_details,
       model_version, policy_version, actor, reason, decided_at, rolled_back, rolled_back_at, rolled_back_by
FROM identity_merge_log
WHERE (%(profile_id)s::uuid IS NULL OR source_profile = %(profile_id)s OR target_profile = %(profile_id)s)
  AND (%(kind)s::text IS NULL OR kind = %(kind)s)
  AND (%(rolled_back)s::boolean IS NULL OR rolled_back = %(rolled_back)s)
ORDER BY decided_at DESC, merge_log_id
LIMIT %(limit)s OFFSET %(offset)s

-- name: count_merge_logs
-- How many rows `read_merge_logs` has on all pages.
SELECT count(*) AS total
FROM identity_merge_log
WHERE (%(profile_id)s::uuid IS NULL OR source_profile = %(profile_id)s OR target_profile = %(profile_id)s)
  AND (%(kind)s::text IS NULL OR kind = %(kind)s)
  AND (%(rolled_back)s::boolean IS NULL OR rolled_back = %(rolled_back)s)

-- name: read_merge_log
-- One of them, with both snapshots.
SELECT merge_log_id, kind, source_profile, target_profile, records, confidence_score, scoring_details,
       model_version, policy_version, actor, reason, decided_at, rolled_back, rolled_back_at, rolled_back_by,
       source_snapshot, target_snapshot
FROM identity_merge_log WHERE merge_log_id = %(merge_log_id)s
