-- How often a thing is to be begun, so that whoever looks can tell that it is late. Without it nobody has said: a thing
-- that is not in the schedule any more, or that an operator's own timer does, such as a backup.
ALTER TABLE app.schedule ADD COLUMN every interval;
