-- What is due by the rules of retention: planned, then enforced in batches. Times and ends are those of the plan, so that whatever comes
-- meanwhile is left alone.

-- name: retention_due
-- Events that are due, by month and type: those that go, those that stay as something rests on them, and bodies that can be opened still.
SELECT to_char(e.accepted_at AT TIME ZONE 'UTC', 'YYYYMM') AS month, e.event_type,
       count(*) FILTER (WHERE s.spent), count(*) FILTER (WHERE NOT s.spent), count(k.owner_id)
FROM event e LEFT JOIN data_key k ON k.owner_id = e.raw_id
CROSS JOIN LATERAL (SELECT nothing_rests_on(e.event_id, e.record_id, e.occurred_at) AS spent OFFSET 0) s
WHERE e.accepted_at < retention_end(e.event_type, %(types)s::text[], %(ends)s::text[]::timestamptz[], %(otherwise)s::text::timestamptz)
  AND (s.spent OR k.owner_id IS NOT NULL)
GROUP BY 1, 2 ORDER BY 1, 2

-- name: retention_bodies
-- Bodies that are due by their own rule and can be opened still, by month.
SELECT to_char(w.accepted_at AT TIME ZONE 'UTC', 'YYYYMM') AS month, count(*)
FROM customer_raw_event w JOIN data_key k ON k.owner_id = w.raw_id
WHERE w.accepted_at < %(bodies)s::text::timestamptz GROUP BY 1 ORDER BY 1

-- name: retention_event_months
-- Months of which every event goes.
SELECT to_char(e.accepted_at AT TIME ZONE 'UTC', 'YYYYMM') AS month FROM event e
WHERE e.accepted_at < %(latest)s::text::timestamptz
GROUP BY 1
HAVING bool_and(e.accepted_at < retention_end(e.event_type, %(types)s::text[], %(ends)s::text[]::timestamptz[], %(otherwise)s::text::timestamptz)
                AND nothing_rests_on(e.event_id, e.record_id, e.occurred_at))
   AND to_date(to_char(min(e.accepted_at) AT TIME ZONE 'UTC', 'YYYYMM'), 'YYYYMM') + interval '1 month' <= %(latest)s::text::timestamptz
ORDER BY 1

-- name: retention_raw_months
-- Months of which no raw event can be opened afterwards.
SELECT to_char(w.accepted_at AT TIME ZONE 'UTC', 'YYYYMM') AS month
FROM customer_raw_event w LEFT JOIN data_key k ON k.owner_id = w.raw_id
LEFT JOIN event e ON e.raw_id = w.raw_id
    AND e.accepted_at > w.accepted_at - interval '1 millisecond' AND e.accepted_at < w.accepted_at + interval '1 millisecond'
WHERE w.accepted_at < %(latest)s::text::timestamptz
GROUP BY 1
HAVING bool_and(k.owner_id IS NULL OR w.accepted_at < %(bodies)s::text::timestamptz OR coalesce(
           e.accepted_at < retention_end(e.event_type, %(types)s::text[], %(ends)s::text[]::timestamptz[], %(otherwise)s::text::timestamptz), false))
   AND to_date(to_char(min(w.accepted_at) AT TIME ZONE 'UTC', 'YYYYMM'), 'YYYYMM') + interval '1 month' <= %(latest)s::text::timestamptz
ORDER BY 1

-- name: retention_customers
-- Customers none of whose records was seen since.
SELECT p.profile_id FROM customer_profile p
WHERE NOT p.is_merged AND EXISTS (SELECT FROM identity_record r WHERE r.profile_id = p.profile_id)
  AND NOT EXISTS (SELECT FROM identity_record r WHERE r.profile_id = p.profile_id AND r.last_seen >= %(customers)s::text::timestamptz)
ORDER BY p.profile_id LIMIT %(most)s

-- name: keep_retention_plan
INSERT INTO retention_run (plan_id, planned_at, plan, run_id) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING

-- name: retention_run
-- A plan and what was done of it, locked: one process at a time goes on with it.
SELECT planned_at, plan, done, run_id, finished_at FROM retention_run WHERE plan_id = %s FOR UPDATE

