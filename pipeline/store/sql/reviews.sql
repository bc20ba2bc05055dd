-- Reviews as they are read, by stewards and programs of theirs.

-- name: read_reviews
-- The review queue, the likeliest first; of one kind where given.
SELECT q.review_id, q.kind, q.low_profile, q.high_profile, q.low_record, q.high_record, q.status, q.reason,
       q.confidence_score, q.scoring_details, q.model_version, q.policy_version, q.created_at, q.updated_at,
       answer.actor AS answered_by, answer.reason AS answer_reason,
       review_etag(q.review_id, q.status, q.updated_at, q.revision) AS etag
FROM review_queue q
LEFT JOIN LATERAL (
    SELECT c.actor, c.reason FROM identity_constraint c WHERE c.review_id = q.review_id LIMIT 1
) answer ON true
WHERE q.status = %(status)s AND (%(kind)s::text IS NULL OR q.kind = %(kind)s)
ORDER BY q.confidence_score DESC, q.review_id
LIMIT %(limit)s OFFSET %(offset)s

-- name: count_reviews
-- How many rows `read_reviews` has on all pages.
SELECT count(*) AS total FROM review_queue q
WHERE q.status = %(status)s AND (%(kind)s::text IS NULL OR q.kind = %(kind)s)

-- name: read_review
-- One of them.
SELECT q.review_id, q.kind, q.low_profile, q.high_profile, q.low_record, q.high_record, q.status, q.reason,
       q.confidence_score, q.scoring_details, q.model_version, q.policy_version, q.created_at, q.updated_at,
       answer.actor AS answered_by, answer.reason AS answer_reason,
       review_etag(q.review_id, q.status, q.updated_at, q.revision) AS etag
FROM review_queue q
LEFT JOIN LATERAL (
    SELECT c.actor, c.reason FROM identity_constraint c WHERE c.review_id = q.review_id LIMIT 1
) answer ON true
WHERE q.review_id = %(review_id)s
