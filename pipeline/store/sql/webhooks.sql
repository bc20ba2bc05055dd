-- name: read_webhooks
-- Webhooks, the oldest first, each with how many of its deliveries are dead.
SELECT w.webhook_id, w.url, w.types, w.description, w.created_by, w.created_at, w.enabled, w.disabled_at,
       w.disabled_reason, w.dead_in_a_row, w.previous_until,
       (SELECT count(*) FROM webhook_delivery d WHERE d.webhook_id = w.webhook_id AND d.status = 'dead') AS dead
FROM webhook w
WHERE %(webhook)s::uuid IS NULL OR w.webhook_id = %(webhook)s
ORDER BY w.created_at, w.webhook_id
LIMIT %(limit)s OFFSET %(offset)s

-- name: count_webhooks
-- How many there are.
SELECT count(*) FROM webhook

-- name: disabled_webhooks
-- Those that the house disabled, and why.
SELECT webhook_id, disabled_at AS since, disabled_reason AS reason FROM webhook
WHERE NOT enabled AND disabled_reason IS NOT NULL ORDER BY disabled_at, webhook_id

-- name: lock_webhooks
-- One that adds a webhook counts them alone.
SELECT pg_advisory_xact_lock(hashtext('retail-brain webhooks are added'))

-- name: add_webhook
-- A new webhook.
INSERT INTO webhook (webhook_id, url, types, description, created_by, created_at, sealed_secret)
VALUES (%(webhook)s, %(url)s, %(types)s::text[], %(description)s, %(actor)s, %(at)s, %(secret)s)

-- name: change_webhook
-- Changes what is given. Who is enabled starts with nothing counted against it. Says what stood before, and whether anything was
-- counted.
WITH before AS (
    SELECT webhook_id, url, types, description, enabled, dead_in_a_row FROM webhook WHERE webhook_id = %(webhook)s FOR UPDATE
), changed AS (
    UPDATE webhook w
    SET url = coalesce(%(url)s::text, w.url), types = coalesce(%(types)s::text[], w.types),
        description = coalesce(%(description)s::text, w.description),
        enabled = coalesce(%(enabled)s::boolean, w.enabled),
        disabled_at = CASE WHEN coalesce(%(enabled)s::boolean, w.enabled) THEN NULL
                           WHEN w.enabled THEN %(at)s::timestamptz ELSE w.disabled_at END,
        disabled_reason = CASE WHEN %(enabled)s::boolean IS NULL THEN w.disabled_reason END,
        dead_in_a_row = CASE WHEN %(enabled)s::boolean THEN 0 ELSE w.dead_in_a_row END,
        revision = w.revision + 1
    FROM before b WHERE w.webhook_id = b.webhook_id
    RETURNING w.webhook_id
), again AS (
    UPDATE webhook_delivery d SET attempts = 0, next_at = %(at)s
    FROM changed c WHERE d.webhook_id = c.webhook_id AND d.status = 'failing' AND %(enabled)s::boolean
    RETURNING 1
)
SELECT url, types, description, enabled, dead_in_a_row > 0 OR EXISTS (SELECT FROM again) FROM before

-- name: rotate_webhook
-- Another secret; that before stays valid for a while.
UPDATE webhook
SET sealed_previous = sealed_secret, previous_until = %(until)s, sealed_secret = %(secret)s, revision = revision + 1
WHERE webhook_id = %(webhook)s

-- name: remove_webhook
-- Removes a webhook, its deliveries, its positions, and the key that opens its secrets.
WITH gone AS (
    DELETE FROM webhook WHERE webhook_id = %(webhook)s RETURNING webhook_id
), positions AS (
    DELETE FROM consumer_position WHERE stage = %(stage)s
), keys AS (
    DELETE FROM data_key k USING gone g WHERE k.owner_id = g.webhook_id
)
SELECT webhook_id FROM gone

-- name: place_webhook
-- Sets positions of a stage, wherever they were.
INSERT INTO consumer_position (stage, topic, partition, next_offset)
SELECT %(stage)s, * FROM unnest(%(topics)s::text[], %(partitions)s::int[], %(offsets)s::bigint[])
ON CONFLICT (stage, topic, partition) DO UPDATE SET next_offset = excluded.next_offset, updated_at = now()

