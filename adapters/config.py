"""What the operator may set: environment variables in, one frozen Settings out, or one sentence saying what is wrong.

Two names are everybody's (`DATABASE_URL`, `REDIS_URL`), the others ours (`DAYBOOK_*`). A `DAYBOOK_*` variable that
nobody reads is refused, and so is what nearly reads like one of the two while that one is missing: a misspelt setting
that is silently ignored is found out much too late.
"""

import difflib
import ipaddress
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec

PREFIX = "DAYBOOK_"
PORT_MAX = 65_535
PAGES_MB_MAX = 1_000_000
DOMAIN_LENGTH_MAX = 253
HOME_DAYS_MAX = 36_500
POSTGRES_SCHEMES = ("postgresql", "postgres")
REDIS_SCHEMES = ("redis", "rediss", "unix")
APP_ROLE = "daybook_app"
JSON, TEXT = "json", "text"
LOG_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
METRICS_TOKEN_LENGTH_MIN = 16

KNOWN = {
    "DAYBOOK_BIND": "bind",
    "DAYBOOK_DATA": "data",
    "DAYBOOK_DATABASE_APP_URL": "database_app_url",
    "DAYBOOK_DOMAIN": "domain",
    "DAYBOOK_HOME_DAYS": "home_days",
    "DAYBOOK_LOG": "log",
    "DAYBOOK_LOG_LEVEL": "log_level",
    "DAYBOOK_MASTER_KEY": "master_key",
    "DAYBOOK_METRICS_TOKEN": "metrics_token",
    "DAYBOOK_NAME_MAP": "name_map",
    "DAYBOOK_PAGES_MB": "pages_mb",
    "DAYBOOK_PORT": "port",
    "DAYBOOK_TRUSTED_PROXIES": "trusted_proxies",
}
# Whatever else runs here may have them too; the second name is what does without the first.
SHARED = {"DATABASE_URL": "DAYBOOK_DATABASE_APP_URL", "REDIS_URL": "REDIS_URL"}
# Lets DATABASE_URI and REDIS_URI be taken for a mistake, but neither DATABASE_USER (0.88) nor REDIS_USER.
NEAR_MISS_MIN = 0.885

_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_DOMAIN = re.compile(rf"(?P<host>{_LABEL}(\.{_LABEL})*|\[[0-9a-f:.]+\])(:(?P<port>\d{{1,5}}))?")


class SettingsError(Exception):
    """A setting that can't be used; its message is one sentence for the operator."""


