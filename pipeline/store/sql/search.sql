-- Customers found by conditions. A page goes on behind the last profile that was looked at, in the order of ids: new customers get
-- greater ids, so that they come last.

-- name: limit_reading
-- Whoever reads for a caller who waits gives up after a while.
SET LOCAL statement_timeout = '5s'

-- name: search_everyone
-- The next profiles, those merged away included: `merged` ones are passed over, and counted, so that each step is short.
SELECT profile_id, is_merged AS merged FROM customer_profile
WHERE profile_id > %(after)s::uuid ORDER BY profile_id LIMIT %(most)s

-- name: search_holders
-- The next profiles that hold one of the wanted identifiers; whether they hold all of them is a condition.
SELECT DISTINCT r.profile_id, false AS merged
FROM unnest(%(types)s::text[], %(hashes)s::bytea[]) w(type, value_hash)
JOIN record_identifier i USING (type, value_hash)
JOIN identity_record r USING (record_id)
WHERE r.profile_id > %(after)s::uuid ORDER BY r.profile_id LIMIT %(most)s

-- name: search_reviewed
-- The next profiles of which a review is open.
SELECT profile_id, false AS merged FROM (
    (SELECT low_profile AS profile_id FROM review_queue
     WHERE status = 'pending' AND low_profile > %(after)s::uuid ORDER BY low_profile LIMIT %(most)s)
    UNION
    (SELECT high_profile FROM review_queue
     WHERE status = 'pending' AND high_profile > %(after)s::uuid ORDER BY high_profile LIMIT %(most)s)
) reviewed
ORDER BY profile_id LIMIT %(most)s

-- name: search_fitting
-- Those of the given profiles that fit every condition; a condition that is null or empty is none. Each is looked up by index: the
-- profile's records, their identifiers, its open reviews. `want` numbers the identifiers: each comes hashed by every version of the keys.
SELECT p.profile_id
FROM unnest(%(profiles)s::uuid[]) given(profile_id)
JOIN customer_profile p USING (profile_id)
CROSS JOIN LATERAL (
    SELECT max(r.last_seen) AS last_seen, coalesce(bool_or(r.sources @> ARRAY[%(source)s::text]), false) AS by_source
    FROM identity_record r WHERE r.profile_id = p.profile_id
) seen
WHERE NOT p.is_merged
  AND (%(source)s::text IS NULL OR seen.by_source)
  AND (%(last_seen_from)s::timestamptz IS NULL OR seen.last_seen >= %(last_seen_from)s)
  AND (%(last_seen_before)s::timestamptz IS NULL OR seen.last_seen < %(last_seen_before)s)
  AND (%(created_from)s::timestamptz IS NULL OR p.created_at >= %(created_from)s)
  AND (%(created_before)s::timestamptz IS NULL OR p.created_at < %(created_before)s)
  AND (%(has_open_review)s::boolean IS NULL OR %(has_open_review)s = (
      EXISTS (SELECT FROM review_queue q WHERE q.status = 'pending' AND q.low_profile = p.profile_id)
      OR EXISTS (SELECT FROM review_queue q WHERE q.status = 'pending' AND q.high_profile = p.profile_id)))
  AND NOT EXISTS (
      SELECT FROM unnest(%(identifier_types)s::text[]) t(type)
      WHERE NOT EXISTS (
          SELECT FROM identity_record r JOIN record_identifier i USING (record_id)
          WHERE r.profile_id = p.profile_id AND i.type = t.type))
  AND NOT EXISTS (
      SELECT FROM unnest(%(types)s::text[], %(hashes)s::bytea[], %(wants)s::int[]) w(type, value_hash, want)
      GROUP BY w.want
      HAVING NOT bool_or(EXISTS (
          SELECT FROM record_identifier i JOIN identity_record r USING (record_id)
          WHERE i.type = w.type AND i.value_hash = w.value_hash AND r.profile_id = p.profile_id)))
ORDER BY p.profile_id
