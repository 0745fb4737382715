-- What the role that the processes connect as may do. Run at every start, as the role may have been changed since the
-- last one; read models are granted beside this, one schema a generation.

GRANT USAGE ON SCHEMA log, keys, app TO {{app_role}};
-- What was applied, for `daybook doctor`.
GRANT SELECT ON public.daybook_migrations TO {{app_role}};

-- The log is read, and written by its one function.
GRANT SELECT ON log.events, log.head, keys.event_keys TO {{app_role}};
GRANT EXECUTE ON FUNCTION log.append TO {{app_role}};
GRANT SELECT, DELETE ON app.signatures TO {{app_role}};

GRANT SELECT ON app.secrets, app.generations TO {{app_role}};
GRANT UPDATE (status, retained, left_at) ON app.generations TO {{app_role}};
GRANT SELECT, INSERT ON app.ids TO {{app_role}};
GRANT SELECT, INSERT, DELETE ON app.account_keys TO {{app_role}};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.remote_keys TO {{app_role}};
GRANT SELECT, INSERT, UPDATE ON app.documents TO {{app_role}};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.refusals TO {{app_role}};

GRANT SELECT, INSERT, UPDATE, DELETE
    ON app.users, app.web_sessions, app.apps, app.authorization_codes, app.access_tokens
    TO {{app_role}};

GRANT SELECT, INSERT, UPDATE, DELETE ON app.jobs TO {{app_role}};
GRANT SELECT, INSERT, UPDATE ON app.schedule TO {{app_role}};
GRANT SELECT, INSERT, UPDATE, DELETE
    ON app.inboxes, app.outbox_activities, app.outbox_fresh, app.deliveries, app.delivery_hosts, app.reached
    TO {{app_role}};

GRANT SELECT, UPDATE ON app.reactor TO {{app_role}};
GRANT SELECT, INSERT ON app.reactor_failures TO {{app_role}};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.media TO {{app_role}};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.markers TO {{app_role}};
GRANT SELECT, INSERT, UPDATE ON app.visits TO {{app_role}};
