-- What the checker of the fault campaign reads: whole tables, and from the tables themselves, not through the house's views.

-- name: faults_events
-- Every event id that was acknowledged, claimed or stored: how many rows it has, the record and decision of one of them,
-- whether it is claimed and for which record, and whether the record exists.
SELECT event_id::text, acknowledged.event_id IS NOT NULL, coalesce(e.rows, 0), e.record_id::text, e.decision,
       i.event_id IS NOT NULL, i.record_id::text, e.record_id IS NULL OR r.record_id IS NOT NULL
FROM (SELECT DISTINCT unnest(%s::uuid[]) AS event_id) acknowledged
FULL JOIN (SELECT event_id, record_id FROM event_index) i USING (event_id)
FULL JOIN (
    SELECT event_id, count(*) AS rows, min(record_id::text)::uuid AS record_id, min(decision) AS decision
    FROM event GROUP BY event_id
) e USING (event_id)
LEFT JOIN identity_record r ON r.record_id = e.record_id
ORDER BY event_id

-- name: faults_profiles
-- Every profile with its records and hashed identifiers, of several key versions the highest.
SELECT p.profile_id::text, p.version, p.is_merged, p.merged_into::text, p.golden, r.records, i.identifiers
FROM customer_profile p
LEFT JOIN (
    SELECT profile_id, array_agg(record_id::text) AS records FROM identity_record GROUP BY profile_id
) r USING (profile_id)
LEFT JOIN (
    SELECT profile_id, array_agg(identifier || ' ' || key_version) AS identifiers
    FROM (
        SELECT o.profile_id, h.type || ' ' || encode(h.value_hash, 'hex') AS identifier,
               max(h.hash_key_version) AS key_version
        FROM current_identifier h JOIN identity_record o USING (record_id)
        GROUP BY o.profile_id, h.type, h.value_hash
    ) held_by GROUP BY profile_id
) i USING (profile_id)
ORDER BY p.profile_id

-- name: faults_exclusive
-- Of live profiles that are not held and have several values of an exclusive type: the values of each record.
WITH exclusive AS (
    SELECT o.profile_id, h.type, o.record_id, array_agg(encode(h.value_hash, 'hex')) AS hashes
    FROM current_identifier h
    JOIN identity_record o USING (record_id)
    JOIN customer_profile p USING (profile_id)
    WHERE h.type = ANY(%s::text[]) AND NOT p.is_merged AND NOT p.held
    GROUP BY o.profile_id, h.type, o.record_id
), several AS (
    SELECT profile_id, type FROM exclusive, unnest(hashes) hash
    GROUP BY profile_id, type HAVING count(DISTINCT hash) > 1
)
SELECT profile_id::text, type, record_id::text, hashes
FROM exclusive JOIN several USING (profile_id, type)
ORDER BY profile_id, type, record_id

-- name: faults_must_links
-- The records that each standing must-link holds together.
SELECT ARRAY(SELECT unnest(left_records || right_records)::text)
FROM identity_constraint WHERE kind = 'must_link' AND revoked_at IS NULL

-- name: faults_orders
-- Every order with items and who it is of.
SELECT r.profile_id::text, e.occurred_at, e.event_id::text, e.items
FROM event e JOIN identity_record r USING (record_id) WHERE e.order_amount IS NOT NULL

-- name: faults_embeddings
-- Every vector, by profile.
SELECT profile_id::text, embedding::vector::real[] FROM profile_embedding

-- name: faults_outbox
-- How many messages were committed and not published.
SELECT coalesce(sum(cardinality(keys)), 0)::bigint FROM outbox

-- name: faults_positions
-- How far each stage has come.
SELECT stage, topic, partition, next_offset FROM consumer_position

-- name: faults_set_back
-- Sets each position of a stage back by so many messages: it reads them again.
UPDATE consumer_position SET next_offset = greatest(next_offset - %s, 0), updated_at = now() WHERE stage = %s

-- name: faults_constraints
-- What stewards said, and whether they took it back.
SELECT kind, left_records::text[], right_records::text[], reason, review_id::text, revoked_at IS NOT NULL
FROM identity_constraint

-- name: faults_revoked
-- Why what was said was taken back.
SELECT constraint_id::text, revoke_reason FROM identity_constraint WHERE revoked_at IS NOT NULL

-- name: faults_reviews
-- Every review and how it stands.
SELECT review_id::text, kind, status FROM review_queue

-- name: faults_merge_log
-- Every entry of the merge log: why, and which entry undid it.
SELECT merge_log_id::text, reason, rolled_back_by::text FROM identity_merge_log
