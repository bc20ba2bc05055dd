-- What needs more than a role has is done by functions and a view of the owner (docs/adr/0033); who may use them is declared in
-- pipeline/store/rights.py, and granted after the last migration.
-- depends: 0020_audit_guards

-- The stages make partitions of two tables, and own none.
CREATE OR REPLACE FUNCTION ensure_month(parent text, month date) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    name text := parent || to_char(month, '_YYYYMM');
BEGIN
    IF parent NOT IN ('customer_raw_event', 'event') THEN
        RAISE EXCEPTION '% has no months', parent USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF to_regclass(name) IS NOT NULL THEN RETURN; END IF;
    -- one at a time; taking a table lock also makes us see what the one before us created
    EXECUTE format('LOCK TABLE %I IN SHARE UPDATE EXCLUSIVE MODE', parent);
    IF to_regclass(name) IS NOT NULL THEN RETURN; END IF;
    EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', name, parent,
        date_trunc('month', month)::timestamp AT TIME ZONE 'UTC',
        (date_trunc('month', month) + interval '1 month')::timestamp AT TIME ZONE 'UTC');
END $$;

-- Whoever tells the audit log of a decision need not be able to read the merge log.
ALTER FUNCTION merge_log_digest(uuid[]) SECURITY DEFINER SET search_path = public, pg_temp;

-- Who delivers to webhooks sees the keys of their secrets, and nobody else's.
CREATE VIEW webhook_key AS
SELECT k.owner_id, k.wrapped, k.key_version FROM data_key k JOIN webhook w ON w.webhook_id = k.owner_id;
