-- Webhooks: who is told of changes where, and what became of each delivery.
-- depends: 0010_twins

CREATE TABLE webhook (
    webhook_id      uuid PRIMARY KEY,
    url             text NOT NULL,
    types           text[] NOT NULL,            -- types of changes; pipeline/changes/kinds.py
    description     text NOT NULL,
    created_by      text NOT NULL,
    created_at      timestamptz NOT NULL,
    revision        bigint NOT NULL DEFAULT 1,  -- grows with each change of how it is delivered
    enabled         boolean NOT NULL DEFAULT true,
    disabled_at     timestamptz,
    disabled_reason text,                       -- null: somebody disabled it; else why the house did
    dead_in_a_row   integer NOT NULL DEFAULT 0, -- since the last delivery that was accepted
    sealed_secret   bytea NOT NULL,             -- under the webhook's data key
    sealed_previous bytea,                      -- the secret before, signed with as well until previous_until
    previous_until  timestamptz,
    CHECK ((sealed_previous IS NULL) = (previous_until IS NULL))
);

CREATE TABLE webhook_delivery (                 -- one row a webhook and message, however often it is tried
    delivery_id  uuid PRIMARY KEY,
    webhook_id   uuid NOT NULL REFERENCES webhook ON DELETE CASCADE,
    topic        text NOT NULL,                 -- of the message, without prefix
    partition    integer NOT NULL,
    "offset"     bigint NOT NULL,
    change_id    text NOT NULL,
    type         text NOT NULL,
    body         bytea NOT NULL,                -- as it is sent; free of personal data, as its topic is
    status       text NOT NULL CHECK (status IN ('failing', 'delivered', 'dead', 'replaying')),
    attempts     integer NOT NULL,              -- since it came, or was replayed
    first_at     timestamptz NOT NULL,
    last_at      timestamptz NOT NULL,
    next_at      timestamptz,                   -- of failing and replaying ones: tried again from then on
    http_status  integer,                       -- of the last answer that came whole
    error        text,
    UNIQUE (webhook_id, topic, partition, "offset"),
    CHECK ((status IN ('failing', 'replaying')) = (next_at IS NOT NULL))
);
CREATE INDEX webhook_delivery_newest ON webhook_delivery (webhook_id, last_at DESC, delivery_id);
CREATE INDEX webhook_delivery_replaying ON webhook_delivery (webhook_id, next_at) WHERE status = 'replaying';
CREATE INDEX webhook_delivery_failing ON webhook_delivery (webhook_id) WHERE status = 'failing';
CREATE INDEX webhook_delivery_age ON webhook_delivery (status, last_at);
