-- What is needed to judge again what rests on a match key when it crosses a limit.
-- depends: 0002_configuration

ALTER TABLE match_key ADD person integer NOT NULL DEFAULT 0;  -- whom the record names, as a keyed tag; 0 is nobody

ALTER TABLE identity_evidence ADD via bytea NOT NULL DEFAULT '';  -- the match keys that made the pair candidates: 9 bytes each

CREATE TABLE worn_key (                       -- match keys that crossed a limit of the policy
    key    bigint PRIMARY KEY,
    kind   text NOT NULL,                     -- of match key; of an identifier its type
    step   smallint NOT NULL,                 -- 1 to 3: shared by too many people; 4: over-full
    lost   double precision NOT NULL,         -- bits that agreement on the identifier lost; infinity: it says nothing
    people integer NOT NULL,                  -- who shared the identifier when it came to the step
    reason text NOT NULL,
    since  timestamptz NOT NULL
);

CREATE TABLE shared_identifier (              -- the records that hold an identifier which is shared
    record_id uuid NOT NULL,
    key       bigint NOT NULL,
    PRIMARY KEY (record_id, key)
);
