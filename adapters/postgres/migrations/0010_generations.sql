-- When a generation was made, when it ceased to be the one that is read, and whether it is kept to go back to.
-- Of older ones nobody noted when they were made.
ALTER TABLE app.generations
    ADD made_at timestamptz, ADD left_at timestamptz, ADD retained boolean NOT NULL DEFAULT false;
ALTER TABLE app.generations ALTER made_at SET DEFAULT now();
