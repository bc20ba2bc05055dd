-- What an explanation is read from. Nothing here locks or writes.

-- name: explain_record
-- The profile a record stands in.
SELECT profile_id FROM identity_record WHERE record_id = %s

-- name: explain_profile
-- A profile, whether it was merged away or stands.
SELECT merged_into FROM customer_profile WHERE profile_id = %s

-- name: explain_evidence
-- The evidence kept between any two of these records, with the versions that weighed it.
SELECT e.low, e.high, e.weight, e.confidence, e.levels, e.veto, e.model_version, e.policy_version
FROM identity_evidence e
WHERE e.low = ANY(%(records)s::uuid[]) AND e.high = ANY(%(records)s::uuid[])

-- name: explain_merge_log
-- Merges, splits and rollbacks that moved any of these records or named any of these profiles, oldest first.
SELECT merge_log_id, kind, decided_at, source_profile, target_profile, records,
       ARRAY(SELECT jsonb_array_elements_text(source_snapshot -> 'records'))::uuid[],
       ARRAY(SELECT jsonb_array_elements_text(target_snapshot -> 'records'))::uuid[],
       scoring_details, actor, reason, rolled_back, model_version, policy_version
FROM identity_merge_log
WHERE source_profile = ANY(%(profiles)s::uuid[]) OR target_profile = ANY(%(profiles)s::uuid[])
ORDER BY decided_at, merge_log_id

-- name: explain_review
-- The latest review of two profiles.
SELECT model_version, policy_version FROM review_queue
WHERE low_profile = %(low)s AND high_profile = %(high)s
ORDER BY updated_at DESC LIMIT 1

-- name: explain_arrivals
-- The first event of each record: the decision it was stored with, and who sent it.
SELECT DISTINCT ON (record_id) record_id, committed_at, decision, reasons, source
FROM event WHERE record_id = ANY(%s::uuid[])
ORDER BY record_id, committed_at, event_id
