-- Pictures that people here have uploaded: what the files are called, what they show, and which post they are part of.
-- The files are in the data directory; what posts say of them is in the log. A part of every backup, as they are.

CREATE TABLE app.media (
    id               bigint           PRIMARY KEY,
    account          bigint           NOT NULL,
    file             text             NOT NULL UNIQUE,
    preview          text             NOT NULL,
    media_type       text             NOT NULL,
    width            int              NOT NULL,
    height           int              NOT NULL,
    preview_width    int              NOT NULL,
    preview_height   int              NOT NULL,
    blurhash         text             NOT NULL,
    description      text,
    focus_x          double precision,
    focus_y          double precision,
    created_at       timestamptz      NOT NULL,
    -- The post that it is part of. Without one it may be attached, and goes for good some time after `unattached_at`.
    status           bigint,
    unattached_at    timestamptz      NOT NULL
);
CREATE INDEX media_unattached ON app.media (unattached_at) WHERE status IS NULL;
CREATE INDEX media_of_status ON app.media (status) WHERE status IS NOT NULL;
