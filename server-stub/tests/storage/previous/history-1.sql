-- history.sqlite as version 1 of its schema wrote it.
CREATE TABLE position (
    profile TEXT NOT NULL,
    item TEXT NOT NULL,
    title TEXT NOT NULL,
    seconds INTEGER NOT NULL,
    finished INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (profile, item)
) STRICT, WITHOUT ROWID;
CREATE INDEX position_latest ON position (profile, at);
CREATE TABLE listed (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    profile TEXT NOT NULL,
    title TEXT NOT NULL,
    UNIQUE (profile, title)
) STRICT;
CREATE TABLE rating (
    profile TEXT NOT NULL,
    title TEXT NOT NULL,
    rating TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (profile, title)
) STRICT, WITHOUT ROWID;
INSERT INTO position VALUES
    ('fedcba9876543210fedcba9876543210', 'show-1', 'show', 30, 0, 1000000),
    ('fedcba9876543210fedcba9876543210', 'film', 'film', 60, 1, 1000001);
INSERT INTO listed (profile, title) VALUES
    ('fedcba9876543210fedcba9876543210', 'a'), ('fedcba9876543210fedcba9876543210', 'b');
INSERT INTO rating VALUES ('fedcba9876543210fedcba9876543210', 'film', 'love', 1000002);
PRAGMA user_version = 1;
