-- The log: what happened, written once, in order. Its keys lie in a schema of their own, so that a dump of the log
-- alone can be read by nobody.

CREATE SCHEMA log;
CREATE SCHEMA keys;
CREATE SCHEMA app;

CREATE TABLE log.events (
    originator_id      text   NOT NULL,
    originator_version bigint NOT NULL,
    topic              text   NOT NULL,
    state              bytea  NOT NULL,
    notification_id    bigint NOT NULL,
    digest             bytea  NOT NULL,
    once               bytea,
    PRIMARY KEY (originator_id, originator_version),
    UNIQUE (notification_id)
);
-- Sealed bytes don't compress: don't let PostgreSQL try.
ALTER TABLE log.events ALTER COLUMN state SET STORAGE EXTERNAL;
-- What may stand in the log only once (the content of a remote activity) names itself here.
CREATE UNIQUE INDEX events_once ON log.events (once) WHERE once IS NOT NULL;

CREATE TABLE keys.event_keys (
    position    bigint PRIMARY KEY,
    wrapped_key bytea  NOT NULL
);

-- The counter and the lock in one row. The epoch tells a restored database from the one it was copied from.
CREATE TABLE log.head (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    position bigint  NOT NULL,
    epoch    text    NOT NULL
);
INSERT INTO log.head (position, epoch) VALUES (0, replace(gen_random_uuid()::text, '-', ''));

-- Signatures seen within their clock window: the same one again is a replay. Pruned, so not part of the log.
CREATE TABLE app.signatures (
    key     bytea       PRIMARY KEY,
    seen_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX signatures_seen ON app.signatures (seen_at);

CREATE FUNCTION log.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log is append-only: % refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON log.events
    FOR EACH STATEMENT EXECUTE FUNCTION log.refuse_change();

-- Appends a group of commands in one round trip. The head's lock is taken in a statement of its own, so that the next
-- statement sees everything committed before. A command any of whose events conflicts is left out whole; what remains
-- is numbered from the head without a gap. `version` NULL means the stream's next one. Answers per event, in order:
-- 'stored' with position and version, or 'conflict', 'replayed' (signature seen), 'repeated' (`once` stands already).
-- The look-ups are scalar, not EXISTS: PostgreSQL answers EXISTS from a hash of the whole table when it holds the table
-- for small, as it does a new log until its first ANALYZE, and keeps that plan while the log grows.
CREATE FUNCTION log.append(
    command int[], stream text[], version bigint[], topic text[], state bytea[], wrapped_key bytea[],
    once bytea[], signature bytea[],
    OUT outcomes text[], OUT positions bigint[], OUT versions bigint[]
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    last  bigint;
    added bigint;
BEGIN
    SELECT h.position INTO last FROM log.head h FOR UPDATE;

    -- First judge and number, without the bodies, which would be sorted along.
    WITH given AS (
        SELECT * FROM unnest(command, stream, version, once, signature)
            WITH ORDINALITY AS g(command, stream, version, once, signature, ordinal)
    ), judged AS (
        SELECT g.*,
            CASE
                WHEN g.signature IS NOT NULL AND (
                    row_number() OVER (PARTITION BY g.signature ORDER BY g.ordinal) > 1
                    OR (SELECT true FROM app.signatures s WHERE s.key = g.signature)) THEN 'replayed'
                WHEN g.once IS NOT NULL AND (
                    row_number() OVER (PARTITION BY g.once ORDER BY g.ordinal) > 1
                    OR (SELECT true FROM log.events e WHERE e.once = g.once)) THEN 'repeated'
                WHEN g.version IS NOT NULL AND (
                    SELECT true FROM log.events e
                    WHERE e.originator_id = g.stream AND e.originator_version = g.version) THEN 'conflict'
            END AS objection
        FROM given g
    ), alone AS (
        SELECT j.*, bool_or(j.objection IS NOT NULL) OVER (PARTITION BY j.command) AS barred FROM judged j
    ), raced AS (
        SELECT a.*, NOT a.barred AND a.version IS NOT NULL
            AND row_number() OVER (PARTITION BY a.barred, a.stream, a.version ORDER BY a.ordinal) > 1 AS lost
        FROM alone a
    ), settled AS (
        SELECT r.*, CASE WHEN r.barred OR bool_or(r.lost) OVER (PARTITION BY r.command)
            THEN coalesce(r.objection, 'conflict') ELSE 'stored' END AS outcome
        FROM raced r
    ), numbered AS (
        SELECT s.ordinal, s.outcome, CASE WHEN s.outcome = 'stored' THEN
            last + count(*) FILTER (WHERE s.outcome = 'stored') OVER (ORDER BY s.ordinal) END AS position,
            CASE WHEN s.outcome = 'stored' THEN coalesce(s.version, coalesce((
                SELECT max(e.originator_version) FROM log.events e WHERE e.originator_id = s.stream), 0)
                + count(*) FILTER (WHERE s.outcome = 'stored') OVER (PARTITION BY s.stream ORDER BY s.ordinal))
            END AS new_version
        FROM settled s
    )
    SELECT array_agg(n.outcome ORDER BY n.ordinal), array_agg(n.position ORDER BY n.ordinal),
           array_agg(n.new_version ORDER BY n.ordinal), count(n.position)
    INTO outcomes, positions, versions, added
    FROM numbered n;

    -- Then store, in the order given.
    WITH given AS (
        SELECT * FROM unnest(stream, versions, topic, state, positions, once, wrapped_key, signature)
            AS g(stream, version, topic, state, position, once, wrapped_key, signature)
        WHERE g.position IS NOT NULL
    ), keyed AS (
        INSERT INTO keys.event_keys (position, wrapped_key)
        SELECT g.position, g.wrapped_key FROM given g WHERE g.wrapped_key IS NOT NULL
    ), signed AS (
        INSERT INTO app.signatures (key) SELECT g.signature FROM given g WHERE g.signature IS NOT NULL
    )
    INSERT INTO log.events (originator_id, originator_version, topic, state, notification_id, digest, once)
    SELECT g.stream, g.version, g.topic, g.state, g.position, sha256(g.state), g.once FROM given g;

    IF added > 0 THEN
        UPDATE log.head SET position = last + added;
        PERFORM pg_notify('daybook_log', (last + added)::text);
    END IF;
END $$;

REVOKE ALL ON FUNCTION log.append FROM PUBLIC;
