-- The audit log: entries, written with what they tell of, and the chain that is made of them.

-- name: insert_audit_entries
-- Writes entries, with a hash of the entries of the merge log that they name, and has them chained; by which insert.
WITH written AS (
    INSERT INTO audit_entry (at, actor, action, profiles, objects, reason, request_id, api_key, api_key_id, details)
    SELECT g.at, g.actor, g.action, g.profiles, g.objects, g.reason, g.request_id, g.api_key, g.api_key_id,
           CASE WHEN NOT EXISTS (SELECT FROM unnest(g.objects) o WHERE o LIKE 'merge_log:%%') THEN g.details
                ELSE g.details || jsonb_build_object('merge_logs', merge_log_digest(merge_logs_of(g.objects))) END
    FROM jsonb_to_recordset(%s::jsonb)
         AS g (at timestamptz, actor text, action text, profiles uuid[], objects text[], reason text, request_id text,
               api_key text, api_key_id text, details jsonb)
    RETURNING entry_id
)
INSERT INTO audit_unchained (entries) SELECT array_agg(entry_id ORDER BY entry_id) FROM written HAVING count(*) > 0
RETURNING unchained_id

-- name: insert_missing_migrations
-- Entries for migrations that have none.
WITH written AS (
    INSERT INTO audit_entry (at, actor, action, profiles, objects, details)
    SELECT m.applied_at_utc AT TIME ZONE 'UTC', %(actor)s, %(action)s, '{}', ARRAY['migration:' || m.migration_id], '{}'
    FROM _yoyo_migration m
    WHERE NOT EXISTS (SELECT FROM audit_entry e
                      WHERE e.objects <> '{}' AND e.objects @> ARRAY['migration:' || m.migration_id])
    ORDER BY m.applied_at_utc, m.migration_id
    RETURNING entry_id
)
INSERT INTO audit_unchained (entries) SELECT array_agg(entry_id ORDER BY entry_id) FROM written HAVING count(*) > 0

-- name: claim_chain
-- Makes this transaction the only one that chains, unless another one is.
SELECT pg_try_advisory_xact_lock(hashtext('retail-brain audit chain'), 0)

-- name: audit_head
-- The last of the chain; a query of its own behind the lock, so that it sees what was chained before.
SELECT seq, hash, (extract(epoch FROM signed_at) * 1000000)::bigint, key_version, signature
FROM audit_chain ORDER BY seq DESC LIMIT 1

-- name: entries_to_chain
-- The oldest entries that are to be chained, or those of one insert, in the order in which they will be. One that is gone,
-- or has a time that no calendar of ours has, has no `at`; of an insert whose entries are chained already, which only
-- somebody else can have brought about, entry_id is null.
WITH oldest AS MATERIALIZED (
    SELECT unchained_id, entries FROM audit_unchained
    WHERE %(insert)s::bigint IS NULL OR unchained_id = %(insert)s
    ORDER BY unchained_id LIMIT %(limit)s
)
SELECT o.unchained_id, w.entry_id, CASE WHEN isfinite(e.at) THEN (extract(epoch FROM e.at) * 1000000)::bigint END, e.actor, e.action, e.profiles, e.objects,
       e.reason, e.request_id, e.api_key, e.api_key_id, e.details::text
FROM oldest o LEFT JOIN LATERAL (
    SELECT entry_id, min(place) AS place FROM unnest(o.entries) WITH ORDINALITY u (entry_id, place)
    WHERE NOT EXISTS (SELECT FROM audit_chain c WHERE c.entry_id = u.entry_id) GROUP BY entry_id
) w ON true
LEFT JOIN audit_entry e ON e.entry_id = w.entry_id
ORDER BY o.unchained_id, w.place

-- name: copy_chain
COPY audit_chain (seq, entry_id, previous, hash, signed_at, key_version, signature) FROM STDIN (FORMAT binary)

-- name: delete_unchained
-- These are chained.
DELETE FROM audit_unchained WHERE unchained_id = ANY(%s::bigint[])

-- name: unchained_depth
-- How many entries wait to be chained, and for how many seconds the oldest has.
SELECT coalesce(sum(cardinality(entries)), 0)::bigint,
       coalesce(extract(epoch FROM clock_timestamp() - min(since) FILTER (WHERE isfinite(since))), 0)::double precision
FROM audit_unchained

-- name: audit_links
-- The chain behind a place, with its entries. Times that no calendar of ours has are null.
SELECT c.seq, c.entry_id, c.previous, c.hash,
       CASE WHEN isfinite(c.signed_at) THEN (extract(epoch FROM c.signed_at) * 1000000)::bigint END, c.key_version,
       c.signature, CASE WHEN isfinite(e.at) THEN (extract(epoch FROM e.at) * 1000000)::bigint END, e.actor, e.action,
       e.profiles, e.objects, e.reason, e.request_id, e.api_key, e.api_key_id, e.details::text
FROM audit_chain c LEFT JOIN audit_entry e USING (entry_id)
WHERE c.seq > %(after)s
ORDER BY c.seq

-- name: chained_place
-- The hash at a place of the chain, and the one before it.
SELECT hash, previous FROM audit_chain WHERE seq = %s

