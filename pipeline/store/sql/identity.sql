-- What the resolve stage, rollback and verify read and write. Locks are taken in one global order:
-- consumer position, event ids, key stripes, profiles, records; within each by ascending value.

-- name: index_events
-- Claim event ids; returns those not seen before. Ids come sorted, so two workers cannot deadlock.
INSERT INTO event_index (event_id, record_id, accepted_at)
SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::timestamptz[])
ON CONFLICT DO NOTHING
RETURNING event_id

-- name: known_records
-- Profile of each stored record, its version, and whether being seen then and there may change the profile's golden values: where
-- records contest each other, by overtaking one of them or by having a new source to be trusted.
SELECT r.record_id, r.profile_id, p.version,
       CASE WHEN p.contested THEN
           NOT r.sources @> string_to_array(s.sources, ',')
           OR s.at > r.last_seen AND EXISTS (
               SELECT FROM identity_record o
               WHERE o.profile_id = r.profile_id AND o.record_id <> r.record_id
                 AND o.last_seen BETWEEN r.last_seen AND s.at)
       ELSE false END
FROM unnest(%s::uuid[], %s::timestamptz[], %s::text[]) s(record_id, at, sources)
JOIN identity_record r USING (record_id)
JOIN customer_profile p USING (profile_id)

-- name: new_products
-- Those of the given purchases that the record has not made before.
SELECT n.record_id, n.product FROM unnest(%s::uuid[], %s::bigint[]) n(record_id, product)
WHERE NOT EXISTS (SELECT FROM record_product p WHERE p.record_id = n.record_id AND p.product = n.product)

-- name: open_pairs
-- Evidence of these records with records of other profiles: what a grown purchase overlap could change.
SELECT e.low, e.high
FROM (
    SELECT low, high FROM identity_evidence WHERE low = ANY(%(records)s::uuid[])
    UNION ALL
    SELECT low, high FROM identity_evidence WHERE high = ANY(%(records)s::uuid[])
) e
JOIN identity_record l ON l.record_id = e.low
JOIN identity_record h ON h.record_id = e.high
WHERE l.profile_id <> h.profile_id

-- name: lock_key_stripes
-- Two records that should meet share a key, hence a stripe: the second waits here until the first is committed.
SELECT count(pg_advisory_xact_lock(%s, stripe)) FROM unnest(%s::int[]) stripe

-- name: worn_keys
-- Those of the keys that crossed a limit.
SELECT key, step, lost FROM worn_key WHERE key = ANY(%s::bigint[])

-- name: key_holders
-- The records that hold each key, packed: 32 bytes each, of id, kinds, person and likeness. A row a key, for a record shares its keys with
-- hundreds; there are no more than the cap of the key's kind, for under an over-full key nobody is filed.
SELECT key, string_agg(uuid_send(record_id) || int4send(record_kinds) || int4send(person) || int8send(likeness), '')
FROM match_key WHERE key = ANY(%s::bigint[])
GROUP BY key

-- name: overfull_keys
-- Those of the keys that are over-full.
SELECT key FROM worn_key WHERE key = ANY(%s::bigint[]) AND step = 4

-- name: grounds_among
-- All evidence between two of these records, and the match keys it was found by.
SELECT low, high, weight, confidence, veto, via FROM identity_evidence
WHERE low = ANY(%(records)s::uuid[]) AND high = ANY(%(records)s::uuid[])

-- name: neighbours
-- Profiles that share evidence of at least that confidence with one of these, and the best of it.
SELECT other.profile_id, max(e.confidence)
FROM identity_record mine
CROSS JOIN LATERAL (
    SELECT high AS record_id, confidence FROM identity_evidence
    WHERE low = mine.record_id AND confidence >= %(least)s
    UNION ALL
    SELECT low, confidence FROM identity_evidence WHERE high = mine.record_id AND confidence >= %(least)s
) e
JOIN identity_record other ON other.record_id = e.record_id
WHERE mine.profile_id = ANY(%(profiles)s::uuid[]) AND other.profile_id <> ALL(%(profiles)s::uuid[])
GROUP BY other.profile_id

-- name: must_linked
-- Profiles that a must-link ties to one of these.
SELECT DISTINCT other.profile_id
FROM identity_record mine
JOIN identity_constraint c ON c.kind = 'must_link' AND c.revoked_at IS NULL
    AND (c.left_records @> ARRAY[mine.record_id] OR c.right_records @> ARRAY[mine.record_id])
