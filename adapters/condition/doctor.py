"""All that can be found out about an instance from where it runs, whatever of it is broken; nothing is changed."""

import asyncio
import importlib.metadata
import platform
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final
from urllib.parse import quote

import msgspec
import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from adapters.codec import Codec, Unreadable
from adapters.condition.database import RESTORE
from adapters.condition.disk import Used, is_embedded, judge_disk, room
from adapters.condition.finding import Finding, ok, span, warning, wrong
from adapters.condition.measured import asking, judged, measure
from adapters.condition.place import check_key, check_media, check_opens, check_redis, check_settings
from adapters.condition.web import check_here, check_webfinger
from adapters.config import Settings, SettingsError, load_settings
from adapters.embedded.postgres import attached_dsn
from adapters.first_start import attached
from adapters.founded import as_founded
from adapters.listening import as_listening
from domain.events import Event

FUTURE_S_MAX: Final = 60.0

_NEWEST: Final = """
    SELECT e.notification_id, e.originator_id, e.topic, e.state, k.wrapped_key
    FROM log.events e JOIN keys.event_keys k ON k.position = e.notification_id ORDER BY e.notification_id DESC LIMIT 1
"""
_SOMEBODY: Final = "SELECT username, account FROM app.users WHERE disabled_at IS NULL ORDER BY created_at LIMIT 1"

TimeOf = Callable[[Event], datetime | None]
Newest = tuple[int, str, str, bytes, bytes | None]


async def examine(environ: Mapping[str, str], time_of: TimeOf) -> list[Finding]:
    """Look at everything there is to look at, in the order in which things depend on each other.

    `time_of` tells when an event happened.
    """
    version = importlib.metadata.version("daybook")
    found = [ok("version", f"Daybook {version} on Python {platform.python_version()}.")]
    try:
        settings = load_settings(environ)
    except SettingsError as error:
        todo = "Mend the environment and ask again: without settings nothing else can be looked at."
        return [*found, wrong("settings", str(error), todo)]
    return found + await _Examination(settings, environ, time_of).run()


class _Examination:
    def __init__(self, settings: Settings, environ: Mapping[str, str], time_of: TimeOf) -> None:
        self._settings = settings
        self._environ = environ
        self._time_of = time_of
        self._somebody: tuple[str, int] | None = None
        self._used: Used | None = None

    async def run(self) -> list[Finding]:
        held, codec = await asyncio.to_thread(check_key, self._settings)
        inside = await self._database(held, codec)
        founded = await self._founded() if codec is not None else None
        settings = self._settings_for_the_web(founded)
        found = [*check_settings(self._settings, self._environ, founded), *inside]
        if settings.redis_url is not None:
            found.append(await asyncio.to_thread(check_redis, settings))
        found += await asyncio.to_thread(self._on_disk)
        found += await check_here(settings)
        if self._somebody is not None:
            found.append(await check_webfinger(settings, *self._somebody))
        return found

    async def _database(self, held: Finding, codec: Codec | None) -> list[Finding]:
        try:
            self._settings = await asyncio.to_thread(_attached, self._settings)
        except SettingsError as error:
            todo = "Nothing of what stands in it can be looked at."
            if self._settings.database_url is None and attached_dsn(self._settings.data) is None:
                todo = f"If there was an instance, it is elsewhere (set DAYBOOK_DATA), or lost: {RESTORE}"
            return [wrong("database", str(error), todo), held]
        url = self._settings.database_app_url
        assert url is not None, "just attached"
        try:
            async with asking(url) as connection:
                return await self._inside(connection, held, codec)
        except psycopg.OperationalError as error:
            said = str(error).strip().splitlines()[-1]
            todo = "Start it, or mend DATABASE_URL; what stands in it can't be looked at until then."
            if not self._environ.get("DATABASE_URL") and not self._environ.get("DAYBOOK_DATABASE_APP_URL"):
                todo = "Start `daybook up`; what stands in the database can't be looked at until then."
            return [wrong("database", f"The database does not answer ({said}).", todo), held]

    async def _inside(self, connection: AsyncConnection[TupleRow], held: Finding, codec: Codec | None) -> list[Finding]:
        measured = await measure(connection)
        self._used = measured.used
        found = judged(measured)
        if measured.rights is None:
            return [*found, held]
        row = await (await connection.execute(_SOMEBODY)).fetchone()
        self._somebody = None if row is None else (row[0], row[1])
        return [*found, *await self._newest(connection, held, codec, measured.at)]

    async def _newest(
        self, connection: AsyncConnection[TupleRow], held: Finding, codec: Codec | None, now: datetime
    ) -> list[Finding]:
        row: Newest | None = await (await connection.execute(_NEWEST, binary=True)).fetchone()
        if codec is None or row is None:
            return [held]
        position, event = row[0], row[1:]
        found = [check_opens(codec, event, position, held)]
        try:
            at = self._time_of(codec.open(*event))
        except Unreadable:
            return found
        return found if at is None else [*found, _judge_time(position, (now - at).total_seconds())]

    async def _founded(self) -> Settings | None:
        if self._settings.database_app_url is None:
            return None
        try:
            return await asyncio.to_thread(as_founded, self._settings)
        except SettingsError:
            return None  # why stands among the findings on the database and the key

    def _settings_for_the_web(self, founded: Settings | None) -> Settings:
        """With the domain of the founding, and where the server listens: as is set here, else as it noted itself.

        One that never did so, on loopback, most likely listens on the port of its domain.
        """
        settings = founded or self._settings
        if self._environ.get("DAYBOOK_PORT") or self._environ.get("DAYBOOK_BIND"):
            return settings
        if (listening := as_listening(settings)) is not None:
            return listening
        port = settings.domain.rpartition(":")[2]
        return msgspec.structs.replace(settings, port=int(port)) if settings.loopback and port.isdecimal() else settings

    def _on_disk(self) -> list[Finding]:
        data = self._settings.data
        try:
            place = next(folder for folder in (data, *data.parents) if folder.exists())
            disk = judge_disk(
                room(data if place == data else place),
                self._used,
                place,
                embedded=is_embedded(self._settings.database_app_url or ""),
            )
        except OSError as error:
            disk = warning("disk", f"{data} can't be looked at ({error.strerror}).", "Run this as the instance's user.")
        return [disk, check_media(data)] if data.exists() else [disk]


def _judge_time(position: int, ago_s: float) -> Finding:
    if -ago_s > FUTURE_S_MAX:
        what = f"The newest event ({position}) happened {span(-ago_s)} from now: a clock went back."
        return wrong("time", what, "Let NTP set the clock, and start again once that moment has passed.")
    return ok("time", f"The newest event ({position}) happened {span(ago_s)} ago.")


def _attached(settings: Settings) -> Settings:
    """Attached without making anything: a role's password that was never made means that it connects as the owner."""
    if settings.redis_url is None and not (settings.data / "run").exists():
        nowhere = quote(str(settings.data / "run" / "valkey.sock"))
        settings = msgspec.structs.replace(settings, redis_url=f"unix://{nowhere}")
    if settings.database_app_url is None and not (settings.data / "app.password").exists():
        owner = settings.database_url or attached_dsn(settings.data)
        return attached(msgspec.structs.replace(settings, database_app_url=owner))
    return attached(settings)
