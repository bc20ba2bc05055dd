-- What a record says of a person, as a keyed number: those who share an identifier and say the same stand in one row.
-- depends: 0007_reopened_letters

ALTER TABLE match_key ADD COLUMN likeness bigint NOT NULL DEFAULT 0;
