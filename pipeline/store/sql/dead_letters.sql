-- name: file_dead_letters
-- Files dead letters. One that waits stays as it is, and so does one that came before, which has the same failed_at or
-- an older one; where the message was refused anew since, a replayed or dropped letter waits again with what came now.
-- A batch may hold one twice. Rows are locked in the order in which everybody locks them.
WITH came AS (
    SELECT DISTINCT ON (dead_letter_id) *
    FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::int[], %s::bigint[], %s::timestamptz[],
                %s::timestamptz[], %s::bytea[], %s::bytea[], %s::boolean[], %s::uuid[])
         AS c (dead_letter_id, stage, reason, detail, topic, partition, "offset", message_at, failed_at, sealed_key,
               sealed_value, truncated, replay_of)
    ORDER BY dead_letter_id, failed_at DESC
), filed AS (
    INSERT INTO dead_letter AS d (dead_letter_id, stage, reason, detail, topic, partition, "offset", message_at,
                                  failed_at, sealed_key, sealed_value, truncated, replay_of)
    SELECT * FROM came ORDER BY failed_at, dead_letter_id
    ON CONFLICT (dead_letter_id) DO UPDATE
    SET status = 'waiting', reason = excluded.reason, detail = excluded.detail, failed_at = excluded.failed_at,
        sealed_key = excluded.sealed_key, sealed_value = excluded.sealed_value, truncated = excluded.truncated,
        replay_of = excluded.replay_of
    WHERE d.status <> 'waiting' AND excluded.failed_at > d.failed_at
    RETURNING d.dead_letter_id, d.stage, d.failed_at
)
INSERT INTO dead_letter_action (dead_letter_id, action, at, actor, reason)
SELECT f.dead_letter_id, 'reopened', f.failed_at, f.stage, 'its message was refused again'
FROM filed f JOIN dead_letter before USING (dead_letter_id)  -- as it was when the statement began

-- name: waiting_dead_letters
-- How many wait, by stage and reason.
SELECT stage, reason, count(*) FROM dead_letter WHERE status = 'waiting' GROUP BY stage, reason

-- name: read_dead_letters
-- Dead letters without their messages, the newest failure first; those chosen, where something is.
SELECT d.dead_letter_id, d.stage, d.reason, d.detail, d.topic, d.partition, d."offset", d.message_at, d.failed_at,
       d.truncated, d.replay_of, d.status,
       coalesce((SELECT a.action = 'edited' FROM dead_letter_action a
                 WHERE a.dead_letter_id = d.dead_letter_id AND a.action IN ('edited', 'reopened')
                 ORDER BY a.action_id DESC LIMIT 1), false) AS edited
FROM dead_letter d
WHERE (%(status)s::text IS NULL OR d.status = %(status)s) AND (%(stage)s::text IS NULL OR d.stage = %(stage)s)
  AND (%(reason)s::text IS NULL OR d.reason = %(reason)s) AND (%(topic)s::text IS NULL OR d.topic = %(topic)s)
  AND (%(since)s::timestamptz IS NULL OR d.failed_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR d.failed_at < %(until)s)
ORDER BY d.failed_at DESC, d.dead_letter_id
LIMIT %(limit)s OFFSET %(offset)s

-- name: count_dead_letters
-- How many rows `read_dead_letters` has on all pages.
SELECT count(*) AS total
FROM dead_letter d
WHERE (%(status)s::text IS NULL OR d.status = %(status)s) AND (%(stage)s::text IS NULL OR d.stage = %(stage)s)
  AND (%(reason)s::text IS NULL OR d.reason = %(reason)s) AND (%(topic)s::text IS NULL OR d.topic = %(topic)s)
  AND (%(since)s::timestamptz IS NULL OR d.failed_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR d.failed_at < %(until)s)

-- name: read_dead_letter
-- One of them.
SELECT d.dead_letter_id, d.stage, d.reason, d.detail, d.topic, d.partition, d."offset", d.message_at, d.failed_at,
       d.truncated, d.replay_of, d.status,
       coalesce((SELECT a.action = 'edited' FROM dead_letter_action a
                 WHERE a.dead_letter_id = d.dead_letter_id AND a.action IN ('edited', 'reopened')
                 ORDER BY a.action_id DESC LIMIT 1), false) AS edited
