-- Forgetting a person: data keys are destroyed, hashes and what was made of them are deleted. All in one transaction in which nobody
-- else decides. Rows of customer_raw_event stay, and nothing opens them any more.

-- name: erasure_of
-- The receipt of a profile that was erased.
SELECT e.receipt FROM erased_profile p JOIN erasure e USING (erasure_id) WHERE p.profile_id = %s

-- name: ids_of_person
-- A profile and all that were merged into it.
WITH RECURSIVE gone AS (
    SELECT profile_id FROM customer_profile WHERE profile_id = %s
    UNION
    SELECT p.profile_id FROM gone JOIN customer_profile p ON p.merged_into = gone.profile_id
)
SELECT profile_id FROM gone ORDER BY profile_id

-- name: erase_events
-- Events with the keys of their raw events, those that brought one again included; the index remembers that they were. Ids of raw
-- events begin with the time at which they came, so that the last one says when that was.
WITH gone AS (
    DELETE FROM event WHERE record_id = ANY(%(records)s::uuid[]) RETURNING event_id, raw_id
), again AS (
    DELETE FROM duplicate_event d USING gone WHERE d.event_id = gone.event_id RETURNING d.raw_id
), raws AS (
    SELECT raw_id FROM gone UNION SELECT raw_id FROM again
), keys AS (
    DELETE FROM data_key k USING raws r WHERE k.owner_id = r.raw_id RETURNING 1
), indexed AS (
    UPDATE event_index i SET record_id = NULL, erased_by = %(erasure)s FROM gone WHERE i.event_id = gone.event_id
)
SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM keys), (SELECT raw_id FROM raws ORDER BY raw_id DESC LIMIT 1)

-- name: erase_records
-- Identity records with their keys, hashes, purchases, consent and evidence.
WITH records AS (
    DELETE FROM identity_record WHERE record_id = ANY(%(records)s::uuid[]) RETURNING record_id
), keys AS (
    DELETE FROM data_key WHERE owner_id = ANY(%(records)s::uuid[]) RETURNING 1
), identifiers AS (
    DELETE FROM record_identifier WHERE record_id = ANY(%(records)s::uuid[]) RETURNING 1
), products AS (
    DELETE FROM record_product WHERE record_id = ANY(%(records)s::uuid[]) RETURNING 1
), said AS (
    DELETE FROM consent WHERE record_id = ANY(%(records)s::uuid[]) RETURNING 1
), shared AS (
    DELETE FROM shared_identifier WHERE record_id = ANY(%(records)s::uuid[]) RETURNING 1
), low AS (
    DELETE FROM identity_evidence WHERE low = ANY(%(records)s::uuid[]) RETURNING 1
), high AS (
    DELETE FROM identity_evidence WHERE high = ANY(%(records)s::uuid[]) AND low <> ALL(%(records)s::uuid[]) RETURNING 1
)
SELECT (SELECT count(*) FROM records), (SELECT count(*) FROM keys), (SELECT count(*) FROM identifiers),
       (SELECT count(*) FROM products), (SELECT count(*) FROM said),
       (SELECT count(*) FROM low) + (SELECT count(*) FROM high)

-- name: erase_match_keys
DELETE FROM match_key WHERE key = ANY(%(keys)s::bigint[]) AND record_id = ANY(%(records)s::uuid[])

-- name: erase_match_keys_of_sealed
-- Of records that nobody can open, so that their keys are known to nobody: the whole table is read for them.
DELETE FROM match_key WHERE record_id = ANY(%(records)s::uuid[])

-- name: forget_wear
-- An identifier that nobody holds any more is not shared either. Under an over-full key nobody is filed, so that it stays.
DELETE FROM worn_key w WHERE w.key = ANY(%(keys)s::bigint[]) AND w.step < 4
  AND NOT EXISTS (SELECT FROM match_key m WHERE m.key = w.key)

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

