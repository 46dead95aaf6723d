-- Why a backfill reads another series than it was begun with. It outlives what `reason` tells of the
-- moment: a pause, a rest, the end.
ALTER TABLE jobs ADD COLUMN moved TEXT NOT NULL DEFAULT '';
