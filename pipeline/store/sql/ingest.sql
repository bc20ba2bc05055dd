-- name: add_data_keys
-- Stores wrapped data keys of owners that have none yet. Arrays go in binary: a tenth of the work.
INSERT INTO data_key (owner_id, wrapped, key_version)
SELECT * FROM unnest(%b::uuid[], %b::bytea[], %b::smallint[])
ON CONFLICT (owner_id) DO NOTHING

-- name: add_raw_events
-- Stores raw events as they came, sealed; one that is stored already stays as it is.
INSERT INTO customer_raw_event (raw_id, event_id, accepted_at, topic, partition, "offset", sealed)
SELECT * FROM unnest(
    %b::uuid[], %b::uuid[], %b::timestamptz[], %b::text[], %b::integer[], %b::bigint[], %b::bytea[])
ON CONFLICT DO NOTHING

-- name: ensure_month
-- Makes the partition of a table for a month (any day of it, in UTC) where it is missing.
SELECT ensure_month(%s::text, %s::date)
