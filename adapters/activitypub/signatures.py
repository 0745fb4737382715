"""HTTP signatures: read, checked, and turned into a proof. Both kinds, draft-cavage-http-signatures-12 and RFC 9421.

The older kind is read here, the younger one in `signatures_messages.py`; a request with a Signature-Input is of that
kind, and nothing else is tried with it. A check gives back a `VerifiedRequest`, and only that can be appended to the
log: what was not verified cannot be stored by mistake. Everything here is pure; the time is handed in. Rules: the
Fediverse's common set, with the host always signed, because else a signature for one server can be replayed to another
(GHSA-3f39-6537-3cgc).
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from adapters.activitypub.signatures_keys import PublicKey, SignatureRefused, load_public_key, signature_holds
from adapters.activitypub.signatures_messages import (
    MessageSignature,
    check_components,
    check_content_digest,
    read_message_signature,
    signature_bases,
)
from adapters.activitypub.urls import origin_of

__all__ = [
    "Headers",
    "MessageSignature",
    "PublicKey",
    "SignatureParameters",
    "SignatureRefused",
    "SignedRequest",
    "VerifiedRequest",
    "headers_from_bytes",
    "load_public_key",
    "parse_signature",
    "verify",
]

Headers = Sequence[tuple[str, str]]
"""Header lines as they were received: lower-case name and value, one pair a line, duplicates and order kept."""

SIGNATURE_HEADER_CHARS_MAX: Final = 4096
COVERED_HEADERS_MAX: Final = 32
SIGNATURE_BYTES_MAX: Final = 1024
SKEW: Final = timedelta(hours=1)
LIFE: Final = timedelta(minutes=5)
LIFE_MAX: Final = timedelta(hours=12)
YEAR_MIN: Final = 1970
YEAR_MAX: Final = 9000

_ALGORITHMS: Final = frozenset({None, "rsa-sha256", "hs2019"})
_PARAMETER: Final = re.compile(r'\s*([A-Za-z][A-Za-z0-9_-]*)\s*=\s*(?:"([^"\\]*)"|([0-9]+(?:\.[0-9]+)?))\s*(?:,|$)')
_SECONDS: Final = re.compile(r"([0-9]{1,11})(?:\.[0-9]+)?")
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_UNSAFE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_ONCE_ONLY: Final = frozenset({"host", "date", "digest", "content-type", "content-length"})


@dataclass(frozen=True, slots=True)
class SignatureParameters:
    """What a Signature header says. `headers` are the covered names in order; times are seconds since 1970."""

    key_id: str
    algorithm: str | None
    headers: tuple[str, ...]
    signature: bytes
    created: int | None
    expires: int | None


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request as it was received: `target` is the raw path with its query, `body` the bytes before any decoding."""

    method: str
    target: str
    headers: Headers
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class VerifiedRequest:
    """The proof that the holder of a key sent `body`, with all that it takes to check it again later.

    `signer` is the actor's id, `signing_string` the covered header lines as they were signed, `key` the key's DER
    bytes. From `valid_until` on the same signature is refused anyway, so memory of it may end there.
    """

    key_id: str
    signer: str
    signing_string: bytes
    signature: bytes
    key: bytes
    body: bytes
    valid_until: datetime