FROM dead_letter d WHERE d.dead_letter_id = %s

-- name: dead_letter_messages
-- What letters hold: message key, message and newest edit, all sealed, and the wrapped data key that opens them (null
-- where it was destroyed, or there was never anything to seal). What was mended before a letter was reopened is past.
SELECT d.dead_letter_id, d.topic, d.partition, d."offset", d.message_at, d.truncated, d.sealed_key, d.sealed_value,
       e.sealed_value, k.wrapped, k.key_version
FROM dead_letter d
LEFT JOIN data_key k ON k.owner_id = d.dead_letter_id
LEFT JOIN LATERAL (
    SELECT a.sealed_value FROM dead_letter_action a
    WHERE a.dead_letter_id = d.dead_letter_id AND a.action IN ('edited', 'reopened')
    ORDER BY a.action_id DESC LIMIT 1
) e ON true
WHERE d.dead_letter_id = ANY(%s::uuid[])
ORDER BY d.failed_at, d.dead_letter_id

-- name: dead_letter_actions
-- What was done with a letter, the oldest first.
SELECT action, at, actor, reason, fields FROM dead_letter_action WHERE dead_letter_id = %s ORDER BY action_id

-- name: lock_dead_letters
-- Locks letters, in the order in which everybody locks them, and says where they stand.
SELECT dead_letter_id, status FROM dead_letter WHERE dead_letter_id = ANY(%s::uuid[])
ORDER BY failed_at, dead_letter_id FOR UPDATE

-- name: lock_chosen_dead_letters
-- Locks the oldest of the chosen letters that wait, those behind `after` (null: from the first).
SELECT d.dead_letter_id, d.status, d.failed_at
FROM dead_letter d
WHERE d.status = 'waiting' AND (%(stage)s::text IS NULL OR d.stage = %(stage)s)
  AND (%(reason)s::text IS NULL OR d.reason = %(reason)s) AND (%(topic)s::text IS NULL OR d.topic = %(topic)s)
  AND (%(since)s::timestamptz IS NULL OR d.failed_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR d.failed_at < %(until)s)
  AND (%(after_at)s::timestamptz IS NULL OR (d.failed_at, d.dead_letter_id) > (%(after_at)s, %(after_id)s::uuid))
ORDER BY d.failed_at, d.dead_letter_id
LIMIT %(limit)s FOR UPDATE

-- name: close_dead_letters
-- Locked letters are replayed or dropped now.
UPDATE dead_letter SET status = %s WHERE dead_letter_id = ANY(%s::uuid[])

-- name: reopen_dead_letters
-- Replayed letters whose message does not open, so that it could not be sent, wait again.
WITH locked AS (
    SELECT dead_letter_id FROM dead_letter WHERE dead_letter_id = ANY(%(letters)s::uuid[]) AND status = 'replayed'
    ORDER BY failed_at, dead_letter_id FOR UPDATE
), reopened AS (
    UPDATE dead_letter d SET status = 'waiting' FROM locked WHERE d.dead_letter_id = locked.dead_letter_id
    RETURNING d.dead_letter_id
)
INSERT INTO dead_letter_action (dead_letter_id, action, at, actor, reason)
SELECT dead_letter_id, 'reopened', now(), %(actor)s, 'its message does not open, so it was not sent' FROM reopened

-- name: note_dead_letter_actions
-- Writes down who did what.
INSERT INTO dead_letter_action (dead_letter_id, action, at, actor, reason)
SELECT letter, %(action)s, %(at)s, %(actor)s, %(reason)s FROM unnest(%(letters)s::uuid[]) letter

-- name: note_dead_letter_edit
-- Writes down an edit and the message it made.
INSERT INTO dead_letter_action (dead_letter_id, action, at, actor, reason, fields, sealed_value)
VALUES (%(letter)s, 'edited', %(at)s, %(actor)s, %(reason)s, %(fields)s::text[], %(sealed)s)

-- name: destroy_data_keys
-- What these owners' keys sealed can never be read again.
DELETE FROM data_key WHERE owner_id = ANY(%s::uuid[])
