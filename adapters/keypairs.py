"""RSA key pairs: what actors sign with (federation needs RSA-2048 PKCS#8, its public half as SPKI PEM)."""

from typing import NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

BITS = 2048


class KeyPair(NamedTuple):
    """Both halves as PEM."""

    private_pem: bytes
    public_pem: str


def new_key_pair() -> KeyPair:
    """A fresh pair; takes some tenths of a second."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return KeyPair(private, public.decode())
