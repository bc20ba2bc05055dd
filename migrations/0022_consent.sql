-- What customers said their data may be used for: kept as it was said, and what holds is made of it.
-- depends: 0018_erasure

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
