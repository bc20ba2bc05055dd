-- Models and policies by version, and since when which of them decides.

-- name: stored_versions
-- Those of the given configurations that are stored.
SELECT c.kind, c.version FROM unnest(%s::text[], %s::text[]) w(kind, version)
JOIN stored_configuration c USING (kind, version)

-- name: store_configuration
-- Content never changes: its version is made of it.
INSERT INTO stored_configuration (kind, version, content, stored_at)
VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING

-- name: configuration_content
SELECT content FROM stored_configuration WHERE kind = %s AND version = %s

-- name: put_in_force
-- Remember that a stage decides by these versions from now on, unless it did so last.
INSERT INTO configuration_in_force (since, stage, model_version, policy_version)
SELECT %(now)s, %(stage)s, %(model)s, %(policy)s
WHERE ROW(%(model)s::text, %(policy)s::text) IS DISTINCT FROM (
    SELECT ROW(model_version, policy_version) FROM configuration_in_force
    WHERE stage = %(stage)s ORDER BY since DESC LIMIT 1)
ON CONFLICT DO NOTHING

-- name: in_force
-- The versions a stage decided by at a moment (null: now); before the first, those it began with.
SELECT model_version, policy_version FROM configuration_in_force
WHERE stage = %(stage)s
ORDER BY since > coalesce(%(at)s::timestamptz, 'infinity'),
         CASE WHEN since <= coalesce(%(at)s::timestamptz, 'infinity') THEN since END DESC, since
LIMIT 1
