-- All that is known of one person. Read in one snapshot.

-- name: person_records
-- Identity records with what opens them; no key where it was destroyed.
SELECT r.record_id, r.first_seen, r.last_seen, r.sources, r.sealed, k.wrapped, k.key_version
FROM identity_record r LEFT JOIN data_key k ON k.owner_id = r.record_id
WHERE r.profile_id = %(profile)s ORDER BY r.first_seen, r.record_id

-- name: person_events
-- Events, the oldest first, each with the raw event that brought it and what opens that.
SELECT e.event_id, e.record_id, e.occurred_at, e.accepted_at, e.source, e.event_type, e.channel, e.store, e.order_amount, e.currency,
       e.items, e.decision, e.reasons, w.topic, w.partition, w."offset", e.raw_id, w.sealed, k.wrapped, k.key_version
FROM identity_record r JOIN event e USING (record_id)
LEFT JOIN customer_raw_event w ON w.raw_id = e.raw_id
    AND w.accepted_at > e.accepted_at - interval '1 millisecond' AND w.accepted_at < e.accepted_at + interval '1 millisecond'
LEFT JOIN data_key k ON k.owner_id = e.raw_id
WHERE r.profile_id = %(profile)s ORDER BY e.occurred_at, e.event_id

-- name: person_consent
-- What the person granted and withdrew, all of it, the oldest first.
SELECT purpose, state, at, source, event_id, record_id FROM consent WHERE record_id = ANY(%(records)s::uuid[])
ORDER BY at, purpose, event_id

-- name: person_decisions
-- Merges, splits and rollbacks of any id that leads to the person.
SELECT merge_log_id, kind, source_profile, target_profile, cardinality(records), confidence_score, actor, reason, decided_at,
       rolled_back
FROM identity_merge_log
WHERE source_profile = ANY(%(profiles)s::uuid[]) OR target_profile = ANY(%(profiles)s::uuid[])
ORDER BY decided_at, merge_log_id

-- name: person_reviews
-- What stewards were asked about the person.
SELECT review_id, kind, status, reason, confidence_score, created_at, updated_at FROM review_queue
WHERE low_profile = ANY(%(profiles)s::uuid[]) OR high_profile = ANY(%(profiles)s::uuid[])
ORDER BY created_at, review_id

-- name: person_constraints
-- What stewards said of the person's records.
SELECT constraint_id, kind, actor, reason, created_at, revoked_at FROM identity_constraint
WHERE left_records && %(records)s::uuid[] OR right_records && %(records)s::uuid[]
ORDER BY created_at, constraint_id

-- name: person_webhooks
-- Who is told of changes over HTTP.
SELECT url, types, description, created_at, enabled FROM webhook ORDER BY created_at, webhook_id
