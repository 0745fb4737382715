-- What may stand only once is found by era: half a million positions of the log, whose keys lie side by side in the index.
-- As random as hashes, they would else be spread over all of it, so that in a long log each event reads, changes and logs
-- a page that no event before it had touched. See docs/adr/0026-keys-in-the-order-of-time.md.
CREATE FUNCTION log.era(place bigint) RETURNS int IMMUTABLE PARALLEL SAFE LANGUAGE sql RETURN (place >> 19)::int;
DROP INDEX log.events_once;
CREATE UNIQUE INDEX events_once ON log.events (log.era(notification_id), once) WHERE once IS NOT NULL;

-- Appends a group of commands in one round trip. The head's lock is taken in a statement of its own, so that the next
-- statement sees everything committed before. A command any of whose events conflicts is left out whole; what remains
-- is numbered from the head without a gap. `version` NULL means the stream's next one. Answers per event, in order:
-- 'stored' with position and version, or 'conflict', 'replayed' (signature seen), 'repeated' (`once` stands already, in this
-- era or one of the two before: a million events and more).
-- The look-ups are scalar, not EXISTS: PostgreSQL answers EXISTS from a hash of the whole table when it holds the table
-- for small, as it does a new log until its first ANALYZE, and keeps that plan while the log grows.
CREATE OR REPLACE FUNCTION log.append(
    command int[], stream text[], version bigint[], topic text[], state bytea[], wrapped_key bytea[],
    once bytea[], signature bytea[],
    OUT outcomes text[], OUT positions bigint[], OUT versions bigint[]
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    last   bigint;
    added  bigint;
    recent int[];
BEGIN
    SELECT h.position INTO last FROM log.head h FOR UPDATE;
    recent := ARRAY[log.era(last), log.era(last) - 1, log.era(last) - 2];

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
                    OR (SELECT true FROM log.events e
                        WHERE e.once = g.once AND log.era(e.notification_id) = ANY (recent))) THEN 'repeated'
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
