-- What is told of one customer. Lists are cut behind a place in their order, never at a count of rows: a page stays where it is
-- while rows come.

-- name: read_survivor
-- The profile an id leads to through merges; no row where the id is unknown.
WITH RECURSIVE chain(profile_id, merged_into) AS (
    SELECT profile_id, merged_into FROM customer_profile WHERE profile_id = %(profile_id)s
    UNION
    SELECT p.profile_id, p.merged_into FROM chain JOIN customer_profile p ON p.profile_id = chain.merged_into
)
SELECT profile_id FROM chain WHERE merged_into IS NULL

-- name: customer_activity
-- When a customer was seen, and by which sources.
SELECT min(first_seen) AS first_seen, max(last_seen) AS last_seen,
       ARRAY(SELECT DISTINCT s FROM identity_record o, unnest(o.sources) s WHERE o.profile_id = %(profile_id)s ORDER BY s) AS sources
FROM identity_record WHERE profile_id = %(profile_id)s

-- name: customer_orders
-- What a customer ordered, by currency (XXX: none was named). From the index alone. As numeric, so that sums do not depend on the
-- order of rows.
SELECT coalesce(e.currency, 'XXX') AS currency, count(*) AS orders, sum(e.order_amount::numeric) AS total,
       min(e.occurred_at) AS first_at, max(e.occurred_at) AS last_at,
       count(*) FILTER (WHERE e.occurred_at > %(since)s) AS recent_orders,
       coalesce(sum(e.order_amount::numeric) FILTER (WHERE e.occurred_at > %(since)s), 0) AS recent_total
FROM identity_record r JOIN event e USING (record_id)
WHERE r.profile_id = %(profile_id)s AND e.order_amount IS NOT NULL
GROUP BY 1 ORDER BY orders DESC, currency

-- name: customer_habits
-- Channels, stores and categories of a customer's newest events, each with how many events and orders named it and when last; and
-- how many events were looked at.
WITH newest AS MATERIALIZED (
    SELECT e.occurred_at, e.channel, e.store, e.order_amount, e.items
    FROM identity_record r CROSS JOIN LATERAL (
        SELECT i.occurred_at, i.channel, i.store, i.order_amount, i.items FROM event i
        WHERE i.record_id = r.record_id ORDER BY i.occurred_at DESC LIMIT %(most)s
    ) e
    WHERE r.profile_id = %(profile_id)s
    ORDER BY e.occurred_at DESC LIMIT %(most)s
)
SELECT 'channel' AS what, channel AS name, count(*) AS events, count(order_amount) AS orders, NULL::float8 AS quantity,
       max(occurred_at) AS last_at
FROM newest WHERE channel IS NOT NULL GROUP BY channel
UNION ALL
SELECT 'store', store, count(*), count(order_amount), NULL, max(occurred_at)
FROM newest WHERE store IS NOT NULL GROUP BY store
UNION ALL
SELECT 'category', item.category, count(*), count(order_amount), sum(item.quantity), max(occurred_at)
FROM newest CROSS JOIN LATERAL (
    SELECT i ->> 'category' AS category, sum((i ->> 'quantity')::float8) AS quantity
    FROM jsonb_array_elements(newest.items) i WHERE i ->> 'category' IS NOT NULL GROUP BY 1
) item
WHERE newest.items IS NOT NULL GROUP BY item.category
UNION ALL
SELECT 'considered', '', count(*), count(order_amount), NULL, max(occurred_at) FROM newest
ORDER BY what, orders DESC, events DESC, name

-- name: customer_reviews
-- The open questions about a customer, the likeliest first.
SELECT review_id, kind, CASE WHEN low_profile = %(profile_id)s THEN high_profile ELSE low_profile END AS other_profile,
       reason, confidence_score, created_at
FROM (
    SELECT * FROM review_queue WHERE status = 'pending' AND low_profile = %(profile_id)s
    UNION
    SELECT * FROM review_queue WHERE status = 'pending' AND high_profile = %(profile_id)s
) open
ORDER BY confidence_score DESC, review_id LIMIT %(most)s

-- name: timeline_events
-- A customer's events before a place, newest first.
SELECT e.event_id, e.record_id, e.occurred_at, e.accepted_at, e.committed_at, e.source, e.event_type, e.channel,
       e.store, e.order_amount, e.currency, e.items, e.decision, e.reasons, e.request_id, e.correlation_id
