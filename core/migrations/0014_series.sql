-- A backfill may move to another series and back: which one a session's state and revision are of,
-- and which one an attempt asked for. Of what is here already it is taken to be the job's.
ALTER TABLE job_sessions ADD COLUMN series TEXT;
UPDATE job_sessions SET series = (SELECT series FROM jobs WHERE id = job);
ALTER TABLE job_attempts ADD COLUMN series TEXT;
UPDATE job_attempts SET series = (SELECT series FROM jobs WHERE id = job);
