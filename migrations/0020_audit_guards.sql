-- What waits to be chained is added and taken out, and never changed; and the audit log is found by what it is asked for.
-- depends: 0018_erasure

CREATE TRIGGER audit_unchained_immutable BEFORE UPDATE ON audit_unchained
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_unchained_no_truncate BEFORE TRUNCATE ON audit_unchained
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
