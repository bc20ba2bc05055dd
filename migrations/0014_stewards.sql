-- Reviews that are answered as they were read, given to somebody, put aside; and a trail of what stewards do.
-- depends: 0010_twins

ALTER TABLE review_queue
    ADD revision      integer NOT NULL DEFAULT 0,   -- one more each time it is given to somebody or put aside
    ADD assigned_to   text,                         -- null: nobody's
    ADD skipped_until timestamptz,                  -- until then it is left out of what waits; it comes back by itself
    ADD skip_reason   text,
    ADD CONSTRAINT review_queue_skipped CHECK ((skipped_until IS NULL) = (skip_reason IS NULL));

-- The entity tag of a review: another one as soon as anything that a steward sees of it is. updated_at changes with all that
-- it shows and with its answer.
CREATE FUNCTION review_etag(review_id uuid, status text, updated_at timestamptz, revision integer) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT '"' || left(encode(sha256(convert_to(
        concat_ws(' ', review_id, status, extract(epoch FROM updated_at), revision), 'UTF8')), 'hex'), 16) || '"'
$$;

CREATE TABLE steward_action (
    action_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    acted_at      timestamptz NOT NULL,
    actor         text NOT NULL,
    act           text NOT NULL
        CHECK (act IN ('approve', 'reject', 'assign', 'skip', 'split', 'merge', 'rollback')),
    in_bulk       boolean NOT NULL,                 -- one of several by one request
    review_id     uuid,
    profiles      uuid[] NOT NULL,                  -- those it was about, and those it came to
    merge_log_ids uuid[] NOT NULL,                  -- entries of the merge log that it undid or wrote
    details       jsonb NOT NULL,                   -- whom a review was given to, until when it was put aside
    reason        text,                             -- null where none need be given
    request_id    text,                             -- null: not by way of the gateway
    api_key       text                              -- whose key that request came with
);
CREATE INDEX steward_action_time ON steward_action (acted_at);
CREATE INDEX steward_action_review ON steward_action (review_id) WHERE review_id IS NOT NULL;
CREATE INDEX steward_action_profiles ON steward_action USING gin (profiles);
CREATE TRIGGER steward_action_immutable BEFORE UPDATE OR DELETE ON steward_action
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER steward_action_no_truncate BEFORE TRUNCATE ON steward_action
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
