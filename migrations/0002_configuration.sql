-- The configuration that decided: kept whole by version, so that a decision can be explained by its own.
-- depends: 0001_house

CREATE TABLE stored_configuration (
    kind      text NOT NULL CHECK (kind IN ('model', 'policy')),
    version   text NOT NULL,
    content   bytea NOT NULL,               -- zlib of JSON; pipeline/store/configurations.py
    stored_at timestamptz NOT NULL,
    PRIMARY KEY (kind, version)
);
ALTER TABLE stored_configuration ALTER content SET STORAGE EXTERNAL;  -- compressed already
CREATE TRIGGER stored_configuration_immutable BEFORE UPDATE OR DELETE ON stored_configuration
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER stored_configuration_no_truncate BEFORE TRUNCATE ON stored_configuration
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE configuration_in_force (       -- by which versions arrivals were decided, and from when on
    since          timestamptz NOT NULL,
    stage          text NOT NULL,
    model_version  text NOT NULL,
    policy_version text NOT NULL,
    PRIMARY KEY (stage, since)
);
