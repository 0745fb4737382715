"""PostgreSQL and Valkey as children of our own process, from wheels: no system package, no system user."""
