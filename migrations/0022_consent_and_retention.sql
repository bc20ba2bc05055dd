-- What customers said their data may be used for: kept as it was said, and what holds is made of it.
-- depends: 0021_roles

CREATE TABLE consent (
    record_id uuid,                             -- that of its event, with which it moves; null: the event names nobody
    event_id  uuid NOT NULL,
    purpose   text NOT NULL,                    -- one that the policy declared then
    state     text NOT NULL CHECK (state IN ('granted', 'withdrawn')),
    at        timestamptz NOT NULL,
    source    text NOT NULL,
    PRIMARY KEY (event_id, purpose, at, state)
);
CREATE INDEX consent_by_record ON consent (record_id, purpose, at, state, source);
CREATE TRIGGER consent_immutable BEFORE UPDATE OF event_id, purpose, state, at, source ON consent
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER consent_no_truncate BEFORE TRUNCATE ON consent
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What holds of a profile follows from its records: the last word, of two at the same time the withdrawal (pipeline/identity/consent.py).
CREATE VIEW profile_consent AS
SELECT DISTINCT ON (r.profile_id, c.purpose) r.profile_id, c.purpose, c.state, c.at, c.source
FROM identity_record r JOIN consent c USING (record_id)
ORDER BY r.profile_id, c.purpose, c.at DESC, c.state DESC, c.source COLLATE "C" DESC;

-- ── retention: what is due by the deployment's rules goes, as it was planned ───────────────────────────────────────
CREATE TABLE retention_run (
    plan_id     text PRIMARY KEY,
    planned_at  timestamptz NOT NULL,
    plan        jsonb NOT NULL,                 -- pipeline/retention/plan.py
    done        jsonb NOT NULL DEFAULT '{}',    -- what went by now, by kind
    run_id      uuid NOT NULL UNIQUE,           -- events that went name it (event_index.erased_by)
    finished_at timestamptz,
    actor       text,
    reason      text
);

-- Until when events of a type are due; a type that no rule names goes by the default.
CREATE FUNCTION retention_end(event_type text, types text[], ends timestamptz[], otherwise timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE AS $$ SELECT coalesce(ends[array_position(types, event_type)], otherwise) $$;

-- Whether nothing rests on an event: neither its record, which the last of its events brought, nor what a customer granted or withdrew.
CREATE FUNCTION nothing_rests_on(event_id uuid, record_id uuid, occurred_at timestamptz) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT NOT EXISTS (SELECT FROM consent c WHERE c.event_id = $1) AND ($2 IS NULL OR EXISTS (
        SELECT FROM event o WHERE o.record_id = $2 AND o.occurred_at >= $3 AND (o.occurred_at, o.event_id) > ($3, $1)))
$$;
