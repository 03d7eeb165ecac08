-- accounts.sqlite as version 2 of its schema wrote it.
CREATE TABLE account (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    region TEXT NOT NULL,
    admin INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    created_at INTEGER NOT NULL
, plan TEXT) STRICT;
CREATE TABLE profile (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    kids INTEGER NOT NULL,
    maturity_limit INTEGER NOT NULL,
    language TEXT NOT NULL
) STRICT;
CREATE INDEX profile_of ON profile (account, place);
INSERT INTO account VALUES ('0123456789abcdef0123456789abcdef', 'ada@example.org', '$hash', 'DE', 1, 3, 1000000, 'premium');
INSERT INTO profile (id, account, name, kids, maturity_limit, language)
    VALUES ('fedcba9876543210fedcba9876543210', '0123456789abcdef0123456789abcdef', 'Ada', 0, 18, 'de');
PRAGMA user_version = 2;