JOIN identity_record other ON other.record_id = ANY(c.left_records || c.right_records)
WHERE mine.profile_id = ANY(%(profiles)s::uuid[]) AND other.profile_id <> ALL(%(profiles)s::uuid[])

-- name: lock_profiles
-- The profiles as they stand, locked until the end of the transaction.
SELECT profile_id, version, created_at, is_merged, golden, held FROM customer_profile
WHERE profile_id = ANY(%s::uuid[]) ORDER BY profile_id FOR NO KEY UPDATE

-- name: members
-- The records of these profiles.
SELECT record_id FROM identity_record WHERE profile_id = ANY(%s::uuid[])

-- name: lock_records
-- Lock records until the end of the transaction; nobody changes their activity or profile meanwhile.
SELECT count(*) FROM (
    SELECT record_id FROM identity_record WHERE record_id = ANY(%s::uuid[]) ORDER BY record_id FOR NO KEY UPDATE
) locked

-- name: standing_records
-- Where records stand, when they were seen, and by whom.
SELECT record_id, profile_id, first_seen, last_seen, sources FROM identity_record WHERE record_id = ANY(%s::uuid[])

-- name: known_beside_content
-- What the events of these records bought, and which of their identifiers are shared; records without either are missing.
SELECT record_id, array_agg(product) AS products, NULL::bigint[] AS keys, NULL::float8[] AS lost
FROM record_product WHERE record_id = ANY(%(records)s::uuid[]) GROUP BY record_id
UNION ALL
SELECT s.record_id, NULL, array_agg(s.key), array_agg(w.lost)
FROM shared_identifier s JOIN worn_key w USING (key)
WHERE s.record_id = ANY(%(records)s::uuid[]) GROUP BY s.record_id

-- name: sealed_records
-- The sealed content of records and the wrapped keys that open it.
SELECT r.record_id, r.sealed, k.wrapped, k.key_version
FROM identity_record r JOIN data_key k ON k.owner_id = r.record_id
WHERE r.record_id = ANY(%s::uuid[])

-- name: data_keys
-- Wrapped data keys by their owner.
SELECT owner_id, wrapped, key_version FROM data_key WHERE owner_id = ANY(%s::uuid[])

-- name: evidence_of
-- All evidence with an end in these records, and the profile of each end.
SELECT e.low, e.high, e.weight, e.confidence, e.veto, l.profile_id, h.profile_id
FROM (
    SELECT low, high, weight, confidence, veto FROM identity_evidence WHERE low = ANY(%(records)s::uuid[])
    UNION
    SELECT low, high, weight, confidence, veto FROM identity_evidence WHERE high = ANY(%(records)s::uuid[])
) e
JOIN identity_record l ON l.record_id = e.low
JOIN identity_record h ON h.record_id = e.high

-- name: evidence_levels
-- The comparison levels of stored pairs.
SELECT e.low, e.high, e.levels FROM unnest(%s::uuid[], %s::uuid[]) p(low, high)
JOIN identity_evidence e ON e.low = p.low AND e.high = p.high

-- name: constraints_of
-- Standing constraints that name any of these records.
SELECT kind, left_records, right_records FROM identity_constraint
WHERE revoked_at IS NULL AND (left_records && %(records)s::uuid[] OR right_records && %(records)s::uuid[])

-- name: profile_versions
-- The versions of these profiles.
SELECT profile_id, version FROM customer_profile WHERE profile_id = ANY(%s::uuid[])

-- name: identifiers_of
-- The hashed identifiers of these profiles.
SELECT profile_id, type, value_hash, hash_key_version, first_seen, last_seen
FROM profile_identifier WHERE profile_id = ANY(%s::uuid[])
ORDER BY profile_id, type, value_hash

-- name: insert_profiles
INSERT INTO customer_profile (profile_id, version, created_at, updated_at, golden, contested)
SELECT p.profile_id, 1, %(now)s, %(now)s, p.golden::jsonb, p.contested
FROM unnest(%(profiles)s::uuid[], %(goldens)s::text[], %(contested)s::bool[]) p(profile_id, golden, contested)

-- name: update_profiles
-- Every change of a profile is one version more.
UPDATE customer_profile c
SET version = c.version + 1, updated_at = %(now)s, golden = p.golden::jsonb,
    contested = p.contested, is_merged = p.merged_into IS NOT NULL, merged_into = p.merged_into
