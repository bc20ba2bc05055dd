-- People who were forgotten: what was done is told by a signed receipt, and nothing brings them back.
-- depends: 0017_audit

CREATE TABLE erasure (
    erasure_id uuid PRIMARY KEY,
    erased_at  timestamptz NOT NULL,
    actor      text NOT NULL,
    reason     text NOT NULL,
    request_id text,                              -- null: not by way of the gateway
    api_key    text,                              -- whose key that request came with
    receipt    bytea NOT NULL                     -- JSON as it was signed; pipeline/erasure/receipt.py
);
CREATE INDEX erasure_time ON erasure (erased_at DESC, erasure_id);
CREATE TRIGGER erasure_immutable BEFORE UPDATE OR DELETE ON erasure
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER erasure_no_truncate BEFORE TRUNCATE ON erasure
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE erased_profile (                     -- ids that are never given again
    profile_id uuid PRIMARY KEY,
    erasure_id uuid NOT NULL REFERENCES erasure
);

CREATE TABLE kept_wear (                          -- match keys that stay worn, though people who wore them were forgotten
    key bigint PRIMARY KEY
);

-- An erased event keeps its id, so that it is taken for what it is should it come again.
ALTER TABLE event_index ADD erased_by uuid;
CREATE INDEX event_index_erased ON event_index (erased_by) WHERE erased_by IS NOT NULL;

CREATE TABLE duplicate_event (                    -- raw events that brought an event again: to be forgotten with it
    event_id uuid NOT NULL,
    raw_id   uuid NOT NULL,
    PRIMARY KEY (event_id, raw_id)
);
INSERT INTO duplicate_event (event_id, raw_id)
SELECT w.event_id, w.raw_id FROM customer_raw_event w JOIN event_index i USING (event_id)
JOIN event e ON e.accepted_at = i.accepted_at AND e.event_id = i.event_id
WHERE e.raw_id <> w.raw_id;

-- Found by what is there, and not only by what is merged or waits.
DROP INDEX customer_profile_merged_into;
CREATE INDEX customer_profile_merged_into ON customer_profile (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX review_queue_of_low ON review_queue (low_profile);
CREATE INDEX review_queue_of_high ON review_queue (high_profile);
DROP INDEX review_queue_high;

-- A profile as the merge log keeps it, without records and hashes of a person who was forgotten.
CREATE FUNCTION without_person(snapshot jsonb, records text[], hashes text[]) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN snapshot -> 'records' ?| records THEN snapshot || jsonb_build_object(
        'records', coalesce((SELECT jsonb_agg(r) FROM jsonb_array_elements_text(snapshot -> 'records') r WHERE r <> ALL(records)), '[]'),
        'golden', coalesce((SELECT jsonb_object_agg(key, value) FROM jsonb_each_text(snapshot -> 'golden') WHERE value <> ALL(records)), '{}'),
        'identifiers', coalesce((SELECT jsonb_agg(i) FROM jsonb_array_elements(snapshot -> 'identifiers') i
                                 WHERE i ->> 0 || ' ' || (i ->> 1) <> ALL(hashes)), '[]'))
    ELSE snapshot END
$$;
