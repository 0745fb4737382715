"""What stands between an empty database and running processes: the schema, the second role, and their URLs."""

from urllib.parse import unquote, urlsplit

import msgspec
import psycopg

from adapters.config import Settings, SettingsError, app_url_from, kept_from_us
from adapters.embedded.places import read_or_make_secret
from adapters.embedded.postgres import attached_dsn
from adapters.embedded.valkey import EmbeddedValkey
from adapters.postgres.migrate import apply_migrations, may_create_roles

CONNECT_TIMEOUT_S = 10


def attached(settings: Settings) -> Settings:
    """The settings with the URLs filled in of what `daybook up` runs (or ran) at `settings.data`.

    What the environment names stays as it is. Raises SettingsError when there is no database to be found, or the data
    directory is another user's.
    """
    try:
        return _filled_in(settings)
    except PermissionError as error:
        raise kept_from_us(error) from error


def _filled_in(settings: Settings) -> Settings:
    if settings.database_url is None and settings.database_app_url is None:
        owner = attached_dsn(settings.data)
        if owner is None:
            raise SettingsError(f"There is no database in {settings.data}: run `daybook up`, or set DATABASE_URL.")
        settings = msgspec.structs.replace(settings, database_url=owner)
    if settings.database_app_url is None and settings.database_url is not None:
        settings = msgspec.structs.replace(settings, database_app_url=_app_url(settings, settings.database_url))
    if settings.redis_url is None:
        settings = msgspec.structs.replace(settings, redis_url=EmbeddedValkey(settings.data).url)
    return settings


def migrate(settings: Settings) -> Settings:
    """Bring the owner's database up to date; gives the settings with the URL that the processes connect by.

    Where `DATABASE_URL` may not create roles that is the owner's own: the log's trigger alone guards it then.
    Raises SettingsError when there is no owner's URL or nobody answers at it, MigrationError from the migrations.
    """
    owner_url = settings.database_url
    if owner_url is None:
        raise SettingsError("Migrating needs the owner's database: set DATABASE_URL.")
    try:
        with psycopg.connect(owner_url, connect_timeout=CONNECT_TIMEOUT_S) as owner:
            app_url = _app_url(settings, owner_url) if may_create_roles(owner) else owner_url
            role = unquote(urlsplit(app_url).username or "") or owner.info.user
            apply_migrations(owner, role, _password_of(app_url) if app_url != owner_url else None)
    except psycopg.OperationalError as error:
        raise SettingsError(f"The database that DATABASE_URL names can't be used: {str(error).strip()}") from error
    return msgspec.structs.replace(settings, database_app_url=app_url)


def _app_url(settings: Settings, owner_url: str) -> str:
    if settings.database_app_url is not None:
        return settings.database_app_url
    return app_url_from(owner_url, read_or_make_secret(settings.data / "app.password"))


def _password_of(url: str) -> str | None:
    password = urlsplit(url).password
    return None if password is None else unquote(password)
