-- name: load_positions
-- The stored positions of a stage for some partitions.
SELECT p.topic, p.partition, p.next_offset
FROM consumer_position p
JOIN unnest(%(topics)s::text[], %(partitions)s::int[]) AS wanted (topic, partition) USING (topic, partition)
WHERE p.stage = %(stage)s

-- name: advance_positions
-- Moves positions that are where the worker believes them to be, and says how many moved. A row that another worker
-- moves at the same moment is waited for and then found changed.
WITH moves AS (
    SELECT * FROM unnest(%(topics)s::text[], %(partitions)s::int[], %(expected)s::bigint[], %(next)s::bigint[])
        AS m (topic, partition, expected, next)
), moved AS (
    UPDATE consumer_position p SET next_offset = m.next, updated_at = now()
    FROM moves m
    WHERE p.stage = %(stage)s AND p.topic = m.topic AND p.partition = m.partition AND p.next_offset = m.expected
    RETURNING 1
), made AS (
    INSERT INTO consumer_position (stage, topic, partition, next_offset)
    SELECT %(stage)s, topic, partition, next FROM moves WHERE expected IS NULL
    ON CONFLICT DO NOTHING
    RETURNING 1
)
SELECT (SELECT count(*) FROM moved) + (SELECT count(*) FROM made)
