-- Seconds of work alone, without waiting for a call, a worker or the turn; NULL: not known.
ALTER TABLE job_attempts ADD COLUMN worked REAL;