FROM identity_record r CROSS JOIN LATERAL (
    SELECT * FROM event i
    WHERE i.record_id = r.record_id AND i.occurred_at <= %(at)s::timestamptz
      AND (i.occurred_at, 0, i.event_id) < (%(at)s::timestamptz, %(rank)s::int, %(id)s::uuid)
    ORDER BY i.occurred_at DESC, i.event_id DESC LIMIT %(limit)s
) e
WHERE r.profile_id = %(profile_id)s
ORDER BY e.occurred_at DESC, e.event_id DESC LIMIT %(limit)s

-- name: timeline_decisions
-- Merges, splits and rollbacks that a profile, or one that is merged into it now, took part in; before a place, newest first.
WITH RECURSIVE lineage(profile_id) AS (
    SELECT %(profile_id)s::uuid
    UNION
    SELECT p.profile_id FROM lineage l JOIN customer_profile p ON p.merged_into = l.profile_id AND p.is_merged
), found AS (
    SELECT m.* FROM lineage l JOIN identity_merge_log m ON m.source_profile = l.profile_id
    UNION
    SELECT m.* FROM lineage l JOIN identity_merge_log m ON m.target_profile = l.profile_id
)
SELECT merge_log_id, kind, source_profile, target_profile, records, confidence_score, actor, reason, decided_at AS at, rolled_back
FROM found
WHERE (decided_at, 1, merge_log_id) < (%(at)s::timestamptz, %(rank)s::int, %(id)s::uuid)
ORDER BY decided_at DESC, merge_log_id DESC LIMIT %(limit)s

-- name: timeline_actions
-- What stewards said of a customer's records: answers to reviews, with all the constraints one put, and constraints by themselves
-- (of rollbacks, and of records taken out); before a place, newest first.
WITH mine AS MATERIALIZED (
    SELECT array_agg(record_id) AS records FROM identity_record WHERE profile_id = %(profile_id)s
), told AS (
    SELECT coalesce(c.review_id, c.constraint_id) AS action_id, min(c.created_at) AS at, min(c.actor) AS actor,
           min(c.reason) AS reason, min(c.kind) AS constraint_kind, c.review_id,
           jsonb_agg(jsonb_build_object(
               'constraint_id', c.constraint_id, 'kind', c.kind, 'left_records', c.left_records,
               'right_records', c.right_records, 'revoked_at', c.revoked_at) ORDER BY c.constraint_id) AS constraints
    FROM mine JOIN identity_constraint c ON c.left_records && mine.records OR c.right_records && mine.records
    GROUP BY 1, c.review_id
)
SELECT t.action_id, t.at,
       CASE WHEN q.review_id IS NULL THEN t.constraint_kind
            WHEN (q.kind = 'merge') = (t.constraint_kind = 'must_link') THEN 'review_approved' ELSE 'review_rejected' END AS kind,
       t.review_id, q.kind AS review_kind, t.actor, t.reason, t.constraints
FROM told t LEFT JOIN review_queue q USING (review_id)
WHERE (t.at, 2, t.action_id) < (%(at)s::timestamptz, %(rank)s::int, %(id)s::uuid)
ORDER BY t.at DESC, t.action_id DESC LIMIT %(limit)s

-- name: timeline_revocations
-- Who took back what was said of a customer's records, an answer to a review with all its constraints; before a place, newest first.
WITH mine AS MATERIALIZED (
    SELECT array_agg(record_id) AS records FROM identity_record WHERE profile_id = %(profile_id)s
), told AS (
    SELECT coalesce(c.review_id, c.constraint_id) AS action_id, c.revoked_at AS at, c.revoked_by AS actor,
           c.revoke_reason AS reason, c.review_id,
           jsonb_agg(jsonb_build_object(
               'constraint_id', c.constraint_id, 'kind', c.kind, 'left_records', c.left_records,
               'right_records', c.right_records, 'revoked_at', c.revoked_at) ORDER BY c.constraint_id) AS constraints
    FROM mine JOIN identity_constraint c ON c.left_records && mine.records OR c.right_records && mine.records
    WHERE c.revoked_at IS NOT NULL
    GROUP BY 1, 2, 3, 4, 5
)
SELECT t.action_id, t.at, CASE WHEN t.review_id IS NULL THEN 'constraint_revoked' ELSE 'review_revoked' END AS kind,
       t.review_id, q.kind AS review_kind, t.actor, t.reason, t.constraints
