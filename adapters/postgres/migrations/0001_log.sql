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

    WITH given AS (
        SELECT * FROM unnest(command, stream, version, topic, state, wrapped_key, once, signature)
            WITH ORDINALITY AS g(command, stream, version, topic, state, wrapped_key, once, signature, ordinal)
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
        SELECT j.command, bool_or(j.objection IS NOT NULL) OVER (PARTITION BY j.command) AS barred,
               j.ordinal, j.stream, j.version
        FROM judged j
    ), raced AS (
        SELECT a.ordinal, a.version IS NOT NULL
               AND row_number() OVER (PARTITION BY a.stream, a.version ORDER BY a.ordinal) > 1 AS lost
        FROM alone a WHERE NOT a.barred
    ), settled AS (
        SELECT j.*, CASE
            WHEN bool_or(j.objection IS NOT NULL OR coalesce(r.lost, false)) OVER (PARTITION BY j.command)
            THEN coalesce(j.objection, 'conflict') ELSE 'stored' END AS outcome
        FROM judged j LEFT JOIN raced r USING (ordinal)
    ), numbered AS (
        SELECT s.*, last + row_number() OVER (ORDER BY s.ordinal) AS position,
            coalesce(s.version, coalesce((
                SELECT max(e.originator_version) FROM log.events e WHERE e.originator_id = s.stream), 0)
                + row_number() OVER (PARTITION BY s.stream ORDER BY s.ordinal)) AS new_version
        FROM settled s WHERE s.outcome = 'stored'
    ), stored AS (
        INSERT INTO log.events (originator_id, originator_version, topic, state, notification_id, digest, once)
        SELECT n.stream, n.new_version, n.topic, n.state, n.position, sha256(n.state), n.once
        FROM numbered n ORDER BY n.position
    ), keyed AS (
        INSERT INTO keys.event_keys (position, wrapped_key)
        SELECT n.position, n.wrapped_key FROM numbered n WHERE n.wrapped_key IS NOT NULL ORDER BY n.position
    ), signed AS (
        INSERT INTO app.signatures (key)
        SELECT n.signature FROM numbered n WHERE n.signature IS NOT NULL
    )
    SELECT array_agg(s.outcome ORDER BY s.ordinal), array_agg(n.position ORDER BY s.ordinal),
           array_agg(n.new_version ORDER BY s.ordinal), count(n.position)
    INTO outcomes, positions, versions, added
    FROM settled s LEFT JOIN numbered n USING (ordinal);

    IF added > 0 THEN
        UPDATE log.head SET position = last + added;
        PERFORM pg_notify('daybook_log', (last + added)::text);
    END IF;
END $$;

REVOKE ALL ON FUNCTION log.append FROM PUBLIC;
