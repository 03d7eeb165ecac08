-- sessions.sqlite as version 1 of its schema wrote it, with what the roles kept in it.
CREATE TABLE record (
    key TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    value BLOB NOT NULL,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX record_expires ON record (expires);
CREATE TABLE counter (version INTEGER NOT NULL) STRICT;
INSERT INTO counter VALUES (7);
INSERT INTO record VALUES
    ('refresh/0123456789abcdef0123456789abcdef', 6,
     CAST('{"account":"fedcba9876543210fedcba9876543210","epoch":2,"profile":"00112233445566778899aabbccddeeff","device":"TV","began_at":1699999000,"current":"630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd","previous":{"hash":"e3e16780becf601d55e4751e7d722ef91d750bb0cea61b1bb5ea8bc308cdf262","sealed":"v1V1QaSVdYN5kuhVNazKUG-S3rnxRz2NMlOvkRRM8ro","rotated_at":1699999990}}' AS BLOB),
     1702591990),
    ('streams/fedcba9876543210fedcba9876543210', 7,
     CAST('[{"id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","session":"0123456789abcdef0123456789abcdef","item":"film","expires":1700000060}]' AS BLOB),
     1700000060);
PRAGMA user_version = 1;