FROM told t LEFT JOIN review_queue q USING (review_id)
WHERE (t.at, 3, t.action_id) < (%(at)s::timestamptz, %(rank)s::int, %(id)s::uuid)
ORDER BY t.at DESC, t.action_id DESC LIMIT %(limit)s

-- name: timeline_queue
-- Reviews of a profile, or of one that is merged into it now, that were given to somebody or put aside; before a place, newest first.
WITH RECURSIVE lineage(profile_id) AS (
    SELECT %(profile_id)s::uuid
    UNION
    SELECT p.profile_id FROM lineage l JOIN customer_profile p ON p.merged_into = l.profile_id AND p.is_merged
), found AS (
    SELECT a.*, lpad(to_hex(a.action_id), 32, '0')::uuid AS place FROM steward_action a
    WHERE a.profiles <> '{}' AND a.profiles && ARRAY(SELECT profile_id FROM lineage) AND a.act IN ('assign', 'skip')
)
SELECT f.place AS action_id, f.acted_at AS at, CASE f.act WHEN 'assign' THEN 'review_assigned' ELSE 'review_skipped' END AS kind,
       f.review_id, q.kind AS review_kind, f.actor, f.reason, f.details ->> 'assigned_to' AS assigned_to,
       (f.details ->> 'until')::timestamptz AS skipped_until
FROM found f JOIN review_queue q USING (review_id)
WHERE (f.acted_at, 4, f.place) < (%(at)s::timestamptz, %(rank)s::int, %(id)s::uuid)
ORDER BY f.acted_at DESC, f.place DESC LIMIT %(limit)s

-- name: customer_moves
-- Merges, splits and rollbacks that moved records into a profile or out of it, oldest first.
SELECT merge_log_id, kind, source_profile, target_profile, records, decided_at FROM (
    SELECT * FROM identity_merge_log WHERE source_profile = %(profile_id)s
    UNION
    SELECT * FROM identity_merge_log WHERE target_profile = %(profile_id)s
) m
ORDER BY decided_at, merge_log_id

-- name: customer_holdings
-- Which identifiers the records of a profile hold, and those of records that stood in it once.
SELECT i.type, i.value_hash, i.hash_key_version, r.record_id, r.profile_id, r.first_seen, r.last_seen, r.sources
FROM (
    SELECT record_id FROM identity_record WHERE profile_id = %(profile_id)s
    UNION
    SELECT unnest(%(records)s::uuid[])
) known(record_id)
JOIN identity_record r USING (record_id)
JOIN current_identifier i USING (record_id)
ORDER BY i.type, i.value_hash, r.record_id

-- name: history_profile
-- When a profile came.
SELECT created_at FROM customer_profile WHERE profile_id = %s

-- name: history_moves
-- Merges, splits and rollbacks that moved records into a profile or out of it, in their order. An entry gets its id behind the locks
-- of its profiles, while the time of its decision was taken before them: ids tell which came first. Within a transaction each record
-- moves once.
SELECT kind, source_profile, target_profile, records, decided_at FROM (
    SELECT * FROM identity_merge_log WHERE source_profile = %(profile)s
    UNION
    SELECT * FROM identity_merge_log WHERE target_profile = %(profile)s
) m
ORDER BY merge_log_id

-- name: history_records
-- Those of the records that had come by then, and what their events said until then.
SELECT e.record_id, min(e.occurred_at), max(e.occurred_at), array_agg(DISTINCT e.source ORDER BY e.source), count(*)
FROM unnest(%(records)s::uuid[]) r(record_id) JOIN event e USING (record_id)
WHERE e.committed_at <= %(at)s
GROUP BY e.record_id ORDER BY e.record_id

-- name: history_holders
-- The profiles that records stand in now.
SELECT DISTINCT profile_id FROM identity_record WHERE record_id = ANY(%s::uuid[])

-- name: history_activations
-- When what stood was replaced since.
SELECT at FROM activation WHERE at > %s ORDER BY at
