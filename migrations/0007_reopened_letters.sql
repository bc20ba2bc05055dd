-- A letter whose message failed again after it was replayed or dropped waits again.
-- depends: 0006_dead_letters

ALTER TABLE dead_letter_action DROP CONSTRAINT dead_letter_action_action_check;
ALTER TABLE dead_letter_action ADD CONSTRAINT dead_letter_action_action_check
    CHECK (action IN ('edited', 'replayed', 'dropped', 'reopened'));
