-- What stewards said: read, and taken back.

-- name: read_constraints
-- The newest first, before a place where one is given; of a profile (or the one it was merged into), kind, steward or review, and
-- only those revoked or only those standing, where given. Beside the records of either side the profiles they stand in by now.
WITH RECURSIVE chain(profile_id, merged_into) AS (
    SELECT profile_id, merged_into FROM customer_profile WHERE profile_id = %(profile_id)s::uuid
    UNION
    SELECT p.profile_id, p.merged_into FROM chain JOIN customer_profile p ON p.profile_id = chain.merged_into
), mine AS MATERIALIZED (
    SELECT array_agg(r.record_id) AS records
    FROM chain JOIN identity_record r USING (profile_id) WHERE chain.merged_into IS NULL
), page AS (
    SELECT c.* FROM identity_constraint c CROSS JOIN mine
    WHERE (%(profile_id)s::uuid IS NULL OR c.left_records && mine.records OR c.right_records && mine.records)
      AND (%(kind)s::text IS NULL OR c.kind = %(kind)s)
      AND (%(actor)s::text IS NULL OR c.actor = %(actor)s)
      AND (%(review_id)s::uuid IS NULL OR c.review_id = %(review_id)s)
      AND (%(revoked)s::boolean IS NULL OR (c.revoked_at IS NOT NULL) = %(revoked)s)
      AND (c.created_at, c.constraint_id) < (%(at)s::timestamptz, %(id)s::uuid)
    ORDER BY c.created_at DESC, c.constraint_id DESC LIMIT %(limit)s
)
SELECT c.constraint_id, c.kind, c.left_records, c.right_records,
       ARRAY(SELECT DISTINCT r.profile_id FROM identity_record r WHERE r.record_id = ANY(c.left_records) ORDER BY 1) AS left_profiles,
       ARRAY(SELECT DISTINCT r.profile_id FROM identity_record r WHERE r.record_id = ANY(c.right_records) ORDER BY 1) AS right_profiles,
       c.actor, c.reason, c.created_at, c.review_id, q.kind AS review_kind, c.revoked_at, c.revoked_by, c.revoke_reason,
       constraint_etag(c.constraint_id, c.revoked_at, c.left_records, c.right_records) AS etag
FROM page c LEFT JOIN review_queue q USING (review_id)
ORDER BY c.created_at DESC, c.constraint_id DESC

-- name: read_constraint
-- One of them.
SELECT c.constraint_id, c.kind, c.left_records, c.right_records,
       ARRAY(SELECT DISTINCT r.profile_id FROM identity_record r WHERE r.record_id = ANY(c.left_records) ORDER BY 1) AS left_profiles,
       ARRAY(SELECT DISTINCT r.profile_id FROM identity_record r WHERE r.record_id = ANY(c.right_records) ORDER BY 1) AS right_profiles,
       c.actor, c.reason, c.created_at, c.review_id, q.kind AS review_kind, c.revoked_at, c.revoked_by, c.revoke_reason,
       constraint_etag(c.constraint_id, c.revoked_at, c.left_records, c.right_records) AS etag
FROM identity_constraint c LEFT JOIN review_queue q USING (review_id)
WHERE c.constraint_id = %(constraint_id)s

-- name: constraints_to_revoke
-- A constraint and all that answer the same review, locked so that each is revoked once. By ascending id, as every lock.
SELECT constraint_id, kind, left_records, right_records, review_id, revoked_at, revoked_by,
    constraint_etag(constraint_id, revoked_at, left_records, right_records)
FROM identity_constraint
WHERE constraint_id = %(constraint_id)s
   OR review_id = (SELECT review_id FROM identity_constraint WHERE constraint_id = %(constraint_id)s)
ORDER BY constraint_id FOR NO KEY UPDATE

-- name: revoke_constraints
UPDATE identity_constraint SET revoked_at = %(now)s, revoked_by = %(actor)s, revoke_reason = %(reason)s
WHERE constraint_id = ANY(%(constraints)s::uuid[])

-- name: review_answered
-- What a review asked, and of whom.
SELECT kind, low_profile, high_profile FROM review_queue WHERE review_id = %s

-- name: merges_of_constraints
-- The merges that must-links made: logged by the same act, of records that they name. With the records that either profile had
-- before.
SELECT m.merge_log_id, m.source_profile, m.target_profile, m.source_snapshot -> 'records', m.target_snapshot -> 'records'
FROM identity_constraint c
JOIN identity_merge_log m ON m.decided_at = c.created_at AND m.actor = c.actor AND m.reason = c.reason
WHERE c.constraint_id = ANY(%s::uuid[]) AND c.kind = 'must_link' AND m.kind = 'merged'
  AND m.records <@ (c.left_records || c.right_records)
