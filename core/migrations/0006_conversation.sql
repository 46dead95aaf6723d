-- What buttons carry a key of: the command that a click types.
CREATE TABLE buttons (
    key      TEXT PRIMARY KEY,     -- alerts.model.Action.key
    command  TEXT NOT NULL,
    kept_at  TEXT NOT NULL
) STRICT;

-- Private answers, for the Share button under them; a few days.
CREATE TABLE replies (
    key      TEXT PRIMARY KEY,
    who      TEXT NOT NULL,        -- whom it was told: nobody else can share it
    command  TEXT NOT NULL,
    message  TEXT NOT NULL,        -- JSON of alerts.model.Message
    kept_at  TEXT NOT NULL,
    shared   INTEGER NOT NULL DEFAULT 0   -- 1: it is in its channel already
) STRICT;
CREATE INDEX replies_by_age ON replies (kept_at);

-- What reached us already, by the platform's own id: a second copy is not carried out.
CREATE TABLE handled (
    id  TEXT PRIMARY KEY,          -- discord:INTERACTION, slack:ENVELOPE or slack:EVENT
    at  TEXT NOT NULL
) STRICT;
CREATE INDEX handled_by_age ON handled (at);

-- Who did, or was refused, what only operators may.
CREATE TABLE audit (
    id       INTEGER PRIMARY KEY,
    at       TEXT NOT NULL,
    who      TEXT NOT NULL,
    place    TEXT NOT NULL,
    command  TEXT NOT NULL,
    allowed  INTEGER NOT NULL,
    outcome  TEXT NOT NULL
) STRICT;

-- Single facts that outlive the process, such as what Discord was last told our commands are.
CREATE TABLE kept (
    name   TEXT PRIMARY KEY,
    value  TEXT NOT NULL
) STRICT;
