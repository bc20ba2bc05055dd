-- The house: raw events, identity records, profiles, decisions, and the way out.
-- depends:

CREATE EXTENSION IF NOT EXISTS vector;

-- ── keys: the only thing ever deleted to forget a person ──────────────────────────────────────────────────────
CREATE TABLE data_key (
    owner_id    uuid PRIMARY KEY,           -- raw_id, record_id or dead_letter_id
    wrapped     bytea NOT NULL,             -- the AES-256 data key, wrapped by the key ring
    key_version smallint NOT NULL           -- version of the wrapping key
);

-- ── raw events: immutable ─────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE customer_raw_event (
    raw_id      uuid NOT NULL,              -- made of time, topic, partition and offset: a redelivery is the same row
    event_id    uuid NOT NULL,
    accepted_at timestamptz NOT NULL,
    topic       text NOT NULL,
    partition   integer NOT NULL,
    "offset"    bigint NOT NULL,
    sealed      bytea NOT NULL,             -- nonce | AES-256-GCM of the message as it came
    PRIMARY KEY (raw_id, accepted_at)
) PARTITION BY RANGE (accepted_at);
ALTER TABLE customer_raw_event ALTER sealed SET STORAGE EXTERNAL;  -- what is encrypted cannot be compressed

CREATE TABLE event_index (                  -- deduplication, and the way from an event id to its row
    event_id    uuid PRIMARY KEY,
    record_id   uuid,                       -- null: the event names nobody
    accepted_at timestamptz NOT NULL
);

CREATE TABLE event (
    event_id     uuid NOT NULL,
    raw_id       uuid NOT NULL,
    record_id    uuid,                      -- the profile follows from the record, so a merge moves no event
    occurred_at  timestamptz NOT NULL,
    accepted_at  timestamptz NOT NULL,
    committed_at timestamptz NOT NULL,
    source       text NOT NULL,
    event_type   text NOT NULL,
    channel      text,
    store        text,
    order_amount double precision,
    currency     text,
    items        jsonb,                     -- [{sku, quantity, price}]
    decision     text NOT NULL,
    reasons      text[] NOT NULL,
    source_record_id text,                  -- the source's own opaque id of the record, where it sent one
    request_id   text,
    correlation_id text,
    PRIMARY KEY (accepted_at, event_id)     -- time first: new rows go to the right edge of the index
) PARTITION BY RANGE (accepted_at);
CREATE INDEX event_by_record ON event (record_id);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: the table is immutable', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER customer_raw_event_immutable BEFORE UPDATE OR DELETE ON customer_raw_event
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER customer_raw_event_no_truncate BEFORE TRUNCATE ON customer_raw_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER event_immutable BEFORE UPDATE ON event
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Months get their partition before the first row of theirs is written; a default partition catches nothing unseen.
CREATE FUNCTION ensure_month(parent text, month date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    name text := parent || to_char(month, '_YYYYMM');
BEGIN
    IF to_regclass(name) IS NOT NULL THEN RETURN; END IF;
    -- one at a time; taking a table lock also makes us see what the one before us created
    EXECUTE format('LOCK TABLE %I IN SHARE UPDATE EXCLUSIVE MODE', parent);
    IF to_regclass(name) IS NOT NULL THEN RETURN; END IF;
    EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', name, parent,
        date_trunc('month', month)::timestamp AT TIME ZONE 'UTC',
        (date_trunc('month', month) + interval '1 month')::timestamp AT TIME ZONE 'UTC');
END $$;

-- ── profiles and the records they consist of ──────────────────────────────────────────────────────────────────
CREATE TABLE customer_profile (
    profile_id  uuid PRIMARY KEY,
    version     bigint NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    is_merged   boolean NOT NULL DEFAULT false,
    merged_into uuid REFERENCES customer_profile DEFERRABLE INITIALLY DEFERRED,
    golden      jsonb NOT NULL DEFAULT '{}',  -- attribute -> record_id of the winner
    contested   boolean NOT NULL DEFAULT false, -- its records differ in a value, so it matters who was seen last
    embedding   vector(768),
    CHECK (is_merged = (merged_into IS NOT NULL))
) WITH (fillfactor = 80);
CREATE INDEX customer_profile_merged_into ON customer_profile (merged_into) WHERE is_merged;

CREATE TABLE identity_record (
    record_id        uuid PRIMARY KEY,        -- first 16 bytes of the HMAC of its content
    hash_key_version smallint NOT NULL,
    profile_id       uuid NOT NULL REFERENCES customer_profile DEFERRABLE INITIALLY DEFERRED,
    first_seen       timestamptz NOT NULL,
    last_seen        timestamptz NOT NULL,
    sources          text[] NOT NULL,
    sealed           bytea NOT NULL           -- nonce | AES-256-GCM of the canonical record under its data key
) WITH (fillfactor = 80);
ALTER TABLE identity_record ALTER sealed SET STORAGE EXTERNAL;
CREATE INDEX identity_record_by_profile ON identity_record (profile_id);

