-- What stewards did, as the audit log has it.

-- name: read_steward_actions
-- The newest first; of one steward, kind, profile or review, and from a time on, where given.
SELECT action_id, acted_at, actor, act, in_bulk, review_id, profiles, merge_log_ids, details, reason, request_id, api_key
FROM steward_action
WHERE (%(actor)s::text IS NULL OR actor = %(actor)s)
  AND (%(act)s::text IS NULL OR act = %(act)s)
  AND (%(profile_id)s::uuid IS NULL OR (profiles <> '{}' AND profiles @> ARRAY[%(profile_id)s]))
  AND (%(review_id)s::uuid IS NULL OR (objects <> '{}' AND objects @> ARRAY['review:' || %(review_id)s]))
  AND (%(since)s::timestamptz IS NULL OR acted_at >= %(since)s)
ORDER BY action_id DESC
LIMIT %(limit)s OFFSET %(offset)s

-- name: count_steward_actions
-- How many rows `read_steward_actions` has on all pages.
SELECT count(*) AS total FROM steward_action
WHERE (%(actor)s::text IS NULL OR actor = %(actor)s)
  AND (%(act)s::text IS NULL OR act = %(act)s)
  AND (%(profile_id)s::uuid IS NULL OR (profiles <> '{}' AND profiles @> ARRAY[%(profile_id)s]))
  AND (%(review_id)s::uuid IS NULL OR (objects <> '{}' AND objects @> ARRAY['review:' || %(review_id)s]))
  AND (%(since)s::timestamptz IS NULL OR acted_at >= %(since)s)
