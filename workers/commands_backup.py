"""`daybook backup`: everything that can't be worked out anew, copied while the instance runs; and the proof of it."""

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.filesize import decimal

from adapters.backup.checking import damages
from adapters.backup.making import Plan, backing_up
from adapters.backup.manifest import BackupError, Manifest, keys_folder, read
from adapters.backup.proving import Proof, prove, restored, room_for
from adapters.backup.unlocking import check_key, key_at_hand, key_within
from adapters.config import Settings, load_settings
from adapters.embedded.postgres import attached_dsn
from adapters.first_start import attached
from adapters.founded import as_founded
from adapters.postgres.schedule import BACKUP, note
from workers.alone import started_if_stopped
from workers.consoles import console_of
from workers.preflight import NotReady
from workers.progress import telling

DAMAGED = 3
INTERRUPTED = 130
DEFAULT_FOLDER = Path("backup")

app = App(name="backup", help="Copy everything that can't be worked out anew, and prove that it can be restored.")

Keys = Annotated[Path | None, Parameter(name="--keys")]
MasterKeyFile = Annotated[Path | None, Parameter(name="--master-key-file")]
Flag = Annotated[bool, Parameter(negative=())]


@app.default
def backup(
    folder: Path = DEFAULT_FOLDER, *, keys: Keys = None, with_master_key: Flag = False, dry_run: Flag = False
) -> None:
    """Back up the log, its keys, accounts, what is to be sent, and pictures, whether the instance runs or not.

    Into the same folder again it adds what is new. Read models are not in it: they are worked out anew. Nor is the
    master key, which nothing can be read without: keep a copy of it in another place.

    Parameters
    ----------
    folder
        Where to; made if it is not there.
    keys
        Another folder for the events' keys, so that copies of the two can be kept apart.
    with_master_key
        Put the master key beside the rest: then whoever has the folder can read everything.
    dry_run
        Say what would be written, and write nothing.
    """
    console = console_of()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder, apart = _placed(folder, keys)
    try:
        settings = load_settings(os.environ)
        with started_if_stopped(settings):
            _back_up(
                console, as_founded(attached(settings)), folder, apart, with_master_key=with_master_key, dry_run=dry_run
            )
    except BackupError as error:
        raise NotReady(str(error)) from error
    except OSError as error:
        raise NotReady(f"The backup did not end ({error}); what was in {folder} before is whole.") from error
    except KeyboardInterrupt:
        console.print(f"Interrupted; the backup that was in {folder} before is whole, if there was one.")
        sys.exit(INTERRUPTED)


def _back_up(
    console: Console, settings: Settings, folder: Path, apart: Path | None, *, with_master_key: bool, dry_run: bool
) -> None:
    with backing_up(settings, folder, apart, dry_run=dry_run) as run:
        _show_plan(console, folder, run.plan())
        if dry_run:
            console.print("Nothing is written: this was a dry run.")
            return
        with telling(console) as tell:
            made = run.run(tell, with_master_key=with_master_key)
    _show_made(console, folder, apart, made, settings)
    _note(console, settings)


@app.command
def verify(
    folder: Path = DEFAULT_FOLDER,
    *,
    keys: Keys = None,
    master_key_file: MasterKeyFile = None,
    work: Path | None = None,
) -> None:
    """Check every file, restore into a server of its own, replay, and compare with what was backed up.

    Exits 3 when anything is damaged or different. Touches neither the backup nor the instance.

    Parameters
    ----------
    folder
        The backup.
    keys
        The folder of the events' keys, if they were kept apart.
    master_key_file
        The copy of master.key to prove it with, if not the one that the instance or the backup has.
    work
        Where the server's data are meanwhile, if not in a temporary folder.
    """
    console = console_of()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder, apart = _placed(folder, keys)
    try:
        status = _verify(console, load_settings(os.environ), folder, apart, master_key_file, work)
    except BackupError as error:
        raise NotReady(str(error)) from error
    except KeyboardInterrupt:
        console.print("Interrupted; nothing is proved.")
        status = INTERRUPTED
    sys.exit(status)


def _verify(
    console: Console, settings: Settings, folder: Path, apart: Path | None, key_file: Path | None, work: Path | None
) -> int:
    manifest = read(folder)
    show_manifest(console, folder, manifest)
    found = key_at_hand(settings, key_file)
    if found is not None:
        check_key(folder, manifest, found)
    if not intact(console, folder, apart, manifest):
        return DAMAGED
    found = found or key_within(folder, manifest)
    if found is None:
        raise BackupError(
            "Every file is as it was written; but whether it can be read is not proved, as there is no master key "
            "here: name your copy of it in --master-key-file, or set DAYBOOK_MASTER_KEY, or DAYBOOK_DATA to the folder "
            "that has master.key."
        )
    _check_room(manifest, work)
    with telling(console) as tell, restored(settings, folder, apart, manifest, found.key, work, tell) as alone:
        proof = prove(alone, folder, manifest, settings.database_url or attached_dsn(settings.data), tell)
    _show_proof(console, manifest, proof)
    return 0 if proof.holds else DAMAGED


