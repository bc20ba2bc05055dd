-- Everything that identity rests on, for verify and whatif: whole tables, read in one snapshot and written never.

-- name: begin_snapshot
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY

-- name: plan_for_whole_tables
-- The house's queries look up a few keys by their indexes; these read tables to their end, and all of a cursor's rows.
SELECT set_config(name, value, true)
FROM (VALUES ('enable_hashjoin', 'on'), ('enable_mergejoin', 'on'), ('cursor_tuple_fraction', '1')) s(name, value)

-- name: stored_counts
-- How many rows each of the queries below has at most.
SELECT (SELECT count(*) FROM identity_record), (SELECT count(*) FROM identity_evidence)

-- name: stored_records
-- Every record with what opens it: no key where its person was forgotten.
SELECT r.record_id, r.profile_id, r.first_seen, r.last_seen, r.sources, r.sealed, k.wrapped,
       k.key_version
FROM identity_record r LEFT JOIN data_key k ON k.owner_id = r.record_id

-- name: stored_products
-- What the events of each record bought; records without purchases are missing.
SELECT record_id, array_agg(product) FROM record_product GROUP BY record_id

-- name: stored_keys
-- Under which match keys each record is found; beside each the kinds of all, whom it names, and what it says of a person.
SELECT record_id, array_agg(key), array_agg(record_kinds), array_agg(person), array_agg(likeness)
FROM match_key GROUP BY record_id

-- name: stored_overfull
-- Keys that are over-full: records that came since are not filed under them.
SELECT key FROM worn_key WHERE step = 4

-- name: stored_shared
-- The identifiers of each record that too many people share, as match keys, and the bits that agreement on each lost.
SELECT s.record_id, array_agg(s.key), array_agg(w.lost)
FROM shared_identifier s JOIN worn_key w USING (key) GROUP BY s.record_id

-- name: stored_identifiers
-- The hashed identifiers of each record.
SELECT record_id, array_agg(type), array_agg(value_hash), array_agg(hash_key_version)
FROM record_identifier GROUP BY record_id

-- name: stored_profiles
-- Every profile, and the highest version the merge log saw it have before a change.
SELECT p.profile_id, p.version, p.created_at, p.is_merged, p.merged_into, p.golden, p.contested, p.held, logged.version
FROM customer_profile p
LEFT JOIN (
    SELECT profile_id, max(version) AS version
    FROM (
        SELECT source_profile AS profile_id, (source_snapshot ->> 'version')::bigint AS version FROM identity_merge_log
        UNION ALL
        SELECT target_profile, (target_snapshot ->> 'version')::bigint FROM identity_merge_log
    ) seen
    GROUP BY profile_id
) logged USING (profile_id)

-- name: stored_constraints
-- Standing constraints, rollbacks and answered reviews among them; cannot-links first, for they outweigh must-links.
SELECT kind, left_records, right_records FROM identity_constraint
WHERE revoked_at IS NULL ORDER BY kind, constraint_id

-- name: stored_reviews
-- Pairs of profiles that wait for a steward.
SELECT low_profile, high_profile, low_record, high_record, reason, confidence_score FROM review_queue
WHERE status = 'pending' AND kind = 'merge'

-- name: stored_evidence
-- All evidence, with the versions that made it.
SELECT low, high, weight, confidence, levels, veto, model_version, policy_version FROM identity_evidence

-- name: plan_for_few_rows
-- What the house's queries are planned by otherwise.
SELECT set_config(name, value, true)
FROM (VALUES ('enable_hashjoin', 'off'), ('enable_mergejoin', 'off')) s(name, value)
