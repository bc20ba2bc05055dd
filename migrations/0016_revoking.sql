-- What stewards said can be taken back: by whom and why, and what becomes of a review that was answered so.
-- depends: 0015_embeddings

ALTER TABLE identity_constraint
    ADD revoked_by    text,
    ADD revoke_reason text;
-- nobody could revoke one but by hand
UPDATE identity_constraint SET revoked_by = 'unknown', revoke_reason = 'unknown' WHERE revoked_at IS NOT NULL;
ALTER TABLE identity_constraint ADD CONSTRAINT identity_constraint_revoked
    CHECK (num_nulls(revoked_at, revoked_by, revoke_reason) IN (0, 3));
CREATE INDEX identity_constraint_time ON identity_constraint (created_at, constraint_id);

-- The entity tag of a constraint: another one once it is revoked, or names other records after a replay.
CREATE FUNCTION constraint_etag(constraint_id uuid, revoked_at timestamptz, left_records uuid[], right_records uuid[]) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT '"' || left(encode(sha256(convert_to(
        concat_ws(' ', constraint_id, extract(epoch FROM revoked_at), left_records, right_records), 'UTF8')), 'hex'), 16) || '"'
$$;

ALTER TABLE review_queue
    DROP CONSTRAINT review_queue_status_check,
    ADD CONSTRAINT review_queue_status_check
        CHECK (status IN ('pending', 'obsolete', 'approved', 'rejected', 'revoked'));  -- revoked: its answer was taken back

ALTER TABLE steward_action
    DROP CONSTRAINT steward_action_act_check,
    ADD CONSTRAINT steward_action_act_check
        CHECK (act IN ('approve', 'reject', 'assign', 'skip', 'split', 'merge', 'rollback', 'revoke'));
