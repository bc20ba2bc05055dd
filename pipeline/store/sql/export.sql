-- What leaves the house as files, and what tells a sender that its events arrived.

-- name: clusters
-- Each record a source named, or else each event, and the profile it belongs to now. A record whose events ended up in
-- different profiles (its content changed) belongs to the one its newest event is in; one that names nobody stands
-- alone under its event id.
SELECT DISTINCT ON (e.source, external_id)
       coalesce(e.source_record_id, e.event_id::text) AS external_id, coalesce(r.profile_id, e.event_id)
FROM event e LEFT JOIN identity_record r USING (record_id)
WHERE %(sources)s::text[] IS NULL OR e.source = ANY(%(sources)s::text[])
ORDER BY e.source, external_id, r.profile_id IS NULL, e.occurred_at DESC, e.event_id

-- name: clusters_of
-- The same, of given sources' records only.
SELECT DISTINCT ON (e.source_record_id) e.source_record_id, r.profile_id
FROM event_index i JOIN event e USING (event_id, accepted_at) JOIN identity_record r ON r.record_id = e.record_id
WHERE i.event_id = ANY(%s::uuid[]) AND e.source_record_id IS NOT NULL
ORDER BY e.source_record_id, e.occurred_at DESC, e.event_id

-- name: events_missing
-- Those of the given events that are not committed.
SELECT w.event_id FROM unnest(%s::uuid[]) w(event_id)
WHERE NOT EXISTS (SELECT FROM event_index i WHERE i.event_id = w.event_id)

-- name: outcome_of
-- The given events by what was decided when they came, and how many of them name somebody.
SELECT e.decision, count(*), count(e.record_id)
FROM event_index i JOIN event e USING (event_id, accepted_at)
WHERE i.event_id = ANY(%s::uuid[]) GROUP BY e.decision

-- name: profiles_of_events
-- The profiles the given events are in, with their versions.
SELECT p.profile_id, p.version
FROM (SELECT DISTINCT r.profile_id
      FROM event_index i JOIN identity_record r USING (record_id) WHERE i.event_id = ANY(%s::uuid[])) mine
JOIN customer_profile p USING (profile_id)

-- name: records_of_events
-- How many identity records the given events are.
SELECT count(DISTINCT record_id) FROM event_index WHERE event_id = ANY(%s::uuid[])

-- name: reviews_of_profiles
-- Pending reviews with an end in the given profiles.
SELECT count(*) FROM review_queue
WHERE status = 'pending' AND (low_profile = ANY(%(profiles)s::uuid[]) OR high_profile = ANY(%(profiles)s::uuid[]))

-- name: merges_of_events
-- Merges that moved records of the given events, and how many of them were undone.
SELECT count(DISTINCT m.merge_log_id), count(DISTINCT m.merge_log_id) FILTER (WHERE m.rolled_back)
FROM identity_merge_log m CROSS JOIN LATERAL unnest(m.records) moved(record_id)
WHERE m.kind = 'merged'
  AND moved.record_id IN (SELECT i.record_id FROM event_index i WHERE i.event_id = ANY(%s::uuid[]))
