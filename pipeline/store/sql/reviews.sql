-- Reviews as stewards read them, give them to each other and put them aside.

-- name: read_reviews
-- The review queue, the likeliest first; those that were put aside until after `now` only where they are asked for.
SELECT q.review_id, q.kind, q.low_profile, q.high_profile, q.low_record, q.high_record, q.status, q.reason,
       q.confidence_score, q.scoring_details, q.model_version, q.policy_version, q.created_at, q.updated_at,
       answer.actor AS answered_by, answer.reason AS answer_reason, answer.constraint_id, answer.revoked_by, answer.revoke_reason,
       q.assigned_to, q.skipped_until, q.skip_reason,
       review_etag(q.review_id, q.status, q.updated_at, q.revision) AS etag
FROM review_queue q
LEFT JOIN LATERAL (
    SELECT c.actor, c.reason, c.constraint_id, c.revoked_by, c.revoke_reason
    FROM identity_constraint c WHERE c.review_id = q.review_id ORDER BY c.constraint_id LIMIT 1
) answer ON true
WHERE q.status = %(status)s
  AND (%(kind)s::text IS NULL OR q.kind = %(kind)s)
  AND (%(assigned_to)s::text IS NULL OR q.assigned_to = %(assigned_to)s)
  AND (NOT %(unassigned)s::boolean OR q.assigned_to IS NULL)
  AND (%(reason)s::text IS NULL OR q.reason = %(reason)s)
  AND (%(profile_id)s::uuid IS NULL OR %(profile_id)s IN (q.low_profile, q.high_profile))
  AND (%(min_score)s::float8 IS NULL OR q.confidence_score >= %(min_score)s)
  AND (%(max_score)s::float8 IS NULL OR q.confidence_score <= %(max_score)s)
  AND (q.status <> 'pending' OR %(skipped)s::text = 'include'
       OR coalesce(q.skipped_until > %(now)s::timestamptz, false) = (%(skipped)s = 'only'))
ORDER BY q.confidence_score DESC, q.review_id
LIMIT %(limit)s OFFSET %(offset)s

-- name: count_reviews
-- How many rows `read_reviews` has on all pages.
SELECT count(*) AS total FROM review_queue q
WHERE q.status = %(status)s
  AND (%(kind)s::text IS NULL OR q.kind = %(kind)s)
  AND (%(assigned_to)s::text IS NULL OR q.assigned_to = %(assigned_to)s)
  AND (NOT %(unassigned)s::boolean OR q.assigned_to IS NULL)
  AND (%(reason)s::text IS NULL OR q.reason = %(reason)s)
  AND (%(profile_id)s::uuid IS NULL OR %(profile_id)s IN (q.low_profile, q.high_profile))
  AND (%(min_score)s::float8 IS NULL OR q.confidence_score >= %(min_score)s)
  AND (%(max_score)s::float8 IS NULL OR q.confidence_score <= %(max_score)s)
  AND (q.status <> 'pending' OR %(skipped)s::text = 'include'
       OR coalesce(q.skipped_until > %(now)s::timestamptz, false) = (%(skipped)s = 'only'))

-- name: read_review
-- One of them.
SELECT q.review_id, q.kind, q.low_profile, q.high_profile, q.low_record, q.high_record, q.status, q.reason,
       q.confidence_score, q.scoring_details, q.model_version, q.policy_version, q.created_at, q.updated_at,
       answer.actor AS answered_by, answer.reason AS answer_reason, answer.constraint_id, answer.revoked_by, answer.revoke_reason,
       q.assigned_to, q.skipped_until, q.skip_reason,
       review_etag(q.review_id, q.status, q.updated_at, q.revision) AS etag
FROM review_queue q
LEFT JOIN LATERAL (
    SELECT c.actor, c.reason, c.constraint_id, c.revoked_by, c.revoke_reason
    FROM identity_constraint c WHERE c.review_id = q.review_id ORDER BY c.constraint_id LIMIT 1
) answer ON true
WHERE q.review_id = %(review_id)s

-- name: lock_review
-- For whom and for what a review waits, and nobody changes it until the end of the transaction. Whoever decides about profiles
-- locks those first; whoever locks a review here locks nothing after it.
SELECT kind, status, updated_at, review_etag(review_id, status, updated_at, revision), assigned_to, skipped_until, skip_reason,
    low_profile, high_profile
FROM review_queue WHERE review_id = %s FOR NO KEY UPDATE

-- name: assign_review
UPDATE review_queue SET assigned_to = %s, revision = revision + 1 WHERE review_id = %s

-- name: skip_review
UPDATE review_queue SET skipped_until = %s, skip_reason = %s, revision = revision + 1 WHERE review_id = %s