-- name: entries_never_queued
-- Entries that are neither in the chain nor wait to be; the first of them.
WITH waiting AS MATERIALIZED (SELECT unnest(entries) AS entry_id FROM audit_unchained)
SELECT e.entry_id, e.action FROM audit_entry e
WHERE NOT EXISTS (SELECT FROM audit_chain c WHERE c.entry_id = e.entry_id)
  AND NOT EXISTS (SELECT FROM waiting w WHERE w.entry_id = e.entry_id)
ORDER BY e.entry_id LIMIT %s

-- name: entries_waiting_long
-- How many entries wait to be chained for longer than so many seconds, or from a time on that is still to come.
SELECT coalesce(sum(cardinality(entries)), 0)::bigint FROM audit_unchained
WHERE since NOT BETWEEN clock_timestamp() - make_interval(secs => %(patience)s)
                    AND clock_timestamp() + make_interval(secs => %(patience)s)

-- name: merge_logs_changed
-- Entries whose hash of the merge log is not that of what stands; the first of them, with their place in the chain.
SELECT e.entry_id, c.seq FROM audit_entry e LEFT JOIN audit_chain c USING (entry_id)
WHERE e.details ? 'merge_logs' AND e.details ->> 'merge_logs' IS DISTINCT FROM merge_log_digest(merge_logs_of(e.objects))
  AND NOT EXISTS (  -- an erasure cut what the entry names, and says what they say since
    SELECT FROM audit_entry l WHERE l.action = 'customer.erased' AND l.entry_id > e.entry_id AND l.objects <> '{}'
      AND l.objects && e.objects AND l.objects @> ARRAY(SELECT o FROM unnest(e.objects) o WHERE o LIKE 'merge_log:%%'))
ORDER BY e.entry_id LIMIT %s

-- name: merge_logs_untold
-- Entries of the merge log that no entry of the audit log names; the first of them.
WITH told AS MATERIALIZED (
    SELECT unnest(merge_logs_of(objects)) AS merge_log_id FROM audit_entry WHERE details ? 'merge_logs'
)
SELECT l.merge_log_id FROM identity_merge_log l
WHERE NOT EXISTS (SELECT FROM told t WHERE t.merge_log_id = l.merge_log_id)
ORDER BY l.merge_log_id LIMIT %s

-- name: erasures_told
-- Entries that tell of an erasure, with their places in the chain, and the receipt of whom they name, if there is one.
SELECT e.entry_id, c.seq, e.at, e.profiles, r.receipt
FROM audit_entry e LEFT JOIN audit_chain c USING (entry_id)
LEFT JOIN erased_profile p ON p.profile_id = e.profiles[1] LEFT JOIN erasure r USING (erasure_id)
WHERE e.action = 'customer.erased'
ORDER BY e.entry_id

-- name: guards_off
-- Triggers that keep these tables from being changed, and are not there or stop nobody.
SELECT g.name FROM (VALUES
    ('audit_entry', 'audit_entry_immutable'), ('audit_entry', 'audit_entry_no_truncate'),
    ('audit_chain', 'audit_chain_immutable'), ('audit_chain', 'audit_chain_no_truncate'),
    ('audit_unchained', 'audit_unchained_immutable'), ('audit_unchained', 'audit_unchained_no_truncate'),
    ('erasure', 'erasure_immutable'), ('erasure', 'erasure_no_truncate')) g (guarded, name)
WHERE NOT EXISTS (
    SELECT FROM pg_trigger t WHERE t.tgrelid = to_regclass('public.' || g.guarded) AND t.tgname = g.name
      AND t.tgenabled IN ('O', 'A') AND t.tgfoid = to_regproc('public.refuse_change'))
ORDER BY g.name

-- name: read_audit
-- Entries before a place, the newest first, with their places in the chain; those of an actor, of actions, about something, and from
-- a time on, where given. `before` null: from the newest on. One of no time is for `verify` to tell of. What is about something is sorted, however few are wanted: the planner
-- takes ids to be more frequent than they are, and would walk through the log by time until it had met as many.
SELECT e.entry_id, e.at, e.actor, e.action, e.profiles, e.objects, e.reason, e.request_id, e.api_key, e.api_key_id,
       e.details, c.seq, encode(c.hash, 'hex') AS hash
FROM audit_entry e LEFT JOIN audit_chain c USING (entry_id)
WHERE isfinite(e.at) AND (%(before)s::bigint IS NULL OR (e.at, e.entry_id) < (%(before_at)s::timestamptz, %(before)s))
  AND (%(actor)s::text IS NULL OR e.actor = %(actor)s)
  AND (%(actions)s::text[] IS NULL OR e.action = ANY(%(actions)s))
  AND (%(profile)s::uuid IS NULL OR (e.profiles <> '{}' AND e.profiles @> ARRAY[%(profile)s::uuid])
       OR (e.objects <> '{}' AND e.objects && %(objects)s::text[]))
  AND (%(objects)s::text[] IS NULL OR %(profile)s::uuid IS NOT NULL
       OR (e.objects <> '{}' AND e.objects && %(objects)s::text[]))
  AND (%(since)s::timestamptz IS NULL OR e.at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR e.at < %(until)s)
ORDER BY CASE WHEN %(objects)s::text[] IS NULL THEN e.at END DESC, e.at + interval '0' DESC, e.entry_id DESC LIMIT %(limit)s
