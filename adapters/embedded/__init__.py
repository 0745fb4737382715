"""Our own PostgreSQL and Valkey, from wheels, under our supervisor."""
