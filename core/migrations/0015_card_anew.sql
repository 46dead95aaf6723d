-- Was the card posted once more, as somebody had deleted it? Then it is not a third time.
ALTER TABLE jobs ADD COLUMN anew INTEGER NOT NULL DEFAULT 0;
