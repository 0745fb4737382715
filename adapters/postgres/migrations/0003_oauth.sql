-- Who may log in, and what they let clients do. Secrets only as hashes; never replayed, never switched.

-- People with a log-in. What they are called and look like is in the log; this is what must not be.
CREATE TABLE app.users (
    account       bigint PRIMARY KEY,
    username      text NOT NULL,
    email         text,
    password_hash text NOT NULL,
    role          text NOT NULL CHECK (role IN ('user', 'moderator', 'admin', 'owner')),
    created_at    timestamptz NOT NULL,
    disabled_at   timestamptz
);
CREATE UNIQUE INDEX users_username ON app.users (lower(username));
CREATE UNIQUE INDEX users_email ON app.users (lower(email));

-- A browser that is logged in.
CREATE TABLE app.web_sessions (
    session_hash bytea PRIMARY KEY,
    account      bigint NOT NULL REFERENCES app.users ON DELETE CASCADE,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL
);
CREATE INDEX web_sessions_account ON app.web_sessions (account);
CREATE INDEX web_sessions_expiry ON app.web_sessions (expires_at);

-- Client programs, as they registered themselves.
CREATE TABLE app.apps (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL,
    website       text,
    redirect_uris text[] NOT NULL,
    scopes        text[] NOT NULL,
    client_id     text NOT NULL UNIQUE,
    secret_hash   bytea NOT NULL,
    created_at    timestamptz NOT NULL
);

-- Codes on their way from the consent page to the token endpoint. A used one stays, so that a second use is noticed.
CREATE TABLE app.authorization_codes (
    code_hash    bytea PRIMARY KEY,
    app          bigint NOT NULL REFERENCES app.apps ON DELETE CASCADE,
    account      bigint NOT NULL REFERENCES app.users ON DELETE CASCADE,
    redirect_uri text NOT NULL,
    scopes       text[] NOT NULL,
    challenge    text,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    used_at      timestamptz
);
CREATE INDEX authorization_codes_app ON app.authorization_codes (app);
CREATE INDEX authorization_codes_account ON app.authorization_codes (account);
CREATE INDEX authorization_codes_expiry ON app.authorization_codes (expires_at);

-- What clients may do, and for whom; without an account it is the client's own. Tokens never expire, they are revoked.
CREATE TABLE app.access_tokens (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    token_hash bytea NOT NULL UNIQUE,
    app        bigint NOT NULL REFERENCES app.apps ON DELETE CASCADE,
    account    bigint REFERENCES app.users ON DELETE CASCADE,
    scopes     text[] NOT NULL,
    code_hash  bytea,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX access_tokens_app ON app.access_tokens (app);
CREATE INDEX access_tokens_account ON app.access_tokens (account);
CREATE INDEX access_tokens_code ON app.access_tokens (code_hash);

-- Processes remember tokens; they must forget one the moment it is no longer good, whoever ended it.
CREATE FUNCTION app.announce_token() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('daybook_tokens', encode(OLD.token_hash, 'hex'));
    RETURN NULL;
END
$$;
CREATE TRIGGER access_tokens_announce AFTER UPDATE OR DELETE ON app.access_tokens
    FOR EACH ROW EXECUTE FUNCTION app.announce_token();

-- A change of who may log in at all is rare: everything is forgotten.
CREATE FUNCTION app.announce_user() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('daybook_tokens', '*');
    RETURN NULL;
END
$$;
CREATE TRIGGER users_announce AFTER UPDATE OF disabled_at, role ON app.users
    FOR EACH ROW EXECUTE FUNCTION app.announce_user();
