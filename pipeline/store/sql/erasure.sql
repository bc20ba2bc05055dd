-- Forgetting a person: data keys are destroyed, hashes and what was made of them are deleted. All in one transaction in which nobody
-- else decides. Rows of customer_raw_event stay, and nothing opens them any more.

-- name: erasure_of
-- The receipt of a profile that was erased.
SELECT e.receipt FROM erased_profile p JOIN erasure e USING (erasure_id) WHERE p.profile_id = %s

-- name: person_of
-- The profile that an id leads to, through merges.
WITH RECURSIVE led AS (
    SELECT profile_id, merged_into FROM customer_profile WHERE profile_id = %s
    UNION ALL
    SELECT p.profile_id, p.merged_into FROM led JOIN customer_profile p ON p.profile_id = led.merged_into
)
SELECT profile_id FROM led WHERE merged_into IS NULL

-- name: ids_of_person
-- A profile and all that were merged into it.
WITH RECURSIVE gone AS (
    SELECT profile_id FROM customer_profile WHERE profile_id = %s
    UNION
    SELECT p.profile_id FROM gone JOIN customer_profile p ON p.merged_into = gone.profile_id
)
SELECT profile_id FROM gone ORDER BY profile_id

-- name: erase_events
-- Events with the keys of their raw events, those that brought one again included; the index remembers that they were.
WITH gone AS (
    DELETE FROM event WHERE record_id = ANY(%(records)s::uuid[]) RETURNING event_id, raw_id, accepted_at
), again AS (
    DELETE FROM duplicate_event d USING gone WHERE d.event_id = gone.event_id RETURNING d.raw_id
), keys AS (
    DELETE FROM data_key k USING (SELECT raw_id FROM gone UNION SELECT raw_id FROM again) r WHERE k.owner_id = r.raw_id
    RETURNING 1
), indexed AS (
    UPDATE event_index i SET record_id = NULL, erased = true FROM gone WHERE i.event_id = gone.event_id RETURNING 1
)
SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM keys), (SELECT count(*) FROM indexed),
       (SELECT max(accepted_at) FROM gone)

-- name: erase_records
-- Identity records with their keys, hashes, purchases and evidence.
WITH records AS (
    DELETE FROM identity_record WHERE record_id = ANY(%(records)s::uuid[]) RETURNING record_id
), keys AS (
    DELETE FROM data_key WHERE owner_id = ANY(%(records)s::uuid[]) RETURNING 1
), identifiers AS (
    DELETE FROM record_identifier WHERE record_id = ANY(%(records)s::uuid[]) RETURNING 1
), products AS (
    DELETE FROM record_product WHERE record_id = ANY(%(records)s::uuid[]) RETURNING 1
), shared AS (
    DELETE FROM shared_identifier WHERE record_id = ANY(%(records)s::uuid[]) RETURNING 1
), low AS (
    DELETE FROM identity_evidence WHERE low = ANY(%(records)s::uuid[]) RETURNING 1
), high AS (
    DELETE FROM identity_evidence WHERE high = ANY(%(records)s::uuid[]) AND low <> ALL(%(records)s::uuid[]) RETURNING 1
)
SELECT (SELECT count(*) FROM records), (SELECT count(*) FROM keys), (SELECT count(*) FROM identifiers),
       (SELECT count(*) FROM products), (SELECT count(*) FROM low) + (SELECT count(*) FROM high)

-- name: erase_match_keys
DELETE FROM match_key WHERE key = ANY(%(keys)s::bigint[]) AND record_id = ANY(%(records)s::uuid[])

-- name: erase_match_keys_of_sealed
-- Of records that nobody can open, so that their keys are known to nobody: the whole table is read for them.
DELETE FROM match_key WHERE record_id = ANY(%(records)s::uuid[])

-- name: keep_wear
-- Limits that were crossed stay crossed: who else holds the key was judged by it.
INSERT INTO kept_wear (key) SELECT key FROM worn_key WHERE key = ANY(%(keys)s::bigint[]) ON CONFLICT DO NOTHING

-- name: stored_kept_wear
-- Keys that stay worn for people who were forgotten, with the bits that agreement on each lost.
SELECT key, step, lost FROM kept_wear JOIN worn_key USING (key)

-- name: erase_constraints
-- What stewards said of these records; of a constraint that names nobody else on a side nothing is left.
WITH cut AS (
    UPDATE identity_constraint c
    SET left_records = ARRAY(SELECT r FROM unnest(left_records) r WHERE r <> ALL(%(records)s::uuid[])),
        right_records = ARRAY(SELECT r FROM unnest(right_records) r WHERE r <> ALL(%(records)s::uuid[]))
    WHERE left_records && %(records)s::uuid[] OR right_records && %(records)s::uuid[]
    RETURNING 1
)
SELECT count(*) FROM cut

-- name: erase_empty_constraints
DELETE FROM identity_constraint WHERE left_records = '{}' OR right_records = '{}'

-- name: erase_reviews
-- Reviews of these profiles say what was asked and when, and no longer what by.
UPDATE review_queue
SET low_record = '00000000-0000-0000-0000-000000000000', high_record = '00000000-0000-0000-0000-000000000000',
    scoring_details = '{}'
WHERE low_profile = ANY(%(profiles)s::uuid[]) OR high_profile = ANY(%(profiles)s::uuid[])

