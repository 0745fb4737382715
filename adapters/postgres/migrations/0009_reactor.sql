-- How far the reactor has come: the effective position of the last facts that were acted upon. It moves in the
-- transaction that writes what has to be sent. What happened before there was a reactor is not acted upon any more.

CREATE TABLE app.reactor (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    position bigint  NOT NULL
);
INSERT INTO app.reactor (position) SELECT position FROM log.head;

-- Facts that our own code failed to act upon: set aside alone, so that everything behind them goes on.
CREATE TABLE app.reactor_failures (
    position  bigint      NOT NULL,
    n         int         NOT NULL,
    reason    text        NOT NULL,
    failed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (position, n)
);
