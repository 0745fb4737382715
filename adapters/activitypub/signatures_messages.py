"""HTTP message signatures (RFC 9421) as the Fediverse uses them: one on a request, by an actor's RSA or Ed25519 key.

Text in, what was signed out; `signatures.py` checks time and host as for the older kind, and proves. The headers are
structured fields (RFC 8941), of which a signature needs few kinds: what uses others is refused, not read halfway.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from adapters.activitypub.signatures_keys import SignatureRefused
from adapters.activitypub.urls import origin_of

FIELD_CHARS_MAX: Final = 4096
COMPONENTS_MAX: Final = 32
SIGNATURE_BYTES_MAX: Final = 1024

_KEY: Final = r"[a-z*][a-z0-9_.*-]*"
_STRING: Final = r'"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"'
_INTEGER: Final = r"-?(?:0|[1-9][0-9]{0,14})"
_BYTES: Final = r":[A-Za-z0-9+/]*={0,2}:"
_WORD: Final = r"[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*"
_LABEL: Final = re.compile(rf"[ \t]*({_KEY})=")
_COMPONENT: Final = re.compile(rf" *({_STRING})(;?)")
_PARAMETER: Final = re.compile(rf"; *({_KEY})(?:=({_STRING}|{_BYTES}|{_WORD}|\?[01]|{_INTEGER}(?![0-9.])))?")
_MEMBER: Final = re.compile(rf"[ \t]*({_KEY})=({_BYTES})[ \t]*(?:,|$)")
_END: Final = re.compile(r"[ \t]*$")
_FIELD: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")

# What each algorithm of RFC 9421, section 3.3, is called in the older draft; for an actor's keys there are two.
_ALGORITHMS: Final = {None: None, "rsa-v1_5-sha256": "rsa-sha256", "ed25519": "ed25519"}
_DERIVED: Final = frozenset({"@method", "@target-uri", "@authority", "@scheme", "@request-target", "@path", "@query"})
_DIGESTS: Final = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}


@dataclass(frozen=True, slots=True)
class MessageSignature:
    """What Signature-Input and Signature say. `components` are in order, `inside` is what `@signature-params` covers.

    `algorithm` is spelt as in the older draft; times are seconds since 1970.
    """

    key_id: str
    algorithm: str | None
    components: tuple[str, ...]
    inside: str
    signature: bytes
    created: int
    expires: int | None

    @property
    def fields(self) -> frozenset[str]:
        """The header fields among the components."""
        return frozenset(self.components) - _DERIVED


def read_message_signature(signature_input: str, signature: str) -> MessageSignature:
    """Read both fields' values. Raises SignatureRefused unless they hold one signature of a kind that is known here."""
    if max(len(signature_input), len(signature)) > FIELD_CHARS_MAX:
        raise SignatureRefused("The signature's headers are too long.")
    label = _LABEL.match(signature_input)
    if label is None or not signature_input.startswith("(", label.end()):
        raise SignatureRefused("The Signature-Input header is malformed.")
    components, at = _components(signature_input, label.end() + 1)
    parameters, at = _parameters(signature_input, at)
    if _END.match(signature_input, at) is None:
        raise SignatureRefused("The Signature-Input header must hold exactly one signature.")
    inside = "".join(f";{name}" if value == "?1" else f";{name}={value}" for name, value in parameters.items())
    key_id, algorithm = _text(parameters, "keyid"), _text(parameters, "alg")
    if key_id is None or origin_of(key_id) is None:
        raise SignatureRefused("The keyid is not an http(s) URL.")
    if algorithm not in _ALGORITHMS:
        raise SignatureRefused("The algorithm is neither rsa-v1_5-sha256 nor ed25519.")
    created = _seconds(parameters, "created")
    if created is None:
        raise SignatureRefused("The signature does not say when it was made.")
    return MessageSignature(
        key_id,
        _ALGORITHMS[algorithm],
        components,
        f"({' '.join(f'{chr(34)}{name}{chr(34)}' for name in components)}){inside}",
        _value(signature, label[1]),
        created,
        _seconds(parameters, "expires"),
    )


def check_components(message: MessageSignature, method: str, target: str) -> None:
    """Refuse (SignatureRefused) what covers less than the whole request."""
    covered = set(message.components)
    whole = "@target-uri" in covered or {"@authority", "@request-target"} <= covered
    parts = {"@authority", "@path"} | ({"@query"} if "?" in target else set[str]())
    if "@method" not in covered or not (whole or parts <= covered):
        raise SignatureRefused("The signature does not cover @method and @target-uri.")
    if method not in ("GET", "HEAD") and "content-digest" not in covered:
        raise SignatureRefused("The signature does not cover content-digest.")


