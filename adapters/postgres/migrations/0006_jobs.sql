-- What is to be done behind, once each, until it is done: PostgreSQL is the truth, whatever rings a bell about it.

CREATE TABLE app.jobs (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind         text        NOT NULL,
    subject      text        NOT NULL,
    payload      json        NOT NULL,
    -- Whose turn it takes: a host that is slow or dead keeps only a few of a process's hands busy.
    lane         text        NOT NULL,
    due_at       timestamptz NOT NULL,
    attempts     int         NOT NULL DEFAULT 0,
    -- How often it was asked for: what was asked for while it was under way is done once more.
    asked        bigint      NOT NULL DEFAULT 1,
    last_error   text,
    leased_until timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    given_up_at  timestamptz
);
CREATE UNIQUE INDEX jobs_open ON app.jobs (kind, subject) WHERE given_up_at IS NULL;
CREATE INDEX jobs_due ON app.jobs (due_at) WHERE given_up_at IS NULL;
CREATE INDEX jobs_given_up ON app.jobs (given_up_at) WHERE given_up_at IS NOT NULL;

-- When each thing of the schedule was begun last, so that a restart neither repeats nor skips it.
CREATE TABLE app.schedule (
    name     text        PRIMARY KEY,
    last_run timestamptz NOT NULL
);
