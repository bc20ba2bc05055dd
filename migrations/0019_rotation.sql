-- Keys rotate while events flow: by which version's hashes records are found, and what is made ready (docs/adr/0031).
-- depends: 0018_erasure

CREATE TABLE key_rotation (                         -- one row
    only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    looked_up smallint,                             -- by whose hashes records are found; null: by those of the version that names them
    other     smallint,                             -- of a rotation: whose hashes are made ready, and then, whose hashes go
    step      text,                                 -- of a rotation: what is done now; pipeline/store/key_versions.py
    place     uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',  -- how far that is
    CHECK ((other IS NULL) = (step IS NULL) AND (other IS NULL OR looked_up <> other))
);
INSERT INTO key_rotation (looked_up) SELECT max(hash_key_version) FROM identity_record;

CREATE TABLE rekeyed (                              -- of a rotation: what match keys become
    old bigint PRIMARY KEY,
    new bigint NOT NULL
);

ALTER TABLE identity_record DROP COLUMN hash_key_version;  -- all are hashed alike, but for what a rotation makes ready

-- The identifiers by which records are found, without those that a rotation makes ready or removes. The planner takes what is
-- distinct from something for nearly all rows, as it is.
CREATE VIEW current_identifier AS
SELECT record_id, type, value_hash, hash_key_version FROM record_identifier
WHERE hash_key_version IS DISTINCT FROM (SELECT other FROM key_rotation);

CREATE OR REPLACE VIEW profile_identifier AS
SELECT r.profile_id, i.type, i.value_hash, max(i.hash_key_version) AS hash_key_version,
       min(r.first_seen) AS first_seen, max(r.last_seen) AS last_seen
FROM record_identifier i JOIN identity_record r USING (record_id)
WHERE i.hash_key_version IS DISTINCT FROM (SELECT other FROM key_rotation)
GROUP BY r.profile_id, i.type, i.value_hash;
