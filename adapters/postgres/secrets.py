"""The instance's own secrets, wrapped by the master key: the pepper, and the instance actor's private key."""

import os

import psycopg
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from adapters.codec import Codec, Unreadable
from adapters.config import SettingsError
from adapters.keypairs import new_key_pair

PEPPER = "pepper"
INSTANCE_KEY = "instance_key"
PEPPER_BYTES = 32


def ensure_secrets(owner: psycopg.Connection, codec: Codec) -> None:
    """Make what is missing, once; as the owner, since the processes may only read them. Commits."""
    with owner.transaction():
        owner.execute("LOCK TABLE app.secrets IN EXCLUSIVE MODE")
        there = {name for (name,) in owner.execute("SELECT name FROM app.secrets").fetchall()}
        if PEPPER not in there:
            _add(owner, PEPPER, codec.wrap_secret(os.urandom(PEPPER_BYTES)))
        if INSTANCE_KEY not in there:
            _add(owner, INSTANCE_KEY, codec.wrap_secret(new_key_pair().private_pem))


def read_secret(connection: psycopg.Connection, codec: Codec, name: str) -> bytes:
    """A secret in the clear. Raises SettingsError when the master key is not this database's."""
    row = connection.execute("SELECT wrapped FROM app.secrets WHERE name = %s", [name]).fetchone()
    if row is None:
        raise SettingsError("The database was never set up: run `daybook up` or `daybook migrate` first.")
    try:
        return codec.unwrap_secret(row[0])
    except Unreadable as error:
        raise SettingsError("The master key is not the one that this database was made with.") from error


def _add(owner: psycopg.Connection, name: str, wrapped: bytes) -> None:
    owner.execute("INSERT INTO app.secrets (name, wrapped) VALUES (%s, %s)", [name, wrapped])


def private_key(pem: bytes) -> RSAPrivateKey:
    """An RSA private key from its PEM."""
    key = load_pem_private_key(pem, None)
    assert isinstance(key, RSAPrivateKey), "our own keys are RSA"
    return key


def public_pem(key: RSAPrivateKey) -> str:
    """Its public half as SPKI PEM."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
