"""Public keys as actors publish them: PEM text in, something that verifies out.

The kind of a key is read from the key, never from the message that it is to verify.
"""

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

RSA_BITS_MIN: Final = 2048
RSA_BITS_MAX: Final = 8192
RSA_EXPONENT_MIN: Final = 3
RSA_EXPONENT_MAX: Final = 2**32
PEM_CHARS_MAX: Final = 8192

_PEM: Final = re.compile(
    r"\s*-----BEGIN (?P<kind>(?:RSA )?PUBLIC KEY)-----\s+(?P<body>[A-Za-z0-9+/=\s]+)-----END (?P=kind)-----"
)
_PADDING: Final = PKCS1v15()
_SHA256: Final = hashes.SHA256()
_SHA512: Final = hashes.SHA512()


class SignatureRefused(Exception):
    """A request does not prove who sent it; `reason` says why in a sentence. The inbox answers 401."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key ready to verify with: its id, the actor's id, and the key's own bytes (DER, SubjectPublicKeyInfo).

    Made by `load_public_key`; keep it rather than reading the PEM for each request.
    """

    key_id: str
    actor: str
    der: bytes
    key: RSAPublicKey | Ed25519PublicKey = field(repr=False, compare=False)


def load_public_key(key_id: str, actor: str, pem: str) -> PublicKey:
    """Read a PEM as found in `publicKeyPem`: SubjectPublicKeyInfo or PKCS#1, any line ends, anything after its end.

    RSA from 2,048 to 8,192 bits and Ed25519. Raises SignatureRefused for everything else.
    """
    if len(pem) > PEM_CHARS_MAX:
        raise SignatureRefused("The public key is longer than any key that we accept.")
    found = _PEM.match(pem)
    if found is None:
        raise SignatureRefused("The public key is not PEM text.")
    try:
        der = base64.b64decode("".join(found["body"].split()), validate=True)
        key = serialization.load_der_public_key(der)
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        raise SignatureRefused("The public key cannot be read.") from None
    if isinstance(key, RSAPublicKey):
        _check_rsa(key)
    elif not isinstance(key, Ed25519PublicKey):
        raise SignatureRefused("The public key is neither RSA nor Ed25519.")
    spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(key_id, actor, spki, key)


def signature_holds(
    key: RSAPublicKey | Ed25519PublicKey, algorithm: str | None, signature: bytes, message: bytes
) -> bool:
    """Whether `signature` is the key's over `message`, under what `algorithm` allows for such a key.

    RSASSA-PKCS1-v1_5 with SHA-256, and with SHA-512 unless `rsa-sha256` was named; Ed25519 as it is (RFC 8032).
    """
    if isinstance(key, Ed25519PublicKey):
        return algorithm != "rsa-sha256" and _ed25519_holds(key, signature, message)
    if algorithm == "ed25519":
        return False
    if _rsa_holds(key, signature, message, _SHA256):
        return True
    return algorithm != "rsa-sha256" and _rsa_holds(key, signature, message, _SHA512)


def _check_rsa(key: RSAPublicKey) -> None:
    if not RSA_BITS_MIN <= key.key_size <= RSA_BITS_MAX:
        raise SignatureRefused(f"The RSA key has {key.key_size} bits, not {RSA_BITS_MIN} to {RSA_BITS_MAX}.")
    exponent = key.public_numbers().e
    if not RSA_EXPONENT_MIN <= exponent <= RSA_EXPONENT_MAX or exponent % 2 == 0:
        raise SignatureRefused("The RSA key's exponent is not a sane one.")


def _rsa_holds(key: RSAPublicKey, signature: bytes, message: bytes, digest: hashes.HashAlgorithm) -> bool:
    try:
        key.verify(signature, message, _PADDING, digest)
    except InvalidSignature:
        return False
    return True


def _ed25519_holds(key: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True
