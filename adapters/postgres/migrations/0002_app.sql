-- What is neither replayed nor switched: secrets, ids given out, generations of read models.

-- Random values made once, wrapped by the master key (the pepper of every keyed hash, the instance's private key).
CREATE TABLE app.secrets (
    name    text  PRIMARY KEY,
    wrapped bytea NOT NULL
);

-- Ids belong to URIs for good; part of every backup, so that two generations agree.
CREATE TABLE app.ids (
    uri text   PRIMARY KEY,
    id  bigint NOT NULL UNIQUE
);

-- The private halves of local accounts' keys, wrapped by the master key.
CREATE TABLE app.account_keys (
    account     bigint PRIMARY KEY,
    key_id      text   NOT NULL UNIQUE,
    public_pem  text   NOT NULL,
    wrapped     bytea  NOT NULL
);

-- Remote actors' public keys as last fetched, so that an inbox need not fetch again. The documents are in the log.
CREATE TABLE app.remote_keys (
    key_id     text        PRIMARY KEY,
    actor      text        NOT NULL,
    pem        text        NOT NULL,
    fetched_at timestamptz NOT NULL
);
CREATE INDEX remote_keys_actor ON app.remote_keys (actor);

-- The digest of the last document appended for a URI, so that only differing ones are.
CREATE TABLE app.documents (
    uri    text  PRIMARY KEY,
    digest bytea NOT NULL
);

-- Generations of read models: schema read_<n>, built by the code whose hash stands here.
CREATE TABLE app.generations (
    n         int  PRIMARY KEY,
    code_hash text NOT NULL,
    status    text NOT NULL CHECK (status IN ('building', 'live', 'kept'))
);
CREATE UNIQUE INDEX generations_live ON app.generations (status) WHERE status = 'live';

-- Refused at the door (no valid signature, too large, …): counted per host and hour, kept for a while.
CREATE TABLE app.refusals (
    hour   timestamptz NOT NULL,
    host   text        NOT NULL,
    reason text        NOT NULL,
    count  bigint      NOT NULL,
    PRIMARY KEY (hour, host, reason)
);
