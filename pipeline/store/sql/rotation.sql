-- Keys rotate while events flow: what is found by one version's hashes is made ready under another's, switched, and cleared away.

-- name: insert_rekeyed
-- What match keys become. They come sorted, so that two who note the same cannot deadlock.
INSERT INTO rekeyed (old, new) SELECT * FROM unnest(%s::bigint[], %s::bigint[]) ON CONFLICT DO NOTHING

-- name: rekeyed_among
-- Those of the match keys that are called otherwise since the switch.
SELECT old, new FROM rekeyed WHERE old = ANY(%s::bigint[])

-- name: rotation_place
-- How far a rotation is in its step.
SELECT place FROM key_rotation

-- name: lock_rotation
-- Where a rotation is; one process at a time goes on with it. Who only reads is not held up.
SELECT looked_up, other, step, place FROM key_rotation FOR UPDATE

-- name: begin_rotation
UPDATE key_rotation SET looked_up = %(old)s, other = %(new)s, step = 'fill', place = '00000000-0000-0000-0000-000000000000'

-- name: advance_rotation
UPDATE key_rotation SET step = %(step)s, place = %(place)s

-- name: switch_keys
-- From now on records are found by what was made ready.
UPDATE key_rotation
SET looked_up = other, other = looked_up, step = 'evidence', place = '00000000-0000-0000-0000-000000000000'

-- name: end_rotation
UPDATE key_rotation SET other = NULL, step = NULL, place = '00000000-0000-0000-0000-000000000000'

-- name: records_to_rehash
-- The next records, sealed; no key where nobody can open one any more.
SELECT r.record_id, r.sealed, k.wrapped, k.key_version
FROM identity_record r LEFT JOIN data_key k ON k.owner_id = r.record_id
WHERE r.record_id > %(place)s ORDER BY r.record_id LIMIT %(limit)s

-- name: filed_under
-- Under which of these keys each of these records is filed, and the kinds of all its keys.
SELECT record_id, key, record_kinds FROM match_key
WHERE key = ANY(%(keys)s::bigint[]) AND record_id = ANY(%(records)s::uuid[])

-- name: file_also
-- File records under match keys, but for those that are there: whoever wrote a new record did it as well.
INSERT INTO match_key (key, record_kinds, person, likeness, record_id)
SELECT * FROM unnest(%s::bigint[], %s::int[], %s::int[], %s::bigint[], %s::uuid[]) n(key, record_kinds, person, likeness, record_id)
WHERE NOT EXISTS (SELECT FROM match_key m WHERE m.key = n.key AND m.record_id = n.record_id)

-- name: identify_also
INSERT INTO record_identifier (record_id, type, value_hash, hash_key_version)
SELECT * FROM unnest(%s::uuid[], %s::text[], %s::bytea[], %s::smallint[]) ON CONFLICT DO NOTHING

-- name: switch_wear
-- Limits that were crossed, by what their keys become. A key that becomes nothing nobody holds any more, and nobody can say what it was.
WITH gone AS (DELETE FROM worn_key w WHERE NOT EXISTS (SELECT FROM rekeyed k WHERE k.old = w.key))
UPDATE worn_key w SET key = k.new FROM rekeyed k WHERE k.old = w.key

-- name: switch_kept_wear
WITH gone AS (DELETE FROM kept_wear w WHERE NOT EXISTS (SELECT FROM rekeyed k WHERE k.old = w.key))
UPDATE kept_wear w SET key = k.new FROM rekeyed k WHERE k.old = w.key

-- name: switch_shared
WITH gone AS (DELETE FROM shared_identifier s WHERE NOT EXISTS (SELECT FROM rekeyed k WHERE k.old = s.key))
UPDATE shared_identifier s SET key = k.new FROM rekeyed k WHERE k.old = s.key

-- name: evidence_behind
-- All evidence of the next so many lower ends, or a few less; in its order.
SELECT low, high, via FROM identity_evidence
WHERE low > %(place)s AND low <= coalesce((
    SELECT low FROM identity_evidence WHERE low > %(place)s ORDER BY low OFFSET %(limit)s LIMIT 1
), 'ffffffff-ffff-ffff-ffff-ffffffffffff')
ORDER BY low, high