FROM unnest(%(profiles)s::uuid[], %(goldens)s::text[], %(contested)s::bool[], %(merged_into)s::uuid[])
    p(profile_id, golden, contested, merged_into)
WHERE c.profile_id = p.profile_id

-- name: hold_profiles
-- Whether a profile is held together until a steward answers. Nobody outside sees it, so it is no new version.
UPDATE customer_profile c SET held = h.held
FROM unnest(%s::uuid[], %s::bool[]) h(profile_id, held) WHERE c.profile_id = h.profile_id

-- name: copy_records
COPY identity_record (record_id, profile_id, first_seen, last_seen, sources, sealed)
FROM STDIN (FORMAT binary)

-- name: copy_record_identifiers
COPY record_identifier (record_id, type, value_hash, hash_key_version) FROM STDIN (FORMAT binary)

-- name: copy_match_keys
COPY match_key (key, record_kinds, person, likeness, record_id) FROM STDIN (FORMAT binary)

-- name: copy_data_keys
COPY data_key (owner_id, wrapped, key_version) FROM STDIN (FORMAT binary)

-- name: insert_products
INSERT INTO record_product (record_id, product) SELECT * FROM unnest(%s::uuid[], %s::bigint[]) ON CONFLICT DO NOTHING

-- name: move_records
UPDATE identity_record r SET profile_id = m.profile_id
FROM unnest(%s::uuid[], %s::uuid[]) m(record_id, profile_id) WHERE r.record_id = m.record_id

-- name: touch_records
-- Fold the batch's events into the activity of stored records. Each fold commutes.
UPDATE identity_record r
SET first_seen = least(r.first_seen, t.first_seen), last_seen = greatest(r.last_seen, t.last_seen),
    sources = CASE WHEN r.sources @> string_to_array(t.sources, ',') THEN r.sources
        ELSE ARRAY(SELECT DISTINCT s FROM unnest(r.sources || string_to_array(t.sources, ',')) s ORDER BY s) END
FROM unnest(%s::uuid[], %s::timestamptz[], %s::timestamptz[], %s::text[]) t(record_id, first_seen, last_seen, sources)
WHERE r.record_id = t.record_id
  AND (t.first_seen < r.first_seen OR t.last_seen > r.last_seen
       OR NOT r.sources @> string_to_array(t.sources, ','))

-- name: upsert_evidence
-- What is weighed again was found by the keys it was found by, unless others are told.
INSERT INTO identity_evidence (low, high, weight, confidence, levels, veto, via, model_version, policy_version)
SELECT e.low, e.high, e.weight, e.confidence, e.levels::jsonb, e.veto, e.via, %(model)s, %(policy)s
FROM unnest(%(low)s::uuid[], %(high)s::uuid[], %(weight)s::float8[], %(confidence)s::float8[], %(levels)s::text[],
            %(veto)s::text[], %(via)s::bytea[]) e(low, high, weight, confidence, levels, veto, via)
ON CONFLICT (low, high) DO UPDATE
SET weight = excluded.weight, confidence = excluded.confidence, levels = excluded.levels, veto = excluded.veto,
    via = CASE WHEN excluded.via = '' THEN identity_evidence.via ELSE excluded.via END,
    model_version = excluded.model_version, policy_version = excluded.policy_version

-- name: drop_evidence
-- The keys by which these pairs were found no longer tell people apart, or what they agree on says too little by now.
DELETE FROM identity_evidence e USING unnest(%s::uuid[], %s::uuid[]) d(low, high)
WHERE e.low = d.low AND e.high = d.high

-- name: wear_keys
-- Match keys that crossed a limit; each step is taken once.
INSERT INTO worn_key (key, kind, step, lost, people, reason, since)
SELECT *, %(now)s FROM unnest(%(keys)s::bigint[], %(kinds)s::text[], %(steps)s::smallint[], %(lost)s::float8[],
                              %(people)s::int[], %(reasons)s::text[])
ON CONFLICT (key) DO UPDATE
SET step = excluded.step, lost = excluded.lost, people = excluded.people, reason = excluded.reason, since = excluded.since

-- name: insert_shared_identifiers
INSERT INTO shared_identifier (record_id, key) SELECT * FROM unnest(%s::uuid[], %s::bigint[]) ON CONFLICT DO NOTHING