-- name: erase_merge_log
-- Entries of all profiles that ever held these records lose them: from the records that moved, from both snapshots, and from the
-- evidence. Hashes of identifiers that nobody else holds go as well.
WITH RECURSIVE told AS (
    SELECT unnest(%(profiles)s::uuid[]) AS profile_id
    UNION
    SELECT other.profile_id
    FROM told JOIN identity_merge_log m ON told.profile_id IN (m.source_profile, m.target_profile)
    CROSS JOIN LATERAL (VALUES (m.source_profile), (m.target_profile)) other(profile_id)
    WHERE m.records && %(records)s::uuid[]
), entries AS (
    SELECT DISTINCT m.merge_log_id FROM told
    JOIN identity_merge_log m ON told.profile_id IN (m.source_profile, m.target_profile)
    WHERE m.records && %(records)s::uuid[]
       OR m.source_snapshot -> 'records' ?| %(names)s::text[] OR m.target_snapshot -> 'records' ?| %(names)s::text[]
)
UPDATE identity_merge_log m
SET records = ARRAY(SELECT r FROM unnest(m.records) r WHERE r <> ALL(%(records)s::uuid[])),
    source_snapshot = without_person(m.source_snapshot, %(names)s, %(hashes)s),
    target_snapshot = without_person(m.target_snapshot, %(names)s, %(hashes)s),
    scoring_details = m.scoring_details || jsonb_build_object('evidence', coalesce((
        SELECT jsonb_agg(e) FROM jsonb_array_elements(m.scoring_details -> 'evidence') e
        WHERE e ->> 'low' <> ALL(%(names)s) AND e ->> 'high' <> ALL(%(names)s)), '[]'))
FROM entries WHERE m.merge_log_id = entries.merge_log_id

-- name: erase_profiles
WITH gone AS (
    DELETE FROM customer_profile WHERE profile_id = ANY(%(profiles)s::uuid[]) RETURNING profile_id
), embedded AS (
    DELETE FROM profile_embedding WHERE profile_id = ANY(%(profiles)s::uuid[])
), due AS (
    DELETE FROM embedding_due WHERE profile_id = ANY(%(profiles)s::uuid[])
)
SELECT count(*) FROM gone

-- name: erase_letters
-- The keys of dead letters, so that nothing opens what is left of them in their topic.
DELETE FROM data_key WHERE owner_id = ANY(%(letters)s::uuid[])

-- name: hashes_of_records
-- The value hashes that these records hold and no other record does.
SELECT DISTINCT i.type, i.value_hash FROM record_identifier i
WHERE i.record_id = ANY(%(records)s::uuid[])
  AND NOT EXISTS (SELECT FROM record_identifier o WHERE o.value_hash = i.value_hash AND o.type = i.type
                    AND o.record_id <> ALL(%(records)s::uuid[]))

-- name: write_erasure
INSERT INTO erasure (erasure_id, erased_at, actor, reason, receipt) VALUES (%s, %s, %s, %s, %s)

-- name: write_erased_profiles
INSERT INTO erased_profile (profile_id, erasure_id) SELECT unnest(%s::uuid[]), %s ON CONFLICT DO NOTHING

-- name: read_erasures
-- Receipts, the oldest first.
SELECT receipt FROM erasure ORDER BY erased_at, erasure_id

-- name: note_duplicates
-- Raw events that brought an event again. Those of an erased event lose their key at once.
WITH came AS (
    SELECT c.event_id, c.raw_id, i.erased, i.accepted_at
    FROM unnest(%(events)s::uuid[], %(raws)s::uuid[]) c(event_id, raw_id) JOIN event_index i USING (event_id)
), gone AS (
    DELETE FROM data_key k USING came WHERE came.erased AND k.owner_id = came.raw_id
)
INSERT INTO duplicate_event (event_id, raw_id)
SELECT event_id, raw_id FROM came
WHERE NOT erased AND NOT EXISTS (
    SELECT FROM event e WHERE e.accepted_at = came.accepted_at AND e.event_id = came.event_id AND e.raw_id = came.raw_id)
ON CONFLICT DO NOTHING

-- name: letters_with_keys
-- Dead letters that can be opened.
SELECT l.dead_letter_id FROM dead_letter l JOIN data_key k ON k.owner_id = l.dead_letter_id ORDER BY 1

-- name: shadows
-- Schemas in which a replay decides.
SELECT n.nspname FROM pg_namespace n WHERE EXISTS (
    SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = 'replay_kept')

-- name: standing_of_erased
-- How many profiles and records there are of ids that were erased.
SELECT (SELECT count(*) FROM customer_profile WHERE profile_id = ANY(%(profiles)s::uuid[])),
       (SELECT count(*) FROM identity_record WHERE profile_id = ANY(%(profiles)s::uuid[]))

-- name: survivors_of_erased
-- The customers that ids lead to, of those that stand.
SELECT DISTINCT led.profile_id FROM customer_profile p CROSS JOIN LATERAL (
    WITH RECURSIVE way AS (
        SELECT p.profile_id, p.merged_into
        UNION ALL
        SELECT n.profile_id, n.merged_into FROM way JOIN customer_profile n ON n.profile_id = way.merged_into
    )
    SELECT profile_id FROM way WHERE merged_into IS NULL
) led
WHERE p.profile_id = ANY(%(profiles)s::uuid[]) ORDER BY 1