def check_content_digest(value: str, body: bytes) -> None:
    """RFC 9530: every digest of a kind that we know must be the body's, and there must be one."""
    known, at = 0, 0
    seen: set[str] = set()
    while at < len(value):
        found = _MEMBER.match(value, at)
        if found is None or found[1] in seen:
            raise SignatureRefused("The Content-Digest header is malformed.")
        seen.add(found[1])
        at = found.end()
        if found[1] in _DIGESTS:
            known += 1
            if not hmac.compare_digest(_decoded(found[2]), _DIGESTS[found[1]](body).digest()):
                raise SignatureRefused("The body is not the one that the Content-Digest header was made from.")
    if not known:
        raise SignatureRefused("The Content-Digest header holds neither a SHA-256 nor a SHA-512.")


def signature_bases(
    message: MessageSignature, method: str, target: str, host: str, values: Mapping[str, str]
) -> Sequence[bytes]:
    """What may have been signed: section 2.5, `values` being those of the header fields.

    Two, where the scheme is in it: a proxy in front of us speaks TLS for us, and which host was meant is known.
    """
    schemes = ("https", "http") if {"@target-uri", "@scheme"} & set(message.components) else ("https",)
    path, mark, query = target.partition("?")
    bases: list[bytes] = []
    for scheme in schemes:
        derived = {
            "@method": method,
            "@target-uri": f"{scheme}://{host}{target}",
            "@authority": host,
            "@scheme": scheme,
            "@request-target": target,
            "@path": path,
            "@query": f"?{query}" if mark else "?",
        }
        lines = [f'"{name}": {derived[name] if name in derived else values[name]}' for name in message.components]
        lines.append(f'"@signature-params": {message.inside}')
        try:
            bases.append("\n".join(lines).encode("latin-1"))
        except UnicodeEncodeError:
            raise SignatureRefused("A signed header is not made of bytes.") from None
    return bases


def _components(text: str, at: int) -> tuple[tuple[str, ...], int]:
    """The inner list from behind its bracket, and where it ends."""
    names: list[str] = []
    while found := _COMPONENT.match(text, at):
        name = found[1][1:-1]
        if found[2]:
            raise SignatureRefused("Components with parameters are not understood here.")
        if name in names or len(names) >= COMPONENTS_MAX:
            raise SignatureRefused("A component is signed twice, or there are too many.")
        if name not in _DERIVED and not _FIELD.fullmatch(name):
            raise SignatureRefused("A component is signed that is not known here.")
        names.append(name)
        at = found.end()
    closed = re.compile(" *\\)").match(text, at)
    if closed is None or not names:
        raise SignatureRefused("The list of signed components is empty or malformed.")
    return tuple(names), closed.end()


def _parameters(text: str, at: int) -> tuple[dict[str, str], int]:
    """Each parameter's value as it is spelt, which is its only spelling."""
    parameters: dict[str, str] = {}
    while found := _PARAMETER.match(text, at):
        if found[1] in parameters:
            raise SignatureRefused(f"The signature gives {found[1]} twice.")
        parameters[found[1]] = found[2] or "?1"
        at = found.end()
    return parameters, at


def _text(parameters: Mapping[str, str], name: str) -> str | None:
    value = parameters.get(name)
    if value is not None and not value.startswith('"'):
        raise SignatureRefused(f"The signature's {name} is not a string.")
    return None if value is None else re.sub(r'\\(["\\])', r"\1", value[1:-1])


def _seconds(parameters: Mapping[str, str], name: str) -> int | None:
    value = parameters.get(name)
    if value is not None and not re.fullmatch(_INTEGER, value):
        raise SignatureRefused(f"The signature's {name} is not a time in seconds.")
    return None if value is None else int(value)


def _value(text: str, label: str) -> bytes:
    found = _MEMBER.match(text)
    if found is None or found.end() != len(text) or found[1] != label:
        raise SignatureRefused("The Signature header does not hold the one signature that Signature-Input tells of.")
    value = _decoded(found[2])
    if not 0 < len(value) <= SIGNATURE_BYTES_MAX:
        raise SignatureRefused("The signature's value is not of a plausible length.")
    return value


def _decoded(binary: str) -> bytes:
    try:
        return base64.b64decode(binary[1:-1], validate=True)
    except (binascii.Error, ValueError):
        raise SignatureRefused("A header holds what is not base64.") from None
