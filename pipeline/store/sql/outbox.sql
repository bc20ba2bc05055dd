-- name: write_outbox
-- Puts the messages for one topic into the outbox and wakes the relay when the transaction commits.
WITH written AS (
    INSERT INTO outbox (topic, keys, payloads, owners)
    VALUES (%(topic)s, %(keys)b::bytea[], %(payloads)b::bytea[], %(owners)s::uuid[])
    RETURNING 1
)
SELECT pg_notify('outbox', '') FROM written

-- name: read_outbox
-- The oldest committed rows, in the order they are to be published.
SELECT outbox_id, topic, keys, payloads, owners FROM outbox ORDER BY outbox_id LIMIT %(limit)s

-- name: delete_outbox
-- Removes rows whose messages were all acknowledged.
DELETE FROM outbox WHERE outbox_id = ANY(%(ids)s::bigint[])

-- name: outbox_depth
-- How many rows wait, and for how many seconds the oldest has.
SELECT count(*), coalesce(extract(epoch FROM now() - min(created_at)), 0)::double precision FROM outbox

-- name: claim_relay
-- Makes this transaction the only one that relays for a topic prefix, unless another one is.
SELECT pg_try_advisory_xact_lock(hashtext('retail-brain outbox relay'), hashtext(%(prefix)s))

-- name: commit_lazily
-- Lets this transaction's commit return before it is on disk.
SET LOCAL synchronous_commit = off

-- name: listen_outbox
-- Wake this session when rows were written.
LISTEN outbox
