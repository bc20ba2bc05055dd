-- name: pause_stage
-- Opens a pause of a stage, unless one is open.
INSERT INTO stage_pause (stage, since, reason) VALUES (%(stage)s, %(since)s, %(reason)s)
ON CONFLICT (stage) WHERE resumed_at IS NULL DO NOTHING

-- name: resume_stage
-- Ends the open pause of a stage and says what it was.
UPDATE stage_pause SET resumed_at = %(at)s, resumed_by = %(actor)s, resume_reason = %(reason)s
WHERE stage = %(stage)s AND resumed_at IS NULL
RETURNING stage, since, reason

-- name: open_pauses
-- The stages that are paused, since when and why.
SELECT stage, since, reason FROM stage_pause WHERE resumed_at IS NULL ORDER BY stage