-- name: forget_failing
-- What was being tried is tried no more: its webhook begins elsewhere (nothing is wanted still), or wants other types.
DELETE FROM webhook_delivery
WHERE webhook_id = %(webhook)s AND status = 'failing'
  AND (cardinality(%(wanted)s::text[]) = 0 OR NOT type = ANY(%(wanted)s::text[] || 'unreadable'::text))

-- name: bury_overtaken
-- What was being tried when its message went from the topic, so that the webhook's position is past it: it is dead, and
-- can be replayed.
UPDATE webhook_delivery d SET status = 'dead', next_at = NULL
FROM consumer_position p
WHERE d.webhook_id = %(webhook)s AND d.status = 'failing' AND p.stage = %(stage)s
  AND p.topic = %(prefix)s || d.topic AND p.partition = d.partition AND d."offset" < p.next_offset

-- name: webhook_places
-- All positions of a stage.
SELECT topic, partition, next_offset FROM consumer_position WHERE stage = %(stage)s

-- name: webhooks_to_deliver
-- The webhooks that are delivered to, each as it is now.
SELECT webhook_id, revision FROM webhook WHERE enabled

-- name: webhook_secrets
-- What is needed to deliver to one.
SELECT w.url, w.types, w.sealed_secret, w.sealed_previous, w.previous_until, k.wrapped, k.key_version
FROM webhook w JOIN webhook_key k ON k.owner_id = w.webhook_id
WHERE w.webhook_id = %(webhook)s

-- name: failing_deliveries
-- What is being tried, with how often it was and from when on again.
SELECT topic, partition, "offset", attempts, next_at FROM webhook_delivery
WHERE webhook_id = %(webhook)s AND status = 'failing'

-- name: hold_webhook
-- Whether a webhook is there; it stays until the transaction ends.
SELECT enabled FROM webhook WHERE webhook_id = %(webhook)s FOR KEY SHARE

-- name: note_delivery
-- What became of an attempt.
INSERT INTO webhook_delivery (delivery_id, webhook_id, topic, partition, "offset", change_id, type, body, status,
                              attempts, first_at, last_at, next_at, http_status, error)
VALUES (%(delivery)s, %(webhook)s, %(topic)s, %(partition)s, %(offset)s, %(change)s, %(type)s, %(body)s, %(status)s,
        %(attempts)s, %(at)s, %(at)s, %(next)s, %(http_status)s, %(error)s)
ON CONFLICT (webhook_id, topic, partition, "offset") DO UPDATE
SET status = excluded.status, attempts = excluded.attempts, last_at = excluded.last_at, next_at = excluded.next_at,
    http_status = excluded.http_status, error = excluded.error, body = excluded.body, type = excluded.type

-- name: note_accepted
-- A webhook accepts what it is sent.
UPDATE webhook SET dead_in_a_row = 0 WHERE webhook_id = %(webhook)s AND dead_in_a_row > 0

-- name: note_dead
-- One more delivery is dead; at so many in a row, or at once, the webhook is disabled. Says whether it was now.
UPDATE webhook w
SET dead_in_a_row = w.dead_in_a_row + 1, enabled = w.enabled AND NOT d.now,
    disabled_at = CASE WHEN w.enabled AND d.now THEN %(at)s ELSE w.disabled_at END,
    disabled_reason = CASE WHEN w.enabled AND d.now THEN %(reason)s ELSE w.disabled_reason END
FROM (SELECT %(at_once)s::boolean OR dead_in_a_row + 1 >= %(most)s::int AS now, enabled AS was
      FROM webhook WHERE webhook_id = %(webhook)s) d
WHERE w.webhook_id = %(webhook)s
RETURNING d.was AND d.now

-- name: disable_webhook
-- The house disables a webhook, and says why.
UPDATE webhook SET enabled = false, disabled_at = %(at)s, disabled_reason = %(reason)s
WHERE webhook_id = %(webhook)s AND enabled