-- name: profiles_ever
-- The profiles that these records ever stood in, by the merge log.
WITH RECURSIVE told AS (
    SELECT unnest(%(profiles)s::uuid[]) AS profile_id
    UNION
    SELECT other.profile_id
    FROM told CROSS JOIN LATERAL (
        SELECT * FROM identity_merge_log s WHERE s.source_profile = told.profile_id
        UNION ALL
        SELECT * FROM identity_merge_log t WHERE t.target_profile = told.profile_id
    ) m CROSS JOIN LATERAL (VALUES (m.source_profile), (m.target_profile)) other(profile_id)
    WHERE m.records && %(records)s::uuid[]
)
SELECT profile_id FROM told

-- name: erase_reviews
-- Reviews of these profiles, and of others by these records, say what was asked and when, and no longer what by.
UPDATE review_queue q
SET low_record = '00000000-0000-0000-0000-000000000000', high_record = '00000000-0000-0000-0000-000000000000',
    scoring_details = '{}'
FROM (
    SELECT review_id FROM review_queue WHERE low_profile = ANY(%(ever)s::uuid[])
    UNION
    SELECT review_id FROM review_queue WHERE high_profile = ANY(%(ever)s::uuid[])
) near
WHERE q.review_id = near.review_id AND (
    q.low_profile = ANY(%(profiles)s::uuid[]) OR q.high_profile = ANY(%(profiles)s::uuid[])
    OR q.low_record = ANY(%(records)s::uuid[]) OR q.high_record = ANY(%(records)s::uuid[])
    OR jsonb_path_query_array(q.scoring_details, '$.**?(@.type() == "string")') ?| %(names)s::text[])

-- name: erase_merge_log
-- Entries of all profiles that ever held these records lose them: from the records that moved, from both snapshots (with the hashes
-- that they held), and from the evidence.
WITH entries AS (
    SELECT merge_log_id FROM identity_merge_log WHERE source_profile = ANY(%(ever)s::uuid[])
    UNION
    SELECT merge_log_id FROM identity_merge_log WHERE target_profile = ANY(%(ever)s::uuid[])
)
UPDATE identity_merge_log m
SET records = ARRAY(SELECT r FROM unnest(m.records) r WHERE r <> ALL(%(records)s::uuid[])),
    source_snapshot = without_person(m.source_snapshot, %(names)s, %(hashes)s),
    target_snapshot = without_person(m.target_snapshot, %(names)s, %(hashes)s),
    scoring_details = m.scoring_details || jsonb_build_object('evidence', coalesce((
        SELECT jsonb_agg(e) FROM jsonb_array_elements(m.scoring_details -> 'evidence') e
        WHERE e ->> 'low' <> ALL(%(names)s) AND e ->> 'high' <> ALL(%(names)s)), '[]'))
FROM entries WHERE m.merge_log_id = entries.merge_log_id AND (
    m.records && %(records)s::uuid[]
    OR m.source_snapshot -> 'records' ?| %(names)s::text[] OR m.target_snapshot -> 'records' ?| %(names)s::text[])
RETURNING m.merge_log_id

-- name: told_with
-- The entries of the merge log that the audit log names together with any of these: they are hashed as one.
SELECT DISTINCT o FROM audit_entry e, unnest(e.objects) o
WHERE e.objects <> '{}' AND e.objects && %(objects)s::text[] AND e.details ? 'merge_logs' AND o LIKE 'merge_log:%%'

-- name: erase_profiles
WITH gone AS (
    DELETE FROM customer_profile WHERE profile_id = ANY(%(profiles)s::uuid[]) RETURNING profile_id
), embedded AS (
    DELETE FROM profile_embedding WHERE profile_id = ANY(%(profiles)s::uuid[])
)
SELECT count(*) FROM gone

-- name: erase_letters
-- The keys of dead letters, and of raw events that became one on their way, so that nothing opens what is left of them.
DELETE FROM data_key WHERE owner_id = ANY(%(owners)s::uuid[])

-- name: hashes_of_records
-- The value hashes that these records hold.
SELECT DISTINCT type, value_hash FROM record_identifier WHERE record_id = ANY(%(records)s::uuid[])

