-- What waits to be chained is added and taken out, and never changed; and the audit log is found by what it is asked for.
-- depends: 0019_rotation

CREATE TRIGGER audit_unchained_immutable BEFORE UPDATE ON audit_unchained
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_unchained_no_truncate BEFORE TRUNCATE ON audit_unchained
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Read by time, which entries of late commits are not written in. Equal values share a place in an index that has nothing beside them:
-- an actor's takes 7 bytes an entry, where (actor, entry_id) took 32. Reads and searches are most of the log, so that those are found
-- by time; one index less is written for each.
DROP INDEX audit_entry_at, audit_entry_actor, audit_entry_action;
CREATE INDEX audit_entry_at ON audit_entry (at);
CREATE INDEX audit_entry_actor ON audit_entry (actor);
CREATE INDEX audit_entry_action ON audit_entry (action) WHERE action NOT IN ('customer.read', 'customer.searched');
CREATE INDEX audit_entry_steward_profiles ON audit_entry USING gin (profiles) WHERE action LIKE 'steward.%' AND profiles <> '{}';
