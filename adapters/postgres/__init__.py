"""PostgreSQL: the log, migrations, the interpreter's and projector's reads and writes."""
