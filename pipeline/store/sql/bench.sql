-- What the benchmark reads.

-- name: latency_of
-- Median and 99th percentile of accepted -> committed in milliseconds, and the count, of the given events; those of people who were
-- forgotten since are counted by what the index keeps of them.
SELECT p.ms[1], p.ms[2], p.count
FROM (SELECT percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (
                 ORDER BY extract(epoch FROM e.committed_at - e.accepted_at)::float8 * 1000) AS ms,
             count(*) FILTER (WHERE e.raw_id IS NOT NULL OR i.erased_by IS NOT NULL) AS count
      FROM event_index i LEFT JOIN event e USING (event_id, accepted_at)
      WHERE i.event_id = ANY(%s::uuid[])) p

-- name: stages_read
-- How many messages each stage has read.
SELECT stage, sum(next_offset)::bigint FROM consumer_position GROUP BY stage

-- name: events_stored
-- How many events are stored with what was decided about them.
SELECT count(*) FROM event

-- name: bench_busiest
-- The customer of the most events.
SELECT r.profile_id FROM identity_record r JOIN event e USING (record_id) GROUP BY r.profile_id ORDER BY count(*) DESC LIMIT 1
