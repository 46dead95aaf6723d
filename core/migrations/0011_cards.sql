-- What the card of a backfill showed last: a start finds those that are owed another look.
ALTER TABLE jobs ADD COLUMN shown TEXT;     -- state, stage and reason of then; NULL: nothing yet
ALTER TABLE jobs ADD COLUMN given_up TEXT;  -- the stages that ended in a fault nobody foresaw
-- What is over was told as far as it was; nobody is told of it anew because of this.
UPDATE jobs SET shown = state || ' ' || coalesce(stage, '') || ' ' || reason
    WHERE ended_at IS NOT NULL;