-- name: insert_merge_log
INSERT INTO identity_merge_log (merge_log_id, kind, source_profile, target_profile, records, source_snapshot,
    target_snapshot, confidence_score, scoring_details, model_version, policy_version, actor, reason, decided_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)

-- name: pending_reviews
-- The pending reviews and proposals that name any of these profiles.
SELECT review_id, low_profile, high_profile, low_record, high_record, reason, confidence_score, scoring_details -> 'parts' FROM review_queue
WHERE status = 'pending' AND low_profile = ANY(%(profiles)s::uuid[])
UNION ALL
SELECT review_id, low_profile, high_profile, low_record, high_record, reason, confidence_score, scoring_details -> 'parts' FROM review_queue
WHERE status = 'pending' AND high_profile = ANY(%(profiles)s::uuid[])
  AND low_profile <> ALL(%(profiles)s::uuid[])

-- name: retire_reviews
UPDATE review_queue SET status = 'obsolete', updated_at = %s WHERE review_id = ANY(%s::uuid[]) AND status = 'pending'
RETURNING review_id, kind, status, reason, low_profile, high_profile, confidence_score, scoring_details::text,
    model_version, policy_version

-- name: insert_reviews
INSERT INTO review_queue (review_id, kind, low_profile, high_profile, low_record, high_record, status, reason,
    confidence_score, scoring_details, model_version, policy_version, created_at, updated_at)
SELECT r.review_id, r.kind, r.low_profile, r.high_profile, r.low_record, r.high_record, 'pending', r.reason,
    r.confidence, r.details::jsonb, %(model)s, %(policy)s, %(now)s, %(now)s
FROM unnest(%(ids)s::uuid[], %(kind)s::text[], %(low)s::uuid[], %(high)s::uuid[], %(low_record)s::uuid[],
            %(high_record)s::uuid[], %(reason)s::text[], %(confidence)s::float8[], %(details)s::text[])
     r(review_id, kind, low_profile, high_profile, low_record, high_record, reason, confidence, details)

-- name: update_reviews
-- The same two profiles still wait; better evidence came.
UPDATE review_queue q
SET low_record = r.low_record, high_record = r.high_record, reason = r.reason, confidence_score = r.confidence,
    scoring_details = r.details::jsonb, model_version = %(model)s, policy_version = %(policy)s, updated_at = %(now)s
FROM unnest(%(ids)s::uuid[], %(low_record)s::uuid[], %(high_record)s::uuid[], %(reason)s::text[],
            %(confidence)s::float8[], %(details)s::text[])
     r(review_id, low_record, high_record, reason, confidence, details)
WHERE q.review_id = r.review_id

-- name: copy_events
COPY event (event_id, raw_id, record_id, occurred_at, accepted_at, committed_at, source, event_type, channel, store,
    order_amount, currency, items, decision, reasons, source_record_id, request_id, correlation_id)
FROM STDIN (FORMAT binary)

-- name: merges_to_undo
-- Merge log entries, locked so that each is undone once: the records of both sides, and those that others brought into the same
-- target by the same decision.
SELECT m.merge_log_id, m.kind, m.source_profile, m.target_profile, m.source_snapshot -> 'records',
       m.target_snapshot -> 'records', (
           SELECT jsonb_agg(record)
           FROM identity_merge_log s, jsonb_array_elements_text(s.source_snapshot -> 'records') record
           WHERE s.target_profile = m.target_profile AND s.decided_at = m.decided_at AND s.kind = 'merged'
             AND s.merge_log_id <> m.merge_log_id
       ), m.rolled_back
FROM identity_merge_log m WHERE m.merge_log_id = ANY(%s::uuid[]) ORDER BY m.merge_log_id FOR UPDATE OF m

-- name: merges_chosen
-- Merges that stand, the newest first, and the profiles their records stand in by now.
SELECT m.merge_log_id, array_agg(DISTINCT r.profile_id)
FROM identity_merge_log m
CROSS JOIN LATERAL jsonb_array_elements_text(
    (m.source_snapshot -> 'records') || (m.target_snapshot -> 'records')
) record
JOIN identity_record r ON r.record_id = record::uuid
WHERE m.kind = 'merged' AND NOT m.rolled_back
  AND (m.actor = %(actor)s OR %(actor)s::text IS NULL AND m.reason = %(automatic)s)
  AND (%(since)s::timestamptz IS NULL OR m.decided_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR m.decided_at < %(until)s)
  AND (%(policy_version)s::text IS NULL OR m.policy_version = %(policy_version)s)
  AND (%(model_version)s::text IS NULL OR m.model_version = %(model_version)s)
