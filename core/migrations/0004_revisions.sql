-- A message is the digest of a session or, with the revision that its readers saw last, a correction.
ALTER TABLE deliveries ADD COLUMN since INTEGER;

-- Which line of the digest it was; NULL: it was none. What was stored before counts as said.
ALTER TABLE anomalies ADD COLUMN line INTEGER;
UPDATE anomalies SET line = rank;
