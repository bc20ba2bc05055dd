-- API keys of callers: their secrets' hashes only.
-- depends: 0010_twins

CREATE TABLE api_key (
    key_id         text PRIMARY KEY CHECK (key_id ~ '^[0-9a-f]{16}$'),
    name           text NOT NULL,                -- who holds it: what is done by the key is done in this name
    secret_hash    bytea NOT NULL CHECK (octet_length(secret_hash) = 32),  -- SHA-256 of the whole key
    former_hash    bytea CHECK (octet_length(former_hash) = 32),           -- the secret before the last rotation
    former_until   timestamptz,                  -- and until when it still opens
    scopes         text[] NOT NULL CHECK (cardinality(scopes) > 0),        -- pipeline/api_keys/scope.py
    per_minute     integer CHECK (per_minute >= 0),                        -- null: as RB_RATE_LIMIT_PER_MINUTE; 0: no limit
    created_at     timestamptz NOT NULL,
    created_by     text NOT NULL,
    expires_at     timestamptz,
    rotated_at     timestamptz,
    rotated_by     text,
    revoked_at     timestamptz,
    revoked_by     text,
    last_used_at   timestamptz,                  -- to the minute; gateways tell it once a minute
    CHECK ((former_hash IS NULL) = (former_until IS NULL)),
    CHECK ((rotated_at IS NULL) = (rotated_by IS NULL)),
    CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
);
CREATE UNIQUE INDEX api_key_name ON api_key (name) WHERE revoked_at IS NULL;  -- of all that open, one has the name
