"""Where an instance runs: its settings, its master key, its data directory, its Redis. Nothing is made or changed."""

import ipaddress
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from adapters.codec import Codec, Unreadable
from adapters.condition.finding import Finding, ok, warning, wrong
from adapters.config import Settings, SettingsError, is_loopback
from adapters.master_key import load_master_key
from adapters.redis_silence import why_silent

WIDE_PREFIX: Final = {4: 8, 6: 16}
OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def check_settings(settings: Settings, environ: Mapping[str, str], founded: Settings | None) -> list[Finding]:
    """The domain and what federates with it, https, and proxies; `founded` is what the log says, None if not known."""
    return [_domain(settings, environ, founded), _front(founded or settings)]


def check_key(settings: Settings) -> tuple[Finding, Codec | None]:
    """The master key, as far as it can be judged without the database; and what opens events by it."""
    check, path = "master key", settings.data / "master.key"
    if settings.master_key is None and not path.exists():
        todo = f"Put it back from your copy as {path}, or set DAYBOOK_MASTER_KEY: without it nothing can be read."
        return wrong(check, f"There is no master key at {path}.", todo), None
    try:
        codec = Codec(load_master_key(settings))
    except SettingsError as error:
        return wrong(check, str(error), "Restore the key from your copy: without it nothing can be read."), None
    if settings.master_key is not None:
        return ok(check, "DAYBOOK_MASTER_KEY holds a key."), codec
    if (mode := stat.S_IMODE(path.stat().st_mode)) & OTHERS:
        return warning(check, f"{path} has mode {mode:o}: others can read it.", f"chmod 600 {path}"), codec
    return ok(check, f"{path} holds a key, for its owner alone."), codec


def check_opens(codec: Codec, event: tuple[str, str, bytes, bytes | None], position: int, held: Finding) -> Finding:
    """Whether the key opens the newest event that still has one of its own; `held` is what was found of it before."""
    try:
        codec.open(*event)
    except Unreadable as error:
        todo = "Use the key that this instance was started with first (your copy of master.key)."
        return wrong(held.check, f"The master key does not open event {position}: {error}.", todo)
    return held if held.state != "ok" else ok(held.check, f"{held.what.rstrip('.')}; it opens event {position}.")


def check_media(data: Path) -> Finding:
    """Whether pictures can be written."""
    check, folder = "media", data / "media"
    place = folder if folder.exists() else data
    try:
        with tempfile.TemporaryFile(dir=place):
            return ok(check, f"Pictures can be written to {folder}.")
    except OSError as error:
        what = f"Pictures can't be written to {folder} ({error.strerror})."
        return wrong(
            check, what, "Run this as the instance's user; if it fails then too, mend the folder's owner or mode."
        )


def check_redis(settings: Settings) -> Finding:
    """Whether Redis answers; blocks for a second at most."""
    check = "redis"
    assert settings.redis_url is not None, "settings are attached"
    embedded = "/run/valkey.sock" in settings.redis_url or settings.redis_url.startswith("unix:")
    name = "The embedded Valkey" if embedded else "The server that REDIS_URL names"
    try:
        why = why_silent(settings.redis_url)
    except SettingsError as error:
        return wrong(check, str(error), "Mend REDIS_URL.")
    if why is None:
        return ok(check, f"{name} answers.")
    what = f"{name} does not answer: nothing is lost, but what clients wrote last is not remembered, so reads may wait."
    return warning(check, what, "Start `daybook up`." if embedded else "Start it, or mend REDIS_URL.")


def _domain(settings: Settings, environ: Mapping[str, str], founded: Settings | None) -> Finding:
    check, domain = "settings", (founded or settings).domain
    if environ.get("DAYBOOK_DOMAIN") and founded is not None and settings.domain != founded.domain:
        what = f"DAYBOOK_DOMAIN is {settings.domain}, but this instance was founded as {founded.domain}."
        return wrong(check, what, f"Set DAYBOOK_DOMAIN={founded.domain}: addresses that others know can't change.")
    if settings.name_map:
        what = f"{domain} is one of the names of a trial (DAYBOOK_NAME_MAP): plain http is spoken on this machine."
        return warning(check, what, "Unset DAYBOOK_NAME_MAP for anything but a trial.")
    if (founded or settings).loopback:
        return ok(check, f"{domain} is this machine only: it federates with nobody elsewhere.")
    return ok(check, f"{domain} is the host in every handle; every address begins with https.")


def _front(settings: Settings) -> Finding:
    """What stands between the network and us."""
    check = "proxies"
    wide = [network for network in settings.trusted_proxies if _is_wide(network)]
    if wide:
        what = f"DAYBOOK_TRUSTED_PROXIES trusts {', '.join(wide)}: anybody there may say whom they speak for."
        return wrong(check, what, "Name only the addresses that your reverse proxy connects from.")
    if settings.loopback or settings.name_map:
        return ok(check, "None is needed on this machine.")
    if not settings.trusted_proxies:
        what = f"{settings.domain} needs a reverse proxy for https, and DAYBOOK_TRUSTED_PROXIES names none."
        todo = "Name it (127.0.0.1 if it is on this machine): else all clients share one limit on tries to log in."
        return warning(check, what, todo)
    if not is_loopback(settings.bind) and all(_is_here(network) for network in settings.trusted_proxies):
        what = f"DAYBOOK_BIND={settings.bind} is open to the network without https, past the proxy on this machine."
        return warning(check, what, "Set DAYBOOK_BIND=127.0.0.1, or close the port.")
    return ok(check, f"Whom they speak for is believed of {', '.join(settings.trusted_proxies)}.")


def _is_wide(network: str) -> bool:
    found = ipaddress.ip_network(network)
    return found.prefixlen < WIDE_PREFIX[found.version]


def _is_here(network: str) -> bool:
    return ipaddress.ip_network(network).is_loopback
