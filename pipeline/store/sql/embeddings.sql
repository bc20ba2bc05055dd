-- What customers buy as vectors. Kept by the consumer `embeddings`, and by nobody else, in a table of its own: it takes no lock that
-- deciding waits for.

-- name: embeddings_turn
-- One writer at a time: who read before another wrote would write what stood before. Held until the end of the transaction.
SELECT pg_advisory_xact_lock(hashtext('retail-brain embeddings'), 0)

-- name: embeddings_due
-- Some of the profiles whose events were changed without a message, taken off the list.
DELETE FROM embedding_due WHERE profile_id IN (SELECT profile_id FROM embedding_due LIMIT %s) RETURNING profile_id

-- name: embeddings_bought
-- In how many of its newest orders a profile bought each product and category. Of profiles, and of those that records stand in; one
-- that bought nothing has no features. What is sent back (no quantity, or less than none) is not bought.
WITH asked AS MATERIALIZED (
    SELECT unnest(%(profiles)s::uuid[]) AS profile_id
    UNION
    SELECT profile_id FROM identity_record WHERE record_id = ANY(%(records)s::uuid[])
)
SELECT a.profile_id, coalesce(b.features, '{}') AS features, coalesce(b.orders, '{}') AS orders
FROM asked a CROSS JOIN LATERAL (
    SELECT array_agg(feature ORDER BY feature) AS features, array_agg(orders::int ORDER BY feature) AS orders
    FROM (
        SELECT held.feature, count(*) AS orders
        FROM (
            SELECT e.items
            FROM identity_record r CROSS JOIN LATERAL (
                SELECT i.occurred_at, i.event_id, i.items FROM event i
                WHERE i.record_id = r.record_id AND i.order_amount IS NOT NULL
                ORDER BY i.occurred_at DESC, i.event_id DESC LIMIT %(most)s
            ) e
            WHERE r.profile_id = a.profile_id
            ORDER BY e.occurred_at DESC, e.event_id DESC LIMIT %(most)s
        ) newest CROSS JOIN LATERAL (
            SELECT DISTINCT f.feature
            FROM jsonb_array_elements(newest.items) item,
                 LATERAL (VALUES ('sku:' || (item ->> 'sku')), ('category:' || (item ->> 'category'))) f(feature)
            WHERE f.feature IS NOT NULL AND (item ->> 'quantity')::float8 > 0
        ) held
        GROUP BY held.feature
    ) counted
) b

-- name: embeddings_write
-- Vectors as sparse vectors' text; a null is no vector. Equal ones are not written again.
WITH new AS (
    SELECT * FROM unnest(%(profiles)s::uuid[], %(embeddings)s::text[]) n(profile_id, embedding)
), none AS (
    DELETE FROM profile_embedding USING new WHERE profile_embedding.profile_id = new.profile_id AND new.embedding IS NULL
)
INSERT INTO profile_embedding (profile_id, embedding)
SELECT profile_id, embedding::sparsevec FROM new WHERE embedding IS NOT NULL
ON CONFLICT (profile_id) DO UPDATE SET embedding = excluded.embedding
WHERE profile_embedding.embedding IS DISTINCT FROM excluded.embedding

-- name: similar_profiles
-- The profiles whose vectors are nearest to one's own. All are compared: docs/adr/0026 says what an index would cost and bring.
WITH mine AS MATERIALIZED (SELECT embedding FROM profile_embedding WHERE profile_id = %(profile_id)s)
SELECT e.profile_id, 1 - (e.embedding <=> mine.embedding) AS similarity
FROM mine JOIN profile_embedding e ON e.profile_id <> %(profile_id)s
JOIN customer_profile p ON p.profile_id = e.profile_id AND NOT p.is_merged
ORDER BY e.embedding <=> mine.embedding, e.profile_id LIMIT %(limit)s
