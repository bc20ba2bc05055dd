-- name: add_api_key
-- A new key; nothing where another that is not revoked has its name.
INSERT INTO api_key (key_id, name, secret_hash, scopes, per_minute, created_at, created_by, expires_at)
VALUES (%(key_id)s, %(name)s, %(secret_hash)s, %(scopes)s, %(per_minute)s, %(now)s, %(actor)s, %(expires_at)s)
ON CONFLICT (name) WHERE revoked_at IS NULL DO NOTHING

-- name: api_keys
-- All keys, the newest first; those that open nothing any more only if asked for.
SELECT key_id, name, secret_hash, former_hash, former_until, scopes, per_minute, created_at, created_by, expires_at,
       rotated_at, revoked_at, last_used_at
FROM api_key
WHERE %(everything)s OR (revoked_at IS NULL AND (expires_at IS NULL OR expires_at > %(now)s))
ORDER BY created_at DESC, key_id

-- name: lock_api_key
-- The key of an id, or the one of a name that is not revoked.
SELECT key_id, name, secret_hash, former_hash, former_until, scopes, per_minute, created_at, created_by, expires_at,
       rotated_at, revoked_at, last_used_at
FROM api_key
WHERE key_id = %(named)s OR (name = %(named)s AND revoked_at IS NULL)
FOR UPDATE

-- name: revoke_api_key
-- From now on it opens nothing.
UPDATE api_key SET revoked_at = %(now)s, revoked_by = %(actor)s WHERE key_id = %(key_id)s

-- name: rotate_api_key
-- Another secret; the one before opens until then.
UPDATE api_key
SET secret_hash = %(secret_hash)s, former_hash = secret_hash, former_until = %(former_until)s,
    expires_at = %(expires_at)s, rotated_at = %(now)s, rotated_by = %(actor)s
WHERE key_id = %(key_id)s

-- name: note_api_keys_used
-- When keys were last used. Several gateways tell it: one skips what another one is writing, which is as new to the
-- minute; a later use is told by whoever sees it.
WITH told AS (
    SELECT k.key_id, u.at
    FROM unnest(%s::text[], %s::timestamptz[]) AS u (key_id, at) JOIN api_key k USING (key_id)
    WHERE k.last_used_at IS NULL OR k.last_used_at < u.at
    ORDER BY k.key_id
    FOR NO KEY UPDATE OF k SKIP LOCKED
)
UPDATE api_key k SET last_used_at = t.at FROM told t WHERE k.key_id = t.key_id