CREATE TABLE match_key (                      -- exact and blocking keys of every record
    key          bigint NOT NULL,
    record_kinds integer NOT NULL,            -- the kinds of all the record's keys as a bit set
    record_id    uuid NOT NULL
);
CREATE INDEX match_key_by_key ON match_key (key);  -- the record's own row, written with them, keeps them single

CREATE TABLE record_identifier (
    record_id        uuid NOT NULL,
    type             text NOT NULL,
    value_hash       bytea NOT NULL,
    hash_key_version smallint NOT NULL,
    PRIMARY KEY (value_hash, type, record_id)
);
CREATE INDEX record_identifier_by_record ON record_identifier (record_id);

-- A profile's identifiers follow from its records: a merge or an unmerge leaves nothing behind.
CREATE VIEW profile_identifier AS
SELECT r.profile_id, i.type, i.value_hash, max(i.hash_key_version) AS hash_key_version,
       min(r.first_seen) AS first_seen, max(r.last_seen) AS last_seen
FROM record_identifier i JOIN identity_record r USING (record_id)
GROUP BY r.profile_id, i.type, i.value_hash;

CREATE TABLE record_product (                 -- what a record's events bought: grows, never shrinks
    record_id uuid NOT NULL,
    product   bigint NOT NULL,
    PRIMARY KEY (record_id, product)
);

-- ── evidence and decisions ────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE identity_evidence (              -- pairs of records worth remembering
    low            uuid NOT NULL,
    high           uuid NOT NULL,
    weight         double precision NOT NULL, -- bits, the prior included
    confidence     double precision NOT NULL,
    levels         jsonb NOT NULL,            -- [[attribute, level, bits], ...]
    veto           text,
    model_version  text NOT NULL,
    policy_version text NOT NULL,
    PRIMARY KEY (low, high),
    CHECK (low < high)
);
CREATE INDEX identity_evidence_by_high ON identity_evidence (high);

CREATE TABLE identity_constraint (
    constraint_id uuid PRIMARY KEY,
    kind          text NOT NULL CHECK (kind IN ('must_link', 'cannot_link')),
    left_records  uuid[] NOT NULL,
    right_records uuid[] NOT NULL,
    actor         text NOT NULL,
    reason        text NOT NULL,
    created_at    timestamptz NOT NULL,
    revoked_at    timestamptz
);
CREATE INDEX identity_constraint_left ON identity_constraint USING gin (left_records);
CREATE INDEX identity_constraint_right ON identity_constraint USING gin (right_records);

CREATE TABLE identity_merge_log (
    merge_log_id     uuid PRIMARY KEY,
    kind             text NOT NULL CHECK (kind IN ('merged', 'split', 'rolled_back')),
    source_profile   uuid NOT NULL,
    target_profile   uuid NOT NULL,
    records          uuid[] NOT NULL,          -- the records that moved
    source_snapshot  jsonb NOT NULL,           -- both profiles as they stood before
    target_snapshot  jsonb NOT NULL,
    confidence_score double precision,
    scoring_details  jsonb NOT NULL,
    model_version    text NOT NULL,
    policy_version   text NOT NULL,
    actor            text NOT NULL,
    reason           text NOT NULL,
    decided_at       timestamptz NOT NULL,
    rolled_back      boolean NOT NULL DEFAULT false,
    rolled_back_at   timestamptz,
    rolled_back_by   uuid REFERENCES identity_merge_log
);
CREATE INDEX identity_merge_log_time ON identity_merge_log (decided_at DESC, merge_log_id);
CREATE INDEX identity_merge_log_source ON identity_merge_log (source_profile);
CREATE INDEX identity_merge_log_target ON identity_merge_log (target_profile);

CREATE TABLE review_queue (
    review_id        uuid PRIMARY KEY,
    low_profile      uuid NOT NULL,
    high_profile     uuid NOT NULL,
    low_record       uuid NOT NULL,            -- the best pair of records between the two
    high_record      uuid NOT NULL,
    status           text NOT NULL CHECK (status IN ('pending', 'obsolete', 'approved', 'rejected')),
    reason           text NOT NULL,
    confidence_score double precision NOT NULL,
    scoring_details  jsonb NOT NULL,
    model_version    text NOT NULL,
    policy_version   text NOT NULL,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    CHECK (low_profile < high_profile)
);
CREATE UNIQUE INDEX review_queue_pending ON review_queue (low_profile, high_profile) WHERE status = 'pending';
CREATE INDEX review_queue_high ON review_queue (high_profile) WHERE status = 'pending';

-- ── in and out ────────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE consumer_position (
    stage       text NOT NULL,
    topic       text NOT NULL,
    partition   integer NOT NULL,
    next_offset bigint NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (stage, topic, partition)
);

CREATE TABLE outbox (                          -- one row a topic and transaction; messages in their order
    outbox_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic      text NOT NULL,
    keys       bytea[] NOT NULL,
    payloads   bytea[] NOT NULL,               -- an empty one is a tombstone
    created_at timestamptz NOT NULL DEFAULT now()
);
-- They live for a moment: to compress them would cost more than all else that is done to them.
ALTER TABLE outbox ALTER keys SET STORAGE EXTERNAL, ALTER payloads SET STORAGE EXTERNAL;
