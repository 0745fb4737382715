-- When somebody was last here through any client, to the hour; neither replayed nor switched. What comes of staying away
-- is an event.
CREATE TABLE app.visits (
    account bigint      PRIMARY KEY,
    last_at timestamptz NOT NULL
);
-- Nobody's visits were noted until now, so everybody counts as here today.
INSERT INTO app.visits (account, last_at) SELECT account, now() FROM app.users;
