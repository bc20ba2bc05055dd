-- What the demo tells of its own events.

-- name: story_told
-- The merge that the demo undid before, if it did.
SELECT m.merge_log_id
FROM identity_merge_log m JOIN identity_merge_log u ON u.merge_log_id = m.rolled_back_by
WHERE u.actor = %(actor)s AND m.target_profile = ANY(%(profiles)s::uuid[])
ORDER BY u.decided_at LIMIT 1

-- name: story_candidates
-- Merges of two standing profiles into one of these, the last of their profile, and the records of both sides.
SELECT m.merge_log_id,
       ARRAY(SELECT jsonb_array_elements_text(m.source_snapshot -> 'records'))::uuid[],
       ARRAY(SELECT jsonb_array_elements_text(m.target_snapshot -> 'records'))::uuid[]
FROM identity_merge_log m
WHERE m.kind = 'merged' AND NOT m.rolled_back AND m.target_profile = ANY(%s::uuid[])
  AND jsonb_array_length(m.source_snapshot -> 'records') > 0
  AND jsonb_array_length(m.target_snapshot -> 'records') > 0
  AND NOT EXISTS (
      SELECT FROM identity_merge_log l
      WHERE l.target_profile = m.target_profile AND l.merge_log_id <> m.merge_log_id
        AND l.decided_at >= m.decided_at)
ORDER BY m.merge_log_id

-- name: story_of
-- A merge that was undone: both profiles before it, its evidence, the profile before the undoing, and when.
SELECT m.source_profile, m.source_snapshot, m.target_profile, m.target_snapshot, m.confidence_score,
       m.scoring_details, m.decided_at, u.source_snapshot AS merged, u.decided_at AS undone_at, u.reason
FROM identity_merge_log m JOIN identity_merge_log u ON u.merge_log_id = m.rolled_back_by
WHERE m.merge_log_id = %s

-- name: named_records
-- What their sources call these identity records, and how many events each has.
SELECT record_id, min(source_record_id), count(*) FROM event WHERE record_id = ANY(%s::uuid[]) GROUP BY record_id
