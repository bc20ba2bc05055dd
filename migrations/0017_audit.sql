-- The audit log: who did or saw what, when and why; append-only, and chained by hashes (docs/adr/0029).
-- depends: 0016_revoking

CREATE TABLE audit_entry (                          -- written in the transaction of what it tells of
    entry_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL,
    actor      text NOT NULL,
    action     text NOT NULL,                       -- pipeline/audit/actions.py
    profiles   uuid[] NOT NULL,                     -- whom it was about
    objects    text[] NOT NULL,                     -- what else it was about: kind:id
    reason     text,                                -- null: none was given
    request_id text,                                -- null: not by way of the gateway
    api_key    text,                                -- who holds the key that the request came with
    api_key_id text,
    details    jsonb NOT NULL CHECK (jsonb_typeof(details) = 'object')  -- nothing of a person
);
CREATE INDEX audit_entry_actor ON audit_entry (actor, entry_id);
CREATE INDEX audit_entry_action ON audit_entry (action, entry_id);
CREATE INDEX audit_entry_profiles ON audit_entry USING gin (profiles) WHERE profiles <> '{}';
CREATE INDEX audit_entry_objects ON audit_entry USING gin (objects) WHERE objects <> '{}';
CREATE INDEX audit_entry_at ON audit_entry USING brin (at);
CREATE INDEX audit_entry_steward ON audit_entry (entry_id) WHERE action LIKE 'steward.%';

CREATE TABLE audit_chain (                          -- one writer: the relay's process; pipeline/audit/chain.py
    seq         bigint PRIMARY KEY,
    entry_id    bigint NOT NULL UNIQUE,
    previous    bytea NOT NULL CHECK (octet_length(previous) = 32),   -- the hash before; of the first, zeros
    hash        bytea NOT NULL CHECK (octet_length(hash) = 32),       -- SHA-256 of that and the entry
    signed_at   timestamptz,                        -- the last one of those that are chained together is signed
    key_version smallint,
    signature   bytea,
    CHECK ((signed_at IS NULL) = (signature IS NULL) AND (key_version IS NULL) = (signature IS NULL))
);

CREATE TABLE audit_unchained (                      -- entries that are to be chained; a row an insert
    unchained_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entries      bigint[] NOT NULL,
    since        timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TRIGGER audit_entry_immutable BEFORE UPDATE OR DELETE ON audit_entry
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_entry_no_truncate BEFORE TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_chain_immutable BEFORE UPDATE OR DELETE ON audit_chain
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_chain_no_truncate BEFORE TRUNCATE ON audit_chain
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Those entries of the merge log that objects name.
CREATE FUNCTION merge_logs_of(objects text[]) RETURNS uuid[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(array_agg(substr(o, 11)::uuid), '{}') FROM unnest(objects) o WHERE o LIKE 'merge_log:%'
$$;

-- What entries of the merge log say, as a hash: the columns that never change, as text that no setting changes.
CREATE FUNCTION merge_log_digest(ids uuid[]) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = public SET timezone = 'UTC' SET extra_float_digits = 1 AS $$
    SELECT encode(sha256(convert_to(coalesce(string_agg(jsonb_build_array(
        l.merge_log_id, l.kind, l.source_profile, l.target_profile, l.records, l.source_snapshot, l.target_snapshot,
        l.confidence_score, l.scoring_details, l.model_version, l.policy_version, l.actor, l.reason, l.decided_at)::text,
        chr(10) ORDER BY l.merge_log_id), ''), 'UTF8')), 'hex')
    FROM identity_merge_log l WHERE l.merge_log_id = ANY(ids)
$$;

-- What stewards did is in the audit log from now on, and nowhere else.
INSERT INTO audit_entry (at, actor, action, profiles, objects, reason, request_id, api_key, details)
SELECT acted_at, actor, 'steward.' || act, profiles,
       CASE WHEN review_id IS NULL THEN '{}'::text[] ELSE ARRAY['review:' || review_id] END
       || ARRAY(SELECT 'merge_log:' || id FROM unnest(merge_log_ids) id),
       reason, request_id, api_key,
       details || CASE WHEN in_bulk THEN '{"in_bulk": true}'::jsonb ELSE '{}'::jsonb END
FROM steward_action ORDER BY action_id;
DROP TABLE steward_action;
CREATE VIEW steward_action AS
SELECT entry_id AS action_id, at AS acted_at, actor, substr(action, 9) AS act,
       coalesce((details ->> 'in_bulk')::boolean, false) AS in_bulk,
       (SELECT substr(o, 8)::uuid FROM unnest(objects) o WHERE o LIKE 'review:%') AS review_id,
       profiles, merge_logs_of(objects) AS merge_log_ids, details - '{in_bulk,merge_logs}'::text[] AS details,
       reason, request_id, api_key, objects
FROM audit_entry WHERE action LIKE 'steward.%';

-- What was merged and split before stands in the chain as it was when the chain began.
INSERT INTO audit_entry (at, actor, action, profiles, objects, details)
SELECT now(), 'migrate', 'identity.decided', '{}', array_agg('merge_log:' || merge_log_id ORDER BY merge_log_id),
       jsonb_build_object('merge_logs', merge_log_digest(array_agg(merge_log_id)))
FROM (SELECT merge_log_id, (row_number() OVER (ORDER BY merge_log_id) - 1) / 1000 AS chunk FROM identity_merge_log) l
GROUP BY chunk ORDER BY chunk;

INSERT INTO audit_unchained (entries)
SELECT array_agg(entry_id ORDER BY entry_id) FROM audit_entry GROUP BY (entry_id - 1) / 100 ORDER BY 1;