-- name: hashes_nobody_holds
-- Hashes in snapshots of the merge log that no record holds any more, most of them under older versions of the keys: nobody can say
-- whose they are, so that they go with whomever an entry is cut for.
SELECT DISTINCT held.type, decode(held.hash, 'hex')
FROM (
    SELECT source_snapshot, target_snapshot FROM identity_merge_log WHERE source_profile = ANY(%(ever)s::uuid[])
    UNION ALL
    SELECT source_snapshot, target_snapshot FROM identity_merge_log WHERE target_profile = ANY(%(ever)s::uuid[])
) m
CROSS JOIN LATERAL (VALUES (source_snapshot), (target_snapshot)) s(snapshot)
CROSS JOIN LATERAL jsonb_array_elements(s.snapshot -> 'identifiers') i
CROSS JOIN LATERAL (VALUES (i ->> 0, i ->> 1)) held(type, hash)
WHERE s.snapshot ? 'identifiers'
  AND NOT EXISTS (SELECT FROM record_identifier r WHERE r.value_hash = decode(held.hash, 'hex') AND r.type = held.type)

-- name: forget_rekeyed
-- What a rotation remembers of match keys that nobody holds any more. Of those that stay worn it is needed.
DELETE FROM rekeyed k
WHERE k.old = ANY(%(keys)s::bigint[])
  AND NOT EXISTS (SELECT FROM match_key m WHERE m.key = k.old) AND NOT EXISTS (SELECT FROM match_key m WHERE m.key = k.new)
  AND NOT EXISTS (SELECT FROM worn_key w WHERE w.key = k.old) AND NOT EXISTS (SELECT FROM worn_key w WHERE w.key = k.new)

-- name: erased_among
-- Those of the ids that were of people who were forgotten.
SELECT profile_id FROM erased_profile WHERE profile_id = ANY(%s::uuid[])

-- name: write_erasure
INSERT INTO erasure (erasure_id, erased_at, actor, reason, request_id, api_key, receipt)
VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING

-- name: write_erased_profiles
INSERT INTO erased_profile (profile_id, erasure_id) SELECT unnest(%s::uuid[]), %s ON CONFLICT DO NOTHING

-- name: read_erasures
-- Receipts with the events that went, the oldest first.
SELECT receipt, ARRAY(SELECT event_id::text FROM event_index i WHERE i.erased_by = e.erasure_id ORDER BY event_id)
FROM erasure e ORDER BY erased_at, erasure_id

-- name: note_duplicates
-- Raw events that brought an event again. Those of an erased event lose their key at once.
WITH came AS (
    SELECT c.event_id, c.raw_id, i.erased_by IS NOT NULL AS erased, i.accepted_at
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
-- Schemas in which a replay decides beside the live house.
SELECT n.nspname FROM pg_namespace n WHERE EXISTS (
    SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = 'replay_kept')

-- name: standing_of_erased
-- How many profiles there are of ids that were erased, and events of those that were.
SELECT (SELECT count(*) FROM customer_profile WHERE profile_id = ANY(%(profiles)s::uuid[])),
       (SELECT count(*) FROM event_index i JOIN event e USING (event_id, accepted_at)
        WHERE i.erased_by = %(erasure)s)

-- name: customers_of_erased
-- The customers that events which were erased speak of, and whether all that these customers consist of are such events.
SELECT mine.profile_id, count(*) = count(*) FILTER (WHERE e.event_id = ANY(%(events)s::uuid[]))
FROM (
    SELECT DISTINCT r.profile_id FROM event_index i JOIN identity_record r USING (record_id)
    WHERE i.event_id = ANY(%(events)s::uuid[])
) mine
JOIN identity_record r USING (profile_id) JOIN event e USING (record_id)
GROUP BY mine.profile_id ORDER BY mine.profile_id

-- name: mark_erased
-- Events that are not there, and are not to come again.
INSERT INTO event_index (event_id, record_id, accepted_at, erased_by)
SELECT unnest(%(events)s::uuid[]), NULL, %(at)s, %(erasure)s
ON CONFLICT DO NOTHING

-- name: events_erased
-- The ids of the events that went with an erasure.
SELECT coalesce(array_agg(event_id::text), '{}') FROM event_index WHERE erased_by = %s

-- name: shred_shadow
-- The keys of what a replay made of their events, before these go.
DELETE FROM {shadow}.data_key k USING {shadow}.event_index i JOIN public.event e USING (event_id)
WHERE e.record_id = ANY(%(records)s::uuid[]) AND k.owner_id = i.record_id
