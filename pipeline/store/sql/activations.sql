-- Whoever decides shares a lock that an activation takes alone: behind consumer positions and before all others.

-- name: keep_activation_out
SELECT pg_advisory_xact_lock_shared(hashtext('retail-brain activation'), 0)

-- name: activate_alone
SELECT pg_advisory_xact_lock(hashtext('retail-brain activation'), 0)

-- name: standing
-- The last activation, and by which version of the keys records are found.
SELECT (SELECT coalesce(max(activation_id), 0) FROM activation), looked_up, other, step FROM key_rotation

-- name: key_versions
-- By which version of the keys records are found, and what a rotation is at.
SELECT looked_up, other, step FROM key_rotation