-- name: retention_runs
-- Plans that were begun, the newest first.
SELECT plan_id, planned_at, plan, done, finished_at, actor, reason FROM retention_run WHERE done <> '{}' OR finished_at IS NOT NULL
ORDER BY planned_at DESC, plan_id LIMIT 100

-- name: note_retention
UPDATE retention_run SET done = %(done)s, finished_at = %(finished)s, actor = %(actor)s, reason = %(reason)s WHERE plan_id = %(plan)s

-- name: retention_mark
-- Some events of a month that go: their ids stay, marked, so that they are known should they come again; what opens their raw events,
-- those that brought one again included, is destroyed. Whose vectors rest on them is noted.
WITH due AS (
    SELECT e.event_id, e.raw_id, e.record_id, e.items IS NOT NULL AS bought
    FROM event e JOIN event_index i USING (event_id)
    WHERE e.accepted_at >= %(start)s AND e.accepted_at < %(end)s AND e.committed_at <= %(planned)s AND i.erased_by IS NULL
      AND e.accepted_at < retention_end(e.event_type, %(types)s::text[], %(ends)s::text[]::timestamptz[], %(otherwise)s::text::timestamptz)
      AND nothing_rests_on(e.event_id, e.record_id, e.occurred_at)
    LIMIT %(most)s
), marked AS (
    UPDATE event_index i SET record_id = NULL, erased_by = %(run)s FROM due WHERE i.event_id = due.event_id RETURNING 1
), again AS (
    DELETE FROM duplicate_event d USING due WHERE d.event_id = due.event_id RETURNING d.raw_id
), keys AS (
    DELETE FROM data_key k USING (SELECT raw_id FROM due UNION SELECT raw_id FROM again) r WHERE k.owner_id = r.raw_id RETURNING 1
), vectors AS (
    INSERT INTO embedding_due SELECT DISTINCT r.profile_id FROM due JOIN identity_record r USING (record_id) WHERE due.bought
)
SELECT (SELECT count(*) FROM marked), (SELECT count(*) FROM keys)

-- name: retention_left
-- How many events of a month stay.
SELECT count(*) FROM event e JOIN event_index i USING (event_id)
WHERE e.accepted_at >= %(start)s AND e.accepted_at < %(end)s AND i.erased_by IS DISTINCT FROM %(run)s

-- name: retention_delete
-- Some events that were marked.
DELETE FROM event e USING (
    SELECT e.accepted_at, e.event_id FROM event e JOIN event_index i USING (event_id)
    WHERE e.accepted_at >= %(start)s AND e.accepted_at < %(end)s AND i.erased_by = %(run)s LIMIT %(most)s
) gone WHERE e.accepted_at = gone.accepted_at AND e.event_id = gone.event_id

-- name: retention_shred
-- The keys of some bodies of a month: those due by their own rule, and those of events that are due and stay.
DELETE FROM data_key WHERE owner_id IN (
    SELECT w.raw_id FROM customer_raw_event w JOIN data_key k ON k.owner_id = w.raw_id
    LEFT JOIN event e ON e.raw_id = w.raw_id
        AND e.accepted_at > w.accepted_at - interval '1 millisecond' AND e.accepted_at < w.accepted_at + interval '1 millisecond'
    WHERE w.accepted_at >= %(start)s AND w.accepted_at < %(end)s AND (w.accepted_at < %(bodies)s::text::timestamptz OR (
        e.committed_at <= %(planned)s
        AND e.accepted_at < retention_end(e.event_type, %(types)s::text[], %(ends)s::text[]::timestamptz[], %(otherwise)s::text::timestamptz)))
    LIMIT %(most)s)

-- name: retention_opens
-- How many raw events of a month can be opened.
SELECT count(*) FROM customer_raw_event w JOIN data_key k ON k.owner_id = w.raw_id
WHERE w.accepted_at >= %(start)s AND w.accepted_at < %(end)s

-- name: wait_for_partition
-- Dropping a partition waits for who reads the table, and everybody else for that: not for long.
SELECT set_config('lock_timeout', '5s', true)

-- name: drop_month
DROP TABLE IF EXISTS {partition}
