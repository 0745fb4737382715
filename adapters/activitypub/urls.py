"""URLs as identities: the origin of a URI, and whether two URIs share one.

Every decision about trust is "does this come from the same origin as the thing that was proven" (FEP-fe34), asked
several times an activity, so this is pure, small and quick. What may be *dialled* is `guard`'s matter.
"""

import ipaddress
import re
from functools import lru_cache
from typing import Final

import idna

URL_BYTES_MAX: Final = 2048
HOST_CHARS_MAX: Final = 253
LABEL_CHARS_MAX: Final = 63
PORT_MAX: Final = 65_535
_CACHE_MAX: Final = 2048
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

# No blank, control character or backslash anywhere: what parsers disagree on is refused, not interpreted.
_SHAPE: Final = re.compile(
    r"(?P<scheme>[Hh][Tt][Tt][Pp][Ss]?)://"
    r"(?P<host>\[[0-9A-Fa-f:.]{2,45}\]|[^\s\x00-\x20\x7f-\x9f\\/?#@:\[\]%]+)"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?:[/?#][^\s\x00-\x20\x7f-\x9f\\]*)?"
)
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")


def origin_of(uri: str) -> str | None:
    """Scheme, host and port of `uri` as `https://good.test` or `https://good.test:8443`.

    The host is lower-case and in its IDNA form, the default port is left out. None when it is not an http(s) URL that
    every parser reads alike: user information, control characters, blanks, backslashes, a percent sign or trailing dot
    in the host, a port over 65,535, more than 2,048 bytes.
    """
    # Before the cache, which would hold on to whatever a stranger sends.
    return _origin(uri) if len(uri) <= URL_BYTES_MAX else None


def same_origin(one: str, other: str) -> bool:
    """Whether both are http(s) URLs of one origin; False when either has none."""
    origin = origin_of(one)
    return origin is not None and origin == origin_of(other)


def without_fragment(uri: str) -> str:
    """The document that `uri` lies in: everything before its first `#`."""
    return uri.partition("#")[0]


@lru_cache(maxsize=_CACHE_MAX)
def _origin(uri: str) -> str | None:
    if not _encodes_within(uri, URL_BYTES_MAX):
        return None
    found = _SHAPE.fullmatch(uri)
    if found is None:
        return None
    scheme, port = found["scheme"].lower(), found["port"]
    host = _canonical_host(found["host"])
    if host is None:
        return None
    if port is None or int(port) == _DEFAULT_PORTS[scheme]:
        return f"{scheme}://{host}"
    if not 0 < int(port) <= PORT_MAX:
        return None
    return f"{scheme}://{host}:{int(port)}"


def _encodes_within(text: str, bytes_max: int) -> bool:
    if text.isascii():
        return True
    try:
        return len(text.encode()) <= bytes_max
    except UnicodeEncodeError:  # a lone surrogate
        return False


@lru_cache(maxsize=_CACHE_MAX)
def _canonical_host(host: str) -> str | None:
    if host.startswith("["):
        try:
            return f"[{ipaddress.IPv6Address(host[1:-1])}]"
        except ValueError:
            return None
    if not host.isascii():
        try:
            # The very call the HTTP client makes, so that both come to the same name.
            host = idna.encode(host.lower()).decode("ascii")
        except idna.IDNAError:
            return None
    host = host.lower()
    if len(host) > HOST_CHARS_MAX:
        return None
    labels = host.split(".")
    return host if all(map(_is_label, labels)) and _last_label_is_plain(labels) else None


def _is_label(label: str) -> bool:
    if len(label) > LABEL_CHARS_MAX or _LABEL.fullmatch(label) is None:
        return False
    if label.startswith("xn--"):
        try:
            idna.decode(label)
        except idna.IDNAError:
            return False
    return True


def _last_label_is_plain(labels: list[str]) -> bool:
    """Whether no resolver takes the host for a number in disguise (2130706433, 0x7f.1, 0177.0.0.1)."""
    last = labels[-1]
    if not (last.isdigit() or re.fullmatch(r"0x[0-9a-f]*", last)):
        return True
    try:
        ipaddress.IPv4Address(".".join(labels))
    except ValueError:
        return False
    return True