def headers_from_bytes(raw: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """An ASGI scope's header pairs as `Headers`."""
    return [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in raw]


def parse_signature(headers: Headers) -> SignatureParameters | MessageSignature:
    """Read the request's one signature. Raises SignatureRefused when there is none, two, or a malformed one."""
    inputs = [value for name, value in headers if name == "signature-input"]
    if inputs:
        return read_message_signature(", ".join(inputs), ", ".join(v for n, v in headers if n == "signature"))
    found = [value for name, value in headers if name == "signature"]
    found += [value[10:] for name, value in headers if name == "authorization" and value[:10].lower() == "signature "]
    if len(found) != 1:
        raise SignatureRefused("The request must have exactly one signature." if found else "There is no signature.")
    parameters = _parameters(found[0])
    key_id, signature = parameters.get("keyId"), parameters.get("signature")
    if not key_id or not signature:
        raise SignatureRefused("The signature lacks its keyId or its value.")
    if origin_of(key_id) is None:
        raise SignatureRefused("The keyId is not an http(s) URL.")
    algorithm = parameters.get("algorithm")
    if algorithm not in _ALGORITHMS:
        raise SignatureRefused("The algorithm is neither rsa-sha256 nor hs2019.")
    value = _base64(signature)
    if value is None or not 0 < len(value) <= SIGNATURE_BYTES_MAX:
        raise SignatureRefused("The signature's value is not base64 of a plausible length.")
    covered = _covered_names(parameters.get("headers", "date"))
    if algorithm == "rsa-sha256" and ("(created)" in covered or "(expires)" in covered):
        raise SignatureRefused("(created) and (expires) cannot be signed under rsa-sha256 (draft-cavage-12, 2.3).")
    created, expires = _seconds(parameters, "created"), _seconds(parameters, "expires")
    return SignatureParameters(key_id, algorithm, covered, value, created, expires)


@dataclass(frozen=True, slots=True)
class CheckedRequest:
    """A request about which everything holds that can be known without the key: only the proof is missing.

    `messages` are what may have been signed, in the order to try them.
    """

    request: SignedRequest
    parameters: SignatureParameters | MessageSignature
    messages: Sequence[bytes]
    valid_until: datetime


def check(
    request: SignedRequest,
    parameters: SignatureParameters | MessageSignature,
    *,
    authorities: frozenset[str],
    now: datetime,
) -> CheckedRequest:
    """Check coverage, host (one of `authorities`, our names with port), digest and time.

    Before a key is looked up: a stale or misdirected request must not make us ask anybody for one. Raises
    SignatureRefused with the first thing that is wrong.
    """
    if _UNSAFE.search(request.target):
        raise SignatureRefused("The request's target holds control characters.")
    if isinstance(parameters, MessageSignature):
        return _check_message(request, parameters, authorities, now)
    covered = frozenset(parameters.headers)
    _check_coverage(request.method, covered)
    values = _covered_values(request.headers, covered)
    if values["host"].lower() not in authorities:
        raise SignatureRefused("The request was signed for another host.")
    if "digest" in covered:
        _check_digest(values["digest"], request.body)
    messages = [_signing_string(request.method, target, parameters, values) for target in _targets(request.target)]
    return CheckedRequest(request, parameters, messages, _check_time(parameters, covered, values, now))


def prove(checked: CheckedRequest, key: PublicKey) -> VerifiedRequest:
    """Prove that the holder of `key` sent a request.

    Raises SignatureRefused. Nothing from the request may be used before this returned, but the key's id to look `key`
    up with.
    """
    request, parameters = checked.request, checked.parameters
    if parameters.key_id != key.key_id:
        raise SignatureRefused("The key is not the one that the signature names.")
    for message in checked.messages:
        if signature_holds(key.key, parameters.algorithm, parameters.signature, message):
            return VerifiedRequest(
                parameters.key_id, key.actor, message, parameters.signature, key.der, request.body, checked.valid_until
            )
    raise SignatureRefused("The signature does not fit the request and the key.")


def verify(
    request: SignedRequest,
    parameters: SignatureParameters | MessageSignature,
    key: PublicKey,
    *,
    authorities: frozenset[str],
    now: datetime,
) -> VerifiedRequest:
    """`check` and `prove` in one, for whoever has the key already. Raises SignatureRefused."""
    return prove(check(request, parameters, authorities=authorities, now=now), key)


def _check_message(
    request: SignedRequest, parameters: MessageSignature, authorities: frozenset[str], now: datetime
) -> CheckedRequest:
    """The same for RFC 9421: all its parameters are signed, and the host is part of the target."""
    check_components(parameters, request.method, request.target)
    values = _covered_values(request.headers, parameters.fields | {"host"})
    host = values["host"].lower()
    if host not in authorities:
        raise SignatureRefused("The request was signed for another host.")
    if "content-digest" in values:
        check_content_digest(values["content-digest"], request.body)
    covered = frozenset({"(created)"} if parameters.expires is None else {"(created)", "(expires)"})
    valid_until = _check_time(parameters, covered, values, now)
    messages = signature_bases(parameters, request.method, request.target, host, values)
    return CheckedRequest(request, parameters, messages, valid_until)


def _parameters(text: str) -> dict[str, str]:
    if len(text) > SIGNATURE_HEADER_CHARS_MAX:
        raise SignatureRefused("The signature header is too long.")
    parameters: dict[str, str] = {}
    at = 0
    while at < len(text):
        found = _PARAMETER.match(text, at)
        if found is None:
            raise SignatureRefused("The signature header is malformed.")
        name, quoted, number = found.groups()
        if any(name.lower() == known.lower() for known in parameters):
            raise SignatureRefused(f"The signature header gives {name} twice.")
        parameters[name] = number if quoted is None else quoted
        at = found.end()
    return parameters


def _covered_names(text: str) -> tuple[str, ...]:
    names = tuple(text.lower().split())
    if not names or len(names) > COVERED_HEADERS_MAX or len(set(names)) != len(names):
        raise SignatureRefused("The list of signed headers is empty, too long, or names one twice.")
    return names


def _seconds(parameters: dict[str, str], name: str) -> int | None:
    text = parameters.get(name)
    if text is None:
        return None
    found = _SECONDS.fullmatch(text)
    if found is None:
        raise SignatureRefused(f"The signature's {name} is not a time in seconds.")
    return int(found[1])


def _base64(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _check_coverage(method: str, covered: frozenset[str]) -> None:
    required = {"(request-target)", "host"}
    if method.upper() not in ("GET", "HEAD"):
        required.add("digest")
    missing = sorted(required - covered)
    if missing:
        raise SignatureRefused(f"The signature does not cover {', '.join(missing)}.")
    if "date" not in covered and "(created)" not in covered:
        raise SignatureRefused("The signature covers no time.")


def _covered_values(headers: Headers, covered: frozenset[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in headers:
        if name in _ONCE_ONLY and name in values:
            raise SignatureRefused(f"The request has two {name} headers.")
        if name in covered or name in _ONCE_ONLY:
            if _UNSAFE.search(value):
                raise SignatureRefused(f"The header {name} holds control characters.")
            trimmed = value.strip(" \t")
            values[name] = f"{values[name]}, {trimmed}" if name in values else trimmed
    for name in covered:
        if name not in values and _HEADER_NAME.fullmatch(name):
            raise SignatureRefused(f"The signed header {name} is missing.")
    return values


def _check_digest(header: str, body: bytes) -> None:
    """RFC 3230: `SHA-256=…`, beside other kinds perhaps, but once."""
    entries = [entry.strip().partition("=") for entry in header.split(",")]
    digests = [value for name, _, value in entries if name.lower() == "sha-256"]
    if len(digests) != 1:
        raise SignatureRefused("The Digest header must hold exactly one SHA-256.")
    claimed = _base64(digests[0])
    if claimed is None or not hmac.compare_digest(claimed, hashlib.sha256(body).digest()):
        raise SignatureRefused("The body is not the one that the Digest header was made from.")


def _check_time(
    parameters: SignatureParameters | MessageSignature, covered: frozenset[str], values: dict[str, str], now: datetime
) -> datetime:
    """The moment from which on the signature is too old. Only what is signed counts as a time."""
    starts: list[datetime] = []
    ends: list[datetime] = []
    if "(expires)" in covered:
        ends.append(_moment(parameters.expires, "expires"))
    if "(created)" in covered:
        created = _moment(parameters.created, "created")
        starts.append(created)
        ends.append(created + (LIFE_MAX if ends else LIFE + SKEW))
    if "date" in covered:
        date = _date(values["date"])
        starts.append(date)
        ends.append(date + LIFE + SKEW)
    if any(start > now + SKEW for start in starts):
        raise SignatureRefused("The signature is from the future.")
    valid_until = min(ends)
    if now >= valid_until:
        raise SignatureRefused("The signature is too old.")
    return valid_until


def _date(text: str) -> datetime:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        raise SignatureRefused("The Date header cannot be read.") from None
    return _within_calendar(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _moment(seconds: int | None, name: str) -> datetime:
    if seconds is None:
        raise SignatureRefused(f"({name}) is signed but not given.")
    try:
        return _within_calendar(datetime.fromtimestamp(seconds, UTC))
    except (ValueError, OverflowError, OSError):
        raise SignatureRefused(f"The signature's {name} is not a time.") from None


def _within_calendar(moment: datetime) -> datetime:
    """Far years would overflow when a day is added; no clock is there yet."""
    if not YEAR_MIN <= moment.year <= YEAR_MAX:
        raise SignatureRefused("The signature's time is not one that any clock shows.")
    return moment.astimezone(UTC)


def _targets(target: str) -> Sequence[str]:
    """With its query first, then without: some peers sign the path alone."""
    path, mark, _ = target.partition("?")
    return (target, path) if mark else (target,)


def _signing_string(method: str, target: str, parameters: SignatureParameters, values: Mapping[str, str]) -> bytes:
    lines: list[str] = []
    for name in parameters.headers:
        match name:
            case "(request-target)":
                lines.append(f"(request-target): {method.lower()} {target}")
            case "(created)":
                lines.append(f"(created): {parameters.created}")
            case "(expires)":
                lines.append(f"(expires): {parameters.expires}")
            case _ if name in values:
                lines.append(f"{name}: {values[name]}")
            case _:
                raise SignatureRefused(f"The signed header {name} is not known.")
    try:
        return "\n".join(lines).encode("latin-1")
    except UnicodeEncodeError:
        raise SignatureRefused("A signed header is not made of bytes.") from None
