"""`daybook restore`: a backup put back, into an empty database and a data folder of its own."""

import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

import msgspec
from rich.console import Console

from adapters.backup import pictures
from adapters.backup.manifest import BackupError, Manifest, read
from adapters.backup.restoring import (
    check_database,
    put_master_key,
    refuse_other_key,
    refuse_used_pictures,
    restore_database,
    restore_pictures,
)
from adapters.backup.unlocking import check_key, key_at_hand, key_within
from adapters.config import Settings, host_of, is_loopback, load_settings
from workers.alone import database_in
from workers.commands_backup import (
    DAMAGED,
    DEFAULT_FOLDER,
    INTERRUPTED,
    Flag,
    Keys,
    MasterKeyFile,
    intact,
    show_manifest,
)
from workers.consoles import console_of
from workers.preflight import NotReady
from workers.progress import telling


def restore(
    folder: Path = DEFAULT_FOLDER, *, keys: Keys = None, master_key_file: MasterKeyFile = None, dry_run: Flag = False
) -> None:
    """Put a backup back, into the empty database that DATABASE_URL names, or into a new one in the data folder.

    Nothing that is there is ever written over. Start the instance afterwards with `daybook up`: it works the read
    models out anew, and answers 503 until they are there. Exits 3 when the backup is damaged.

    Parameters
    ----------
    folder
        The backup.
    keys
        The folder of the events' keys, if they were kept apart.
    master_key_file
        Your copy of master.key, if it is neither in the backup, nor in the data folder, nor in DAYBOOK_MASTER_KEY.
    dry_run
        Check the master key, the backup and the place for it, and restore nothing.
    """
    console = console_of()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = folder.expanduser().absolute()
    apart = None if keys is None else keys.expanduser().absolute()
    try:
        status = _restore(console, load_settings(os.environ), folder, apart, master_key_file, dry_run=dry_run)
    except BackupError as error:
        raise NotReady(str(error)) from error
    except OSError as error:
        raise NotReady(f"The backup is not restored ({error}): mend that, and try again.") from error
    except KeyboardInterrupt:
        console.print("Interrupted; nothing is restored, and it can be begun again.")
        status = INTERRUPTED
    sys.exit(status)


def _restore(
    console: Console, settings: Settings, folder: Path, apart: Path | None, key_file: Path | None, *, dry_run: bool
) -> int:
    manifest = read(folder)
    show_manifest(console, folder, manifest)
    found = key_at_hand(settings, key_file)
    if found is not None:
        check_key(folder, manifest, found)
        refuse_other_key(settings, found.key)
    if not intact(console, folder, apart, manifest):
        return DAMAGED
    found = found or key_within(folder, manifest)
    if found is None:
        raise BackupError(
            "There is no master key, and without the one of this instance nothing of the backup can be read: name your "
            "copy of it in --master-key-file, or set DAYBOOK_MASTER_KEY."
        )
    listed = pictures.listed(folder, manifest.media)
    refuse_used_pictures(settings.data, listed)
    cluster = settings.data / "postgres" / "PG_VERSION"
    with ExitStack() as stack:
        if settings.database_url is None and not (dry_run and not cluster.exists()):
            settings = msgspec.structs.replace(settings, database_url=stack.enter_context(database_in(settings.data)))
        if settings.database_url is not None:
            check_database(settings.database_url)
        if dry_run:
            console.print("It could be restored. Nothing is: this was a dry run.")
            return 0
        assert settings.database_url is not None, "just started"
        with telling(console) as tell:
            restore_pictures(settings.data, folder, listed, tell)
            epoch = restore_database(settings.database_url, folder, apart, manifest, found.key, tell)
        put_master_key(settings, found.key)
    _show_restored(console, settings, manifest, epoch)
    return 0


def _show_restored(console: Console, settings: Settings, manifest: Manifest, epoch: str) -> None:
    domain = manifest.origin.partition("://")[2]
    setting = "" if domain == settings.domain else f"DAYBOOK_DOMAIN={domain} "
    port = domain.rpartition(":")[2]
    if is_loopback(host_of(domain)) and port.isdigit() and int(port) != settings.port:
        setting += f"DAYBOOK_PORT={port} "
    console.print(
        f"Restored {manifest.position:,} events and {manifest.media_files:,} pictures of {manifest.origin}; the log "
        f"begins a new life (epoch {epoch[:8]}). What happened after {manifest.made_at} is not in it. Start it with "
        f"`{setting}daybook up`: the read models are worked out anew, which takes a while. Never let the old one run "
        "beside it.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
