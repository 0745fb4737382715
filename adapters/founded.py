"""The settings as the log has them: what an instance's addresses begin with is settled by its founding.

Commands that work on existing data take the domain from there, so that nobody has to repeat the environment that the
instance was started with, or makes an account under an address that is not its own.
"""

import msgspec
import psycopg

from adapters.codec import Codec, Unreadable
from adapters.config import Settings, SettingsError
from adapters.embedded.postgres import attached_dsn
from adapters.master_key import load_master_key
from adapters.postgres import secrets
from domain.instance import InstanceFounded

CONNECT_TIMEOUT_S = 10
_FOUNDING = """
    SELECT e.originator_id, e.topic, e.state, k.wrapped_key
    FROM log.events e LEFT JOIN keys.event_keys k ON k.position = e.notification_id
    WHERE e.originator_id = 'instance' AND e.originator_version = 1
"""


def as_founded(settings: Settings) -> Settings:
    """Attached settings with the domain of the founding; as they are while there was none.

    Raises SettingsError, in one sentence, when the database does not answer, was never set up, can't be read with
    this master key, or was founded under an origin that these settings can't give.
    """
    url = settings.database_app_url or settings.database_url
    assert url is not None, "settings must be attached first"
    try:
        with psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT_S) as connection:
            row = connection.execute(_FOUNDING).fetchone()
            if row is None:
                return settings
            codec = Codec(load_master_key(settings))
            secrets.read_secret(connection, codec, secrets.PEPPER)
    except psycopg.OperationalError as error:
        said = str(error).strip().splitlines()[0]
        raise SettingsError(f"The database does not answer ({said}): {_way_out(settings)}") from error
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise SettingsError("The database was never set up: run `daybook up` or `daybook migrate` first.") from error
    try:
        founded = codec.open(*row)
    except Unreadable as error:
        raise SettingsError(f"The log can't be read: {error}.") from error
    assert isinstance(founded, InstanceFounded), "the instance's stream begins with its founding"
    settings = msgspec.structs.replace(settings, domain=founded.domain)
    if settings.origin != founded.origin:
        raise SettingsError(f"This data belongs to {founded.origin}: set DAYBOOK_NAME_MAP as it was then.")
    return settings


def _way_out(settings: Settings) -> str:
    if settings.database_url == attached_dsn(settings.data):
        return "start `daybook up`, or set DATABASE_URL."
    return f"check {'DAYBOOK_DATABASE_APP_URL' if settings.database_url is None else 'DATABASE_URL'}."