-- name: due_replays
-- Deliveries to be replayed now, the oldest message first.
SELECT delivery_id, change_id, body, attempts FROM webhook_delivery
WHERE webhook_id = %(webhook)s AND status = 'replaying' AND next_at <= %(at)s
ORDER BY first_at, delivery_id LIMIT %(limit)s

-- name: note_replay
-- What became of an attempt to replay one.
UPDATE webhook_delivery
SET status = %(status)s, attempts = %(attempts)s, last_at = %(at)s, next_at = %(next)s, http_status = %(http_status)s,
    error = %(error)s
WHERE delivery_id = %(delivery)s AND status = 'replaying'

-- name: prune_deliveries
-- Removes some of what was delivered, or died, longer ago than it is kept.
DELETE FROM webhook_delivery WHERE delivery_id IN (
    SELECT delivery_id FROM webhook_delivery
    WHERE (status = 'delivered' AND last_at < %(delivered_before)s) OR (status = 'dead' AND last_at < %(dead_before)s)
    LIMIT %(limit)s
)

-- name: webhook_counts
-- Webhooks that are enabled, that have a delivery failing, that the house disabled; dead deliveries; and since when the
-- oldest failing one is tried, in seconds.
SELECT (SELECT count(*) FROM webhook WHERE enabled),
       (SELECT count(DISTINCT webhook_id) FROM webhook_delivery WHERE status = 'failing'),
       (SELECT count(*) FROM webhook WHERE NOT enabled AND disabled_reason IS NOT NULL),
       (SELECT count(*) FROM webhook_delivery WHERE status = 'dead'),
       (SELECT coalesce(extract(epoch FROM now() - min(first_at)), 0)::double precision
        FROM webhook_delivery WHERE status = 'failing')

-- name: read_deliveries
-- Deliveries of a webhook, the latest attempt first; those chosen, where something is.
SELECT delivery_id, webhook_id, change_id, type, status, attempts, first_at, last_at, next_at, http_status, error
FROM webhook_delivery
WHERE webhook_id = %(webhook)s AND (%(status)s::text IS NULL OR status = %(status)s)
  AND (%(since)s::timestamptz IS NULL OR last_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR last_at < %(until)s)
ORDER BY last_at DESC, delivery_id
LIMIT %(limit)s OFFSET %(offset)s

-- name: count_deliveries
-- How many rows `read_deliveries` has on all pages.
SELECT count(*) FROM webhook_delivery
WHERE webhook_id = %(webhook)s AND (%(status)s::text IS NULL OR status = %(status)s)
  AND (%(since)s::timestamptz IS NULL OR last_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR last_at < %(until)s)

-- name: read_delivery
-- One delivery, with what is sent.
SELECT delivery_id, webhook_id, change_id, type, status, attempts, first_at, last_at, next_at, http_status, error, body
FROM webhook_delivery WHERE webhook_id = %(webhook)s AND delivery_id = %(delivery)s

-- name: replay_deliveries
-- Has deliveries sent again that were delivered or are dead: one, or those chosen. Says how many.
WITH chosen AS (
    SELECT delivery_id FROM webhook_delivery
    WHERE webhook_id = %(webhook)s AND status IN ('delivered', 'dead')
      AND (%(delivery)s::uuid IS NULL OR delivery_id = %(delivery)s)
      AND (%(status)s::text IS NULL OR status = %(status)s)
      AND (%(since)s::timestamptz IS NULL OR last_at >= %(since)s)
      AND (%(until)s::timestamptz IS NULL OR last_at < %(until)s)
    FOR UPDATE
), replaying AS (
    UPDATE webhook_delivery d SET status = 'replaying', attempts = 0, next_at = %(at)s
    FROM chosen c WHERE d.delivery_id = c.delivery_id AND NOT %(dry_run)s
)
SELECT count(*) FROM chosen

-- name: claim_webhooks
-- Makes this session the only one that delivers for a topic prefix, unless another one is; who has it keeps it.
SELECT %(held)s OR pg_try_advisory_lock(hashtext('retail-brain webhooks'), hashtext(%(prefix)s))
