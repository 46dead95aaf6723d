-- Which copy of the service works on this database. One row at most; whoever is in it works.
CREATE TABLE lease (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    holder     TEXT NOT NULL,             -- an id of one process's life
    place      TEXT NOT NULL,             -- its host and process, for people
    kernel     TEXT,                      -- the boot that it runs under; NULL: unknown
    since      TEXT NOT NULL,
    renewed_at TEXT NOT NULL
) STRICT;