-- name: rename_via
-- The keys that evidence was found by, as they are called now; not where it was found anew meanwhile.
UPDATE identity_evidence e SET via = n.new
FROM unnest(%s::uuid[], %s::uuid[], %s::bytea[], %s::bytea[]) n(low, high, old, new)
WHERE e.low = n.low AND e.high = n.high AND e.via = n.old

-- name: drop_rekeyed
-- Match keys that nothing is found by any more.
WITH gone AS (
    DELETE FROM rekeyed WHERE old IN (SELECT old FROM rekeyed ORDER BY old LIMIT %s) RETURNING old
), cleared AS (
    DELETE FROM match_key m USING gone WHERE m.key = gone.old RETURNING 1
)
SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM cleared)

-- name: records_without_key
-- Records that nobody can open any more: what they were filed under nobody can say.
SELECT r.record_id FROM identity_record r WHERE NOT EXISTS (SELECT FROM data_key k WHERE k.owner_id = r.record_id)

-- name: drop_identifiers
-- Value hashes of the next records under a version that nothing is found by any more; returns the last of these records.
WITH page AS (
    SELECT record_id FROM identity_record WHERE record_id > %(place)s ORDER BY record_id LIMIT %(limit)s
), gone AS (
    DELETE FROM record_identifier i USING page WHERE i.record_id = page.record_id AND i.hash_key_version = %(version)s
)
SELECT record_id, (SELECT count(*) FROM page) FROM page ORDER BY record_id DESC LIMIT 1

-- name: profiles_to_announce
SELECT profile_id FROM customer_profile WHERE profile_id > %(place)s AND NOT is_merged ORDER BY profile_id LIMIT %(limit)s

-- name: raise_versions
UPDATE customer_profile SET version = version + 1, updated_at = %(now)s WHERE profile_id = ANY(%(profiles)s::uuid[])

-- name: data_keys_to_rewrap
-- The next data keys that are wrapped under another version.
SELECT owner_id, wrapped, key_version FROM data_key
WHERE owner_id > %(place)s AND key_version <> %(version)s ORDER BY owner_id LIMIT %(limit)s

-- name: rewrap_data_keys
-- Keys that were destroyed meanwhile stay so.
UPDATE data_key k SET wrapped = n.wrapped, key_version = %(version)s
FROM unnest(%(owners)s::uuid[], %(old)s::bytea[], %(wrapped)s::bytea[]) n(owner_id, old, wrapped)
WHERE k.owner_id = n.owner_id AND k.wrapped = n.old

-- name: left_to_rehash
SELECT count(*) FROM identity_record WHERE record_id > %(place)s

-- name: left_to_rename
SELECT count(*) FROM identity_evidence WHERE low > %(place)s

-- name: left_to_drop
SELECT count(*) FROM rekeyed

-- name: left_to_announce
SELECT count(*) FROM customer_profile WHERE profile_id > %(place)s AND NOT is_merged

-- name: left_to_rewrap
SELECT count(*) FROM data_key WHERE owner_id > %(place)s AND key_version <> %(version)s

-- name: resting_on
-- What rests on a version: data keys that it wraps, value hashes, and match keys that are still to be removed.
SELECT (SELECT count(*) FROM data_key WHERE key_version = %(version)s),
       (SELECT count(*) FROM record_identifier WHERE hash_key_version = %(version)s),
       (SELECT count(*) FROM rekeyed k JOIN match_key m ON m.key = k.old)

-- name: resting_in_shadow
SELECT count(*) FROM {shadow}.data_key WHERE key_version = %s

-- name: normalized_letters
-- Dead letters of normalized events that can be opened.
SELECT l.dead_letter_id FROM dead_letter l JOIN data_key k ON k.owner_id = l.dead_letter_id WHERE l.topic = 'events.normalized'
