-- Splits that are proposed to a steward, beside the merges that are.
-- depends: 0003_limits

ALTER TABLE customer_profile ADD held boolean NOT NULL DEFAULT false;  -- kept together until a steward answers a proposal

ALTER TABLE review_queue ADD kind text NOT NULL DEFAULT 'merge' CHECK (kind IN ('merge', 'split'));
ALTER TABLE review_queue DROP CONSTRAINT review_queue_check;
-- A split is of one profile: both name it, low_record and high_record are of the first part and of the rest, and
-- scoring_details holds the records of each part.
ALTER TABLE review_queue ADD CONSTRAINT review_queue_sides
    CHECK (kind = 'merge' AND low_profile < high_profile OR kind = 'split' AND low_profile = high_profile);
