"""Which public keys are taken, and the published vectors of draft-cavage-http-signatures-12."""

import base64
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from adapters.activitypub.signatures import (
    PublicKey,
    SignatureRefused,
    SignedRequest,
    load_public_key,
    parse_signature,
    verify,
)
from adapters.activitypub.signatures_keys import signature_holds

ANN = "https://good.test/u/ann"
KEY_ID = f"{ANN}#main-key"
SPKI = serialization.PublicFormat.SubjectPublicKeyInfo
PUBLIC = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()


def pem(key: PublicKeyTypes, shape: serialization.PublicFormat = SPKI) -> str:
    return key.public_bytes(serialization.Encoding.PEM, shape).decode()


def test_a_key_may_be_pkcs1_have_carriage_returns_and_junk_after_its_end() -> None:
    pkcs1 = pem(PUBLIC, serialization.PublicFormat.PKCS1)
    for text in (pkcs1, pem(PUBLIC).replace("\n", "\r\n") + "\r\njunk", "\n" + pkcs1):
        assert load_public_key(KEY_ID, ANN, text) == load_public_key(KEY_ID, ANN, pem(PUBLIC))


def _rsa_pem(modulus_bits: int, exponent: int) -> str:
    numbers = rsa.RSAPublicNumbers(exponent, (1 << modulus_bits) - 159)
    body = base64.encodebytes(_pkcs1(numbers.n, numbers.e)).decode()
    return f"-----BEGIN RSA PUBLIC KEY-----\n{body}-----END RSA PUBLIC KEY-----\n"


def _pkcs1(*integers: int) -> bytes:
    """DER's SEQUENCE of INTEGERs, by hand, because no library writes a key that is not one."""
    return _item(0x30, b"".join(_item(2, n.to_bytes(n.bit_length() // 8 + 1, "big")) for n in integers))


def _item(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag]) + (length if size < 128 else bytes([0x80 | len(length)]) + length) + content


@pytest.mark.parametrize(
    "text",
    [
        _rsa_pem(512, 65537),
        _rsa_pem(1024, 65537),
        _rsa_pem(16_384, 65537),
        _rsa_pem(65_536, 65537),
        _rsa_pem(2048, 1),
        _rsa_pem(2048, 4),
        _rsa_pem(2048, 2**64 + 1),
        pem(ec.generate_private_key(ec.SECP256R1()).public_key()),
        "",
        "not a key",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
        "-----BEGIN PUBLIC KEY-----\n=A=\n-----END PUBLIC KEY-----",
        "-----BEGIN PUBLIC KEY-----\n" + "A" * 100_000,
    ],
)
def test_s26_weak_huge_and_foreign_keys_are_refused(text: str) -> None:
    with pytest.raises(SignatureRefused):
        load_public_key(KEY_ID, ANN, text)


# The published vectors of draft-cavage-http-signatures-12, appendix C; their key has 1,024 bits, which we refuse
# everywhere else.
VECTOR_KEY = """-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDCFENGw33yGihy92pDjZQhl0C3
6rPJj+CvfSC8+q28hxA161QFNUd13wuCTUcq0Qd2qsBe/2hFyc2DCJJg0h1L78+6
Z4UMR7EOcpfdUE9Hf3m/hs+FUR45uBJeDK1HSFHD8bHKD6kv8FPGfJTotc+2xjJw
oYi+1hqp1fIekaxsyQIDAQAB
-----END PUBLIC KEY-----
"""
VECTOR_HEADERS = {
    "host": "example.com",
    "date": "Sun, 05 Jan 2014 21:31:40 GMT",
    "content-type": "application/json",
    "digest": "SHA-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=",
    "content-length": "18",
}
VECTOR_COVERED = "(request-target) host date content-type digest content-length"
VECTOR_ALL = (
    "vSdrb+dS3EceC9bcwHSo4MlyKS59iFIrhgYkz8+oVLEEzmYZZvRs8rgOp+63LEM3v+MFHB32NfpB2bEKBIvB1q52LaEUHFv1"
    "20V01IL+TAD48XaERZFukWgHoBTLMhYS2Gb51gWxpeIq8knRmPnYePbF5MOkR0Zkly4zKH7s1dE="
)


@pytest.mark.parametrize(
    ("covered", "value"),
    [
        (
            "date",
            "SjWJWbWN7i0wzBvtPl8rbASWz5xQW6mcJmn+ibttBqtifLN7Sazz6m79cNfwwb8DMJ5cou1s7uEGKKCs+FLEEaDV5lp7q25W"
            "qS+lavg7T8hc0GppauB6hbgEKTwblDHYGEtbGmtdHgVCk9SuS13F0hZ8FD0k/5OxEPXe5WozsbM=",
        ),
        (
            "(request-target) host date",
            "qdx+H7PHHDZgy4y/Ahn9Tny9V3GP6YgBPyUXMmoxWtLbHpUnXS2mg2+SbrQDMCJypxBLSPQR2aAjn7ndmw2iicw3HMbe8VfE"
            "dKFYRqzic+efkb3nndiv/x1xSHDJWeSWkx3ButlYSuBskLu6kd9Fswtemr3lgdDEmn04swr2Os0=",
        ),
        (
            VECTOR_COVERED,
            VECTOR_ALL,
        ),
    ],
    ids=["default", "basic", "all"],
)
def test_s38_the_drafts_own_vectors_hold(covered: str, value: str) -> None:
    key = serialization.load_pem_public_key(VECTOR_KEY.encode())
    assert isinstance(key, rsa.RSAPublicKey)
    special = {"(request-target)": "post /foo?param=value&pet=dog"}
    message = "\n".join(f"{name}: {({**VECTOR_HEADERS, **special})[name]}" for name in covered.split()).encode()
    assert signature_holds(key, "rsa-sha256", base64.b64decode(value), message)


def test_s38_the_drafts_full_vector_verifies_as_a_request() -> None:
    vector_key = serialization.load_pem_public_key(VECTOR_KEY.encode())
    assert isinstance(vector_key, rsa.RSAPublicKey)
    header = f'keyId="https://a.test/k",algorithm="rsa-sha256",headers="{VECTOR_COVERED}",signature="{VECTOR_ALL}"'
    request = SignedRequest(
        "POST",
        "/foo?param=value&pet=dog",
        [*VECTOR_HEADERS.items(), ("signature", header)],
        b'{"hello": "world"}',
    )
    found = verify(
        request,
        parse_signature(request.headers),
        PublicKey("https://a.test/k", "https://a.test/u", b"", vector_key),
        authorities=frozenset({"example.com"}),
        now=datetime(2014, 1, 5, 21, 32, tzinfo=UTC),
    )
    assert found.signer == "https://a.test/u"
