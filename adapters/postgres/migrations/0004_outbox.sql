-- What is to be sent: activities with their bytes, one row a delivery, one row a host. Neither replayed nor switched: a
-- replay sends nothing.

-- Inboxes by number, because they stand in very many rows.
CREATE TABLE app.inboxes (
    id   int  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    url  text NOT NULL UNIQUE,
    host text NOT NULL
);

-- Bytes frozen once, for every inbox and every attempt. Rows outlive their deliveries for a while, so that enqueuing
-- again still finds them. Without a sender, the instance's own actor signs.
CREATE TABLE app.outbox_activities (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uri        text        NOT NULL UNIQUE,
    sender     bigint,
    body       bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX outbox_activities_created ON app.outbox_activities (created_at);

-- Enqueued, and their hosts not told yet. Enqueuing locks no host, so that it waits for no deliverer, nor they for it.
CREATE TABLE app.outbox_fresh (
    activity bigint PRIMARY KEY
);

-- What is left to do; done rows are deleted. Of one lane (what one sender says about one object) a host gets everything
-- in the order of ids. Before its first attempt a delivery is always due.
CREATE TABLE app.deliveries (
    id       bigint      GENERATED ALWAYS AS IDENTITY,
    host     text        NOT NULL,
    inbox    int         NOT NULL,
    activity bigint      NOT NULL,
    lane     bigint,
    attempt  int         NOT NULL DEFAULT 0,
    due_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (host, id),
    UNIQUE (activity, inbox)
);
CREATE INDEX deliveries_again ON app.deliveries (host, due_at) WHERE attempt > 0;

-- Hosts by authority (name, and port if it is not the scheme's own). `next_at` is when to look at a host next, never
-- while nothing is left for it; `not_before` is what its failures or its Retry-After ask for. Times are the database's.
CREATE TABLE app.delivery_hosts (
    host         text        PRIMARY KEY,
    next_at      timestamptz NOT NULL DEFAULT 'infinity',
    not_before   timestamptz NOT NULL DEFAULT '-infinity',
    leased_until timestamptz NOT NULL DEFAULT '-infinity',
    leased_by    int,
    failures     int         NOT NULL DEFAULT 0,
    failing_days int         NOT NULL DEFAULT 0,
    failed_on    date,
    state        text        NOT NULL DEFAULT 'alive' CHECK (state IN ('alive', 'dead')),
    last_error   text
);
CREATE INDEX delivery_hosts_next ON app.delivery_hosts (greatest(next_at, leased_until));
CREATE INDEX delivery_hosts_failing ON app.delivery_hosts (host) WHERE failures > 0 OR state = 'dead';

-- Which inboxes were sent something about an object, so that its Delete goes to all of them.
CREATE TABLE app.reached (
    object  text  PRIMARY KEY,
    inboxes int[] NOT NULL
);