def intact(console: Console, folder: Path, apart: Path | None, manifest: Manifest) -> bool:
    """Whether every file is as it was written; says of each that is not what is wrong with it."""
    with telling(console) as tell:
        found = damages(folder, apart, manifest, lambda done, goal: tell("bytes checked", done, goal))
    for damage in found:
        console.print(f"Damaged: {damage.path} {damage.why}.", markup=False, highlight=False, soft_wrap=True)
    if found:
        console.print(
            "Take another copy of this backup. While the instance that it is of still runs: remove what is named here, "
            "and `daybook backup` into the folder writes it anew.",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    return not found


def show_manifest(console: Console, folder: Path, manifest: Manifest) -> None:
    """Say what a backup is of."""
    console.print(
        f"{folder}: {manifest.origin} as of {manifest.made_at}, {manifest.position:,} events, "
        f"{manifest.media_files:,} pictures, {decimal(manifest.bytes)}.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _placed(folder: Path, keys: Path | None) -> tuple[Path, Path | None]:
    return folder.expanduser().absolute(), None if keys is None else keys.expanduser().absolute()


def _show_plan(console: Console, folder: Path, plan: Plan) -> None:
    console.print(
        f"Backing up {plan.events:,} events ({plan.events_kept:,} are there already) and {plan.pictures:,} new "
        f"pictures to {folder}: at most {decimal(plan.bytes_max)}, and {decimal(plan.bytes_free)} are free.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    if plan.lost:
        said = f"{plan.lost:,} pictures that the database names are not there: they will be missing in the backup, too."
        console.print(said, style="yellow", markup=False, soft_wrap=True)
    if plan.bytes_max > plan.bytes_free:
        raise BackupError(f"There may not be room for it in {folder}: free some, or choose another folder.")


def _show_made(console: Console, folder: Path, apart: Path | None, made: Manifest, settings: Settings) -> None:
    show_manifest(console, folder, made)
    console.print(f"The events' keys are in {keys_folder(folder, apart)}.", markup=False, highlight=False)
    if made.master_key is not None:
        said = f"The master key IS in it ({made.master_key.file}): whoever gets {folder} can read everything."
    else:
        where = "in DAYBOOK_MASTER_KEY" if settings.master_key is not None else f"in {settings.data / 'master.key'}"
        said = (
            f"The master key is NOT in it: it is {where}. Without it nothing of this backup can be read, ever. "
            "Keep a copy of it in another place."
        )
    console.print(said, style="yellow", markup=False, soft_wrap=True)
    console.print("`daybook backup verify` proves that it can be restored.", markup=False, highlight=False)


def _note(console: Console, settings: Settings) -> None:
    """Let `daybook doctor` know when this was."""
    assert settings.database_app_url is not None, "settings are attached"
    if (why := note(settings.database_app_url, BACKUP)) is not None:
        console.print(f"That it was made could not be noted ({why}).", markup=False, soft_wrap=True)


def _check_room(manifest: Manifest, work: Path | None) -> None:
    place = Path(tempfile.gettempdir()) if work is None else work
    if not place.is_dir():
        raise BackupError(f"There is no folder {place}: make it, or leave --work out.")
    needed, free = room_for(manifest), shutil.disk_usage(place).free
    if needed > free:
        raise BackupError(
            f"Restoring it takes some {decimal(needed)} for a while, and {place} has {decimal(free)}: "
            "name a folder with more room, as in --work /var/tmp."
        )


def _show_proof(console: Console, manifest: Manifest, proof: Proof) -> None:
    for table in proof.different:
        console.print(f"Not the same: {table}.", markup=False, highlight=False)
    if proof.live_log is False:
        console.print("Not the same: the live instance's log does not begin with these events.", highlight=False)
    if proof.missing_pictures:
        console.print(
            f"{len(proof.missing_pictures):,} pictures went while the backup was made: "
            f"{', '.join(proof.missing_pictures[:5])} …",
            markup=False,
            highlight=False,
        )
    if proof.holds:
        console.print(sentence(manifest, proof), markup=False, highlight=False, soft_wrap=True)


def sentence(manifest: Manifest, proof: Proof) -> str:
    """What was proved, for people."""
    rows = sum(proof.tables.values())
    said = (
        f"Proved: every file is as it was written; {proof.events:,} events (digest {manifest.digest[:16]}) could be "
        f"restored, opened with this master key and replayed into {len(proof.tables)} read models of {rows:,} rows"
    )
    if proof.not_compared is None:
        said += f", which are, byte for byte, {', and '.join(proof.compared_with)}."
    else:
        said += f". These could be compared with nothing: {proof.not_compared}."
    if proof.live_log:
        said += " The live instance's log begins with these very events."
    return said
