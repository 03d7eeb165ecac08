-- catalogue.sqlite as version 1 of its schema wrote it: what a later version must take over.
PRAGMA user_version = 1;
CREATE TABLE title (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    sort_name TEXT NOT NULL,
    maturity INTEGER NOT NULL,
    document TEXT NOT NULL
) STRICT;
CREATE INDEX title_by_name ON title (sort_name, id);
-- Whatever has an id: titles, and the episodes in them.
CREATE TABLE item (
    id TEXT PRIMARY KEY,
    title TEXT NOT NULL REFERENCES title (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX item_of ON item (title);
CREATE TABLE genre (
    genre TEXT NOT NULL,
    title TEXT NOT NULL REFERENCES title (id) ON DELETE CASCADE,
    PRIMARY KEY (genre, title)
) STRICT, WITHOUT ROWID;
CREATE INDEX genre_of ON genre (title);
CREATE TABLE spoken (
    language TEXT NOT NULL,
    title TEXT NOT NULL REFERENCES title (id) ON DELETE CASCADE,
    PRIMARY KEY (language, title)
) STRICT, WITHOUT ROWID;
CREATE INDEX spoken_of ON spoken (title);
CREATE TABLE availability (
    title TEXT NOT NULL REFERENCES title (id) ON DELETE CASCADE,
    region TEXT NOT NULL, -- '*' is everywhere
    begins INTEGER NOT NULL,
    ends INTEGER NOT NULL
) STRICT;
CREATE INDEX availability_of ON availability (title);
CREATE VIRTUAL TABLE search USING fts5 (
    name, people, synopsis, tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3 4'
);
CREATE VIRTUAL TABLE search_word USING fts5vocab (search, col);
-- The words of names and people, with what is left of each when letters are missing.
CREATE TABLE word (word TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE misspelling (
    variant TEXT NOT NULL,
    word TEXT NOT NULL REFERENCES word (word) ON DELETE CASCADE,
    PRIMARY KEY (variant, word)
) STRICT, WITHOUT ROWID;
CREATE INDEX misspelling_of ON misspelling (word);
INSERT INTO title (place, id, kind, sort_name, maturity, document)
    VALUES (1, 'kept', 'film', 'kept', 12,
    '{"id": "kept", "kind": "film", "name": "Kept", "synopsis": "It was there before.", "maturity": 12, "genres": ["drama"], "people": [{"name": "Ada Keeper", "role": "director"}], "artwork": [], "audio_languages": ["de"], "subtitle_languages": [], "availability": [{"regions": ["DE"]}], "media": {"duration_seconds": 60, "hls": "/kept/master.m3u8"}}');
INSERT INTO item (id, title) VALUES ('kept', 'kept');
INSERT INTO genre (genre, title) VALUES ('drama', 'kept');
INSERT INTO spoken (language, title) VALUES ('de', 'kept');
INSERT INTO availability (title, region, begins, ends)
    VALUES ('kept', 'DE', -9223372036854775808, 9223372036854775807);
INSERT INTO search (rowid, name, people, synopsis)
    VALUES (1, 'Kept', 'Ada Keeper', 'It was there before.');
INSERT INTO title (place, id, kind, sort_name, maturity, document)
    VALUES (2, 'serial', 'series', 'serial', 0,
    '{"id": "serial", "kind": "series", "name": "Serial", "synopsis": "", "maturity": 0, "genres": ["comedy"], "people": [], "artwork": [], "audio_languages": [], "subtitle_languages": [], "availability": [{"regions": []}], "seasons": [{"number": 1, "episodes": [{"id": "serial-1", "number": 1, "name": "One", "synopsis": "", "media": {"duration_seconds": 60, "hls": "/1.m3u8"}}]}]}');
INSERT INTO item (id, title) VALUES ('serial', 'serial');
INSERT INTO item (id, title) VALUES ('serial-1', 'serial');
INSERT INTO genre (genre, title) VALUES ('comedy', 'serial');
INSERT INTO availability (title, region, begins, ends)
    VALUES ('serial', '*', -9223372036854775808, 9223372036854775807);
INSERT INTO search (rowid, name, people, synopsis)
    VALUES (2, 'Serial', '', '');