GROUP BY m.merge_log_id, m.decided_at
ORDER BY m.decided_at DESC, m.merge_log_id

-- name: weigh_moves
-- How many events, and how many distinct identifiers, go with records; by the number of their move.
WITH moving AS (SELECT * FROM unnest(%s::uuid[], %s::int[]) m(record_id, move))
SELECT move, sum(events)::int, sum(identifiers)::int
FROM (
    SELECT move, count(*) AS events, 0 AS identifiers FROM moving JOIN event USING (record_id) GROUP BY move
    UNION ALL
    SELECT move, 0, count(DISTINCT (i.type, i.value_hash)) FROM moving JOIN current_identifier i USING (record_id)
    GROUP BY move
) counted
GROUP BY move

-- name: spoken_of
-- Events with the records they speak of.
SELECT event_id, record_id FROM event_index WHERE event_id = ANY(%s::uuid[]) AND record_id IS NOT NULL

-- name: profile_to_part
-- Where a profile went, if it was merged; no row where there is none.
SELECT merged_into FROM customer_profile WHERE profile_id = %s

-- name: mark_rolled_back
UPDATE identity_merge_log m SET rolled_back = true, rolled_back_at = %s, rolled_back_by = d.rollback_log_id
FROM unnest(%s::uuid[], %s::uuid[]) d(merge_log_id, rollback_log_id) WHERE m.merge_log_id = d.merge_log_id

-- name: insert_constraint
INSERT INTO identity_constraint
    (constraint_id, kind, left_records, right_records, actor, reason, created_at, review_id)
VALUES (%(constraint_id)s, %(kind)s, %(left)s, %(right)s, %(actor)s, %(reason)s, %(now)s, %(review_id)s)

-- name: review_to_answer
-- A review, what it asks, and its entity tag, which changes with all that it shows.
SELECT kind, status, low_profile, high_profile, scoring_details -> 'parts', updated_at,
    review_etag(review_id, status, updated_at, revision)
FROM review_queue WHERE review_id = %s

-- name: answer_review
-- Give a pending review its answer; no row where it is not the one that was read. Its profiles are locked.
UPDATE review_queue SET status = %(status)s, updated_at = %(now)s
WHERE review_id = %(review_id)s AND status = 'pending'
  AND review_etag(review_id, status, updated_at, revision) = %(etag)s
RETURNING review_id, kind, status, reason, low_profile, high_profile, confidence_score, scoring_details::text,
    model_version, policy_version

-- name: take_back_review
-- The answer to a review is taken back. Its profiles are locked.
UPDATE review_queue SET status = 'revoked', updated_at = %s WHERE review_id = %s
RETURNING review_id, kind, status, reason, low_profile, high_profile, confidence_score, scoring_details::text,
    model_version, policy_version

-- name: answer_given
-- Who answered a review and when, by which constraint (any of them revokes all), and who took the answer back.
SELECT actor, created_at, constraint_id, revoked_by FROM identity_constraint WHERE review_id = %s
ORDER BY constraint_id LIMIT 1

-- name: profiles_answered
-- The profiles that the records an answered review was about stand in now.
SELECT DISTINCT r.profile_id
FROM identity_constraint c JOIN identity_record r ON r.record_id = ANY(c.left_records || c.right_records)
WHERE c.review_id = %s ORDER BY r.profile_id

-- name: survivors
-- Where each of these profiles stands: itself, or the one it was merged into in the end.
WITH RECURSIVE chain(asked, profile_id, merged_into) AS (
    SELECT profile_id, profile_id, merged_into FROM customer_profile WHERE profile_id = ANY(%s::uuid[])
    UNION
    SELECT c.asked, p.profile_id, p.merged_into FROM chain c JOIN customer_profile p ON p.profile_id = c.merged_into
)
SELECT asked, profile_id FROM chain WHERE merged_into IS NULL

-- name: cannot_links_between
-- Who said of which of these records that they are two people, and by which constraint, the newest first.
SELECT constraint_id, actor, created_at, reason, left_records, right_records FROM identity_constraint
WHERE kind = 'cannot_link' AND revoked_at IS NULL
  AND left_records && %(records)s::uuid[] AND right_records && %(records)s::uuid[]
ORDER BY created_at DESC, constraint_id
