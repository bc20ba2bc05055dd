-- Whoever decides shares a lock that an activation takes alone: behind consumer positions and before all others.

-- name: keep_activation_out
SELECT pg_advisory_xact_lock_shared(hashtext('retail-brain activation'), 0)

-- name: activate_alone
SELECT pg_advisory_xact_lock(hashtext('retail-brain activation'), 0)

-- name: last_activation
SELECT coalesce(max(activation_id), 0) FROM activation
