-- Dead letters to be looked at, mended and replayed, and stages that were told to wait.
-- depends: 0005_answers

CREATE TABLE dead_letter (                      -- events.dead-letter as a table; filed by the relay's process
    dead_letter_id uuid PRIMARY KEY,
    stage          text NOT NULL,
    reason         text NOT NULL,
    detail         text NOT NULL,
    topic          text NOT NULL,               -- of the message, without prefix
    partition      integer NOT NULL,
    "offset"       bigint NOT NULL,
    message_at     timestamptz NOT NULL,        -- the broker's time of the message
    failed_at      timestamptz NOT NULL,
    sealed_key     bytea,                       -- under the letter's data key; null: the message has none, or is still in its topic
    sealed_value   bytea,
    truncated      boolean NOT NULL,
    replay_of      uuid,                        -- the letter whose replay failed again
    status         text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'replayed', 'dropped'))
);
ALTER TABLE dead_letter ALTER sealed_value SET STORAGE EXTERNAL;  -- random bytes do not compress
CREATE INDEX dead_letter_by_time ON dead_letter (failed_at DESC, dead_letter_id);
CREATE INDEX dead_letter_waiting ON dead_letter (failed_at, dead_letter_id) WHERE status = 'waiting';

CREATE TABLE dead_letter_action (               -- who did what with a letter: append-only
    action_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dead_letter_id uuid NOT NULL REFERENCES dead_letter,
    action         text NOT NULL CHECK (action IN ('edited', 'replayed', 'dropped')),
    at             timestamptz NOT NULL,
    actor          text NOT NULL,
    reason         text NOT NULL,
    fields         text[] NOT NULL DEFAULT '{}',  -- of an edit: the fields it changed, never their values
    sealed_value   bytea                          -- of an edit: the message as it was mended, under the letter's data key
);
ALTER TABLE dead_letter_action ALTER sealed_value SET STORAGE EXTERNAL;
CREATE INDEX dead_letter_action_by_letter ON dead_letter_action (dead_letter_id, action_id);
CREATE TRIGGER dead_letter_action_immutable BEFORE UPDATE OR DELETE ON dead_letter_action
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER dead_letter_action_no_truncate BEFORE TRUNCATE ON dead_letter_action
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

ALTER TABLE outbox ADD owners uuid[];           -- whose data keys seal the payloads; null: they are as they are to be published

CREATE TABLE stage_pause (                      -- a stage handles nothing while a row of its own is open
    pause_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stage         text NOT NULL,
    since         timestamptz NOT NULL,
    reason        text NOT NULL,
    resumed_at    timestamptz,
    resumed_by    text,
    resume_reason text,
    CHECK ((resumed_at IS NULL) = (resumed_by IS NULL) AND (resumed_at IS NULL) = (resume_reason IS NULL))
);
CREATE UNIQUE INDEX stage_pause_open ON stage_pause (stage) WHERE resumed_at IS NULL;