def kept_from_us(error: PermissionError) -> SettingsError:
    """What to say of a file in the data directory that another user's instance keeps to itself."""
    return SettingsError(
        f"{error.filename} can't be used ({error.strerror}): run this as the user whose instance it is, "
        "or set DAYBOOK_DATA to a directory of yours."
    )


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be set.

    `domain` is the host, with its port where it isn't the scheme's own; `data` is absolute; `database_url` is the
    owner's (it may migrate), `database_app_url` the role's that may only append and project; `name_map` gives
    (address, port) for names used in trials, every address a loopback one; `trusted_proxies` are networks (CIDR) whose
    peers say truly whom they speak for; `home_days` is after how many days of absence a home is dropped, 0 for never;
    `metrics_token` lets whoever has it read /metrics; `pages_mb` is how much memory `serve` keeps ready answers in, at
    most.
    """

    domain: str = "localhost:3000"
    bind: str = "127.0.0.1"
    port: int = 3000
    data: Path = Path("data")
    database_url: str | None = None
    database_app_url: str | None = None
    redis_url: str | None = None
    master_key: str | None = None
    name_map: dict[str, tuple[str, int]] = {}
    trusted_proxies: tuple[str, ...] = ()
    home_days: int = 30
    metrics_token: str | None = None
    pages_mb: int = 64

    @property
    def loopback(self) -> bool:
        """Whether the domain can only be reached from this machine."""
        return is_loopback(host_of(self.domain))

    @property
    def origin(self) -> str:
        """Scheme and authority that every URL of ours begins with; plain http for loopback and trial names only."""
        plain = self.loopback or self.domain in self.name_map or host_of(self.domain) in self.name_map
        return f"{'http' if plain else 'https'}://{self.domain}"

    def is_plain(self, authority: str) -> bool:
        """Whether a host, with its port if any, is reached by plain http: in trials on this machine alone."""
        return self.loopback or host_of(authority) in self.name_map


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings from an environment.

    Raises SettingsError, whose message names the variable and what it should hold.
    """
    _refuse_unknown(environ)
    check_logging(environ)
    port = _port("DAYBOOK_PORT", environ.get("DAYBOOK_PORT") or "3000")
    return Settings(
        domain=_domain(environ.get("DAYBOOK_DOMAIN") or f"localhost:{port}"),
        bind=_address("DAYBOOK_BIND", environ.get("DAYBOOK_BIND") or "127.0.0.1"),
        port=port,
        data=Path(environ.get("DAYBOOK_DATA") or "data").expanduser().absolute(),
        database_url=_url("DATABASE_URL", environ, POSTGRES_SCHEMES),
        database_app_url=_url("DAYBOOK_DATABASE_APP_URL", environ, POSTGRES_SCHEMES),
        redis_url=_url("REDIS_URL", environ, REDIS_SCHEMES),
        master_key=environ.get("DAYBOOK_MASTER_KEY") or None,
        name_map=_name_map(environ.get("DAYBOOK_NAME_MAP") or ""),
        trusted_proxies=_networks(environ.get("DAYBOOK_TRUSTED_PROXIES") or ""),
        home_days=_days("DAYBOOK_HOME_DAYS", environ.get("DAYBOOK_HOME_DAYS") or "30"),
        metrics_token=_token("DAYBOOK_METRICS_TOKEN", environ),
        pages_mb=_megabytes("DAYBOOK_PAGES_MB", environ.get("DAYBOOK_PAGES_MB") or "64"),
    )


def check_logging(environ: Mapping[str, str]) -> None:
    """Raise SettingsError for what `adapters/logs.py` reads by itself, before there are settings, and can't use."""
    log_form(environ)
    log_level(environ)


def log_form(environ: Mapping[str, str]) -> str | None:
    """How log lines are written, `json` or `text`; None where that is not set. Raises SettingsError."""
    form = environ.get("DAYBOOK_LOG") or None
    if form not in (None, JSON, TEXT):
        raise SettingsError(f"DAYBOOK_LOG must be {JSON} or {TEXT}, not {form!r}.")
    return form


def log_level(environ: Mapping[str, str]) -> int:
    """From which level on things are logged, as `logging` counts. Raises SettingsError."""
    name = environ.get("DAYBOOK_LOG_LEVEL") or "info"
    if name not in LOG_LEVELS:
        raise SettingsError(f"DAYBOOK_LOG_LEVEL must be one of {', '.join(LOG_LEVELS)}, not {name!r}.")
    return LOG_LEVELS[name]


def host_of(domain: str) -> str:
    """The host of `host`, `host:port` or `[v6]:port`, without brackets."""
    if domain.startswith("["):
        return domain[1 : domain.index("]")]
    return domain.partition(":")[0]


def is_loopback(host: str) -> bool:
    """Whether a host name or address literal means this machine (RFC 6761 §6.3 for `localhost`)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def app_url_from(owner_url: str, password: str) -> str:
    """The owner's URL with the application's role and its password in the owner's place."""
    parts = urlsplit(owner_url)
    authority = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{APP_ROLE}:{quote(password, safe='')}@{authority}"))


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    missing = [name for name, instead in SHARED.items() if not (environ.get(name) or environ.get(instead))]
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in KNOWN:
            bare = name.removeprefix(PREFIX)
            near = bare if bare in SHARED else difflib.get_close_matches(name, KNOWN, n=1, cutoff=0.0)[0]
            raise SettingsError(f"{name} is not a setting of Daybook; the nearest one is {near}.")
        meant = difflib.get_close_matches(name.upper(), missing, n=1, cutoff=NEAR_MISS_MIN) if environ[name] else []
        if meant and name not in SHARED:
            raise SettingsError(f"{name} is read by nobody: rename it to {meant[0]}, or unset it.")


