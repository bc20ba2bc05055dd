-- What customers granted and withdrew. Which of two words is the newer is said by pipeline/identity/consent.py.

-- name: state_consent
-- What events said. Of an event that is claimed once nothing can be there before.
INSERT INTO consent (record_id, event_id, purpose, state, at, source)
SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::timestamptz[], %s::text[])

-- name: consent_of_records
-- The last word on each purpose by way of each of these records; those by which nothing was said are missing.
SELECT DISTINCT ON (record_id, purpose) record_id, purpose, state, at, source
FROM consent WHERE record_id = ANY(%s::uuid[])
ORDER BY record_id, purpose, at DESC, state DESC, source COLLATE "C" DESC

-- name: consent_of_events
-- All that these events said; to a replay (replay.sql), that they said in the live house.
SELECT event_id, purpose, state, at, source FROM public.consent WHERE event_id = ANY(%s::uuid[])

-- name: consent_of_profiles
-- What holds of each purpose that anything was said of, of these profiles.
SELECT profile_id, purpose, state, at, source FROM profile_consent WHERE profile_id = ANY(%s::uuid[])

-- name: customer_consent
-- The same of one.
SELECT purpose, state, at, source FROM profile_consent WHERE profile_id = %(profile_id)s

-- name: customer_consent_history
-- What a profile granted and withdrew, the newest first.
SELECT c.purpose, c.state, c.at, c.source, c.event_id, c.record_id
FROM identity_record r JOIN consent c USING (record_id) WHERE r.profile_id = %(profile_id)s
ORDER BY c.at DESC, c.event_id DESC, c.purpose, c.state LIMIT %(most)s
