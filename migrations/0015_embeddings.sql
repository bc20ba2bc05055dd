-- What a customer buys as a vector: in a table that its consumer alone writes, and not in the profile (docs/adr/0026).
-- depends: 0012_customer

CREATE TABLE profile_embedding (              -- no row: nothing bought, or merged away
    profile_id uuid PRIMARY KEY,              -- no foreign key: it would lock the profile, which deciding may wait for
    embedding  sparsevec(768) NOT NULL        -- of length 1; most customers buy a few dozen things of all that there are
);

CREATE TABLE embedding_due (                  -- profiles whose events were changed without a message (activations)
    profile_id uuid NOT NULL
);
INSERT INTO embedding_due SELECT profile_id FROM customer_profile WHERE NOT is_merged;

-- Nothing ever wrote it. There, every vector would be a new version of the row that deciding locks.
ALTER TABLE customer_profile DROP COLUMN embedding;

-- A customer's newest orders are read from it as well, not only the sums over all of them.
CREATE INDEX event_orders_by_time ON event (record_id, occurred_at) INCLUDE (order_amount, currency)
    WHERE order_amount IS NOT NULL;
DROP INDEX event_orders;
ALTER INDEX event_orders_by_time RENAME TO event_orders;
