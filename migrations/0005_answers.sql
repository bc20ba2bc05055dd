-- Which review a steward's constraint answers.
-- depends: 0004_proposals

-- An answered review and its constraints are written in one transaction: who answered, why and when is said there.
ALTER TABLE identity_constraint ADD review_id uuid REFERENCES review_queue;  -- null: no review asked, as of a rollback
CREATE INDEX identity_constraint_review ON identity_constraint (review_id) WHERE review_id IS NOT NULL;
