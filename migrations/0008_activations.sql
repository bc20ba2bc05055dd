-- What stood was replaced by what a replay of the stored events came to: when, by whom and why.
-- depends: 0007_reopened_letters

CREATE TABLE activation (
    activation_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at             timestamptz NOT NULL,
    actor          text NOT NULL,
    reason         text NOT NULL,
    plan           text NOT NULL,
    model_version  text NOT NULL,
    policy_version text NOT NULL,
    counts         jsonb NOT NULL               -- profiles merged, split, changed, ...; pipeline/replay/difference.py
);
CREATE TRIGGER activation_immutable BEFORE UPDATE OR DELETE ON activation
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER activation_no_truncate BEFORE TRUNCATE ON activation
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
