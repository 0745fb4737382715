-- How far somebody has read in a timeline, as their clients keep it; neither replayed nor switched.
CREATE TABLE app.markers (
    account      bigint      NOT NULL,
    timeline     text        NOT NULL,
    last_read_id bigint      NOT NULL,
    version      int         NOT NULL,
    updated_at   timestamptz NOT NULL,
    PRIMARY KEY (account, timeline)
);