def _port(name: str, text: str) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text) <= PORT_MAX:
        return int(text)
    raise SettingsError(f"{name} must be a port from 1 to {PORT_MAX}, not {text!r}.")


def _days(name: str, text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= len(str(HOME_DAYS_MAX)) and int(text) <= HOME_DAYS_MAX:
        return int(text)
    raise SettingsError(f"{name} must be a number of days from 0 (never) to {HOME_DAYS_MAX}, not {text!r}.")


def _megabytes(name: str, text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) <= PAGES_MB_MAX:
        return int(text)
    raise SettingsError(f"{name} must be a number of megabytes, at most {PAGES_MB_MAX}, not {text!r}.")


def _address(name: str, text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError as error:
        raise SettingsError(f"{name} must be an IP address such as 127.0.0.1 or ::, not {text!r}.") from error


def _networks(text: str) -> tuple[str, ...]:
    entries = [entry.strip() for entry in text.split(",") if entry.strip()]
    try:
        return tuple(str(ipaddress.ip_network(entry)) for entry in entries)
    except ValueError as error:
        raise SettingsError(
            f"DAYBOOK_TRUSTED_PROXIES must be addresses or networks such as 127.0.0.1,10.1.0.0/16, not {text!r}."
        ) from error


def _domain(text: str) -> str:
    found = _DOMAIN.fullmatch(text.strip().lower())
    if found is None or len(text) > DOMAIN_LENGTH_MAX:
        raise SettingsError(
            f"DAYBOOK_DOMAIN must be a host name such as social.example or localhost:3000, not {text!r}."
        )
    if found["port"]:
        _port("The port in DAYBOOK_DOMAIN", found["port"])
    if found["host"].startswith("["):
        _address("The host in DAYBOOK_DOMAIN", found["host"])
    return found[0]


def _url(name: str, environ: Mapping[str, str], schemes: tuple[str, ...]) -> str | None:
    text = environ.get(name)
    if not text:
        return None
    if urlsplit(text).scheme not in schemes:
        # The value is not repeated: it may hold a password.
        raise SettingsError(f"{name} must be a URL that begins with {' or '.join(f'{s}://' for s in schemes)}.")
    if text.partition("?")[0].count("@") > 1:
        # The rest of the password would be taken for the host, and named in errors.
        raise SettingsError(f"{name} holds more than one @: in a password, write %40 for @ and %2F for /.")
    return text


def _token(name: str, environ: Mapping[str, str]) -> str | None:
    token = environ.get(name) or None
    if token is not None and (len(token) < METRICS_TOKEN_LENGTH_MIN or not token.isascii() or not token.isprintable()):
        raise SettingsError(f"{name} must have at least {METRICS_TOKEN_LENGTH_MIN} printable ASCII characters.")
    return token


def _name_map(text: str) -> dict[str, tuple[str, int]]:
    entries = (entry.strip() for entry in text.split(",") if entry.strip())
    return dict(_mapped(entry) for entry in entries)


def _mapped(entry: str) -> tuple[str, tuple[str, int]]:
    name, equals, target = entry.partition("=")
    address, colon, port = target.rpartition(":")
    address = address.strip("[]")
    if not (name and equals and colon):
        raise SettingsError(f"DAYBOOK_NAME_MAP must read like a.test=127.0.0.1:3001,b.test=…, not {entry!r}.")
    if not is_loopback(_address("An address in DAYBOOK_NAME_MAP", address)):
        raise SettingsError(
            f"DAYBOOK_NAME_MAP is for trials on one machine: {address} in {entry!r} is not a loopback address."
        )
    return name.strip().lower(), (address, _port("A port in DAYBOOK_NAME_MAP", port))
