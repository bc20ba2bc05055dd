-- People who were forgotten: what was done is told by a signed receipt, and nothing brings them back.
-- depends: 0015_embeddings

CREATE TABLE erasure (
    erasure_id uuid PRIMARY KEY,
    erased_at  timestamptz NOT NULL,
    actor      text NOT NULL,
    reason     text NOT NULL,
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
ALTER TABLE event_index ADD erased boolean NOT NULL DEFAULT false;

CREATE TABLE duplicate_event (                    -- raw events that brought an event again: to be forgotten with it
    event_id uuid NOT NULL,
    raw_id   uuid NOT NULL,
    PRIMARY KEY (event_id, raw_id)
);

-- A profile as the merge log keeps it, without records and hashes of a person who was forgotten.
CREATE FUNCTION without_person(snapshot jsonb, records text[], hashes text[]) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN snapshot -> 'records' ?| records THEN snapshot || jsonb_build_object(
        'records', coalesce((SELECT jsonb_agg(r) FROM jsonb_array_elements_text(snapshot -> 'records') r WHERE r <> ALL(records)), '[]'),
        'golden', coalesce((SELECT jsonb_object_agg(key, value) FROM jsonb_each_text(snapshot -> 'golden') WHERE value <> ALL(records)), '{}'),
        'identifiers', coalesce((SELECT jsonb_agg(i) FROM jsonb_array_elements(snapshot -> 'identifiers') i
                                 WHERE i ->> 0 || ' ' || (i ->> 1) <> ALL(hashes)), '[]'))
    ELSE snapshot END
$$;
