"""HTTP message signatures (RFC 9421): what proves who sent a request, and what does not."""

import base64
import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from adapters.activitypub.signatures import (
    PublicKey,
    SignatureRefused,
    SignedRequest,
    VerifiedRequest,
    load_public_key,
    parse_signature,
    verify,
)
from adapters.activitypub.signatures_keys import signature_holds
from adapters.activitypub.signatures_messages import check_content_digest, read_message_signature, signature_bases

NOW = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)
ANN = "https://good.test/u/ann"
KEY_ID = f"{ANN}#main-key"
BODY = b'{"type":"Like"}'
OURS = frozenset({"our.test", "localhost:3000"})
PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
YOUNG = ed25519.Ed25519PrivateKey.generate()
MASTODON = ("@method", "@target-uri", "content-digest")
FEDIFY = ("@method", "@target-uri", "@authority", "host", "date", "content-digest")


def pem(key: PublicKeyTypes) -> str:
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.PEM, spki).decode()


KEY = load_public_key(KEY_ID, ANN, pem(PRIVATE.public_key()))
YOUNG_KEY = load_public_key(KEY_ID, ANN, pem(YOUNG.public_key()))


def content_digest(body: bytes = BODY, name: str = "sha256") -> str:
    return f"{name.replace('sha', 'sha-')}=:{base64.b64encode(hashlib.new(name, body).digest()).decode()}:"


@dataclass(frozen=True)
class Signing:
    """How a request is signed; each case exchanges one thing."""

    covered: tuple[str, ...] = FEDIFY
    method: str = "POST"
    target: str = "/inbox"
    scheme: str = "https"
    host: str = "our.test"
    digest: str = content_digest()
    created: datetime | None = NOW
    more: str = f';keyid="{KEY_ID}";alg="rsa-v1_5-sha256"'
    young: bool = False

    def sign(self) -> SignedRequest:
        headers = {"host": self.host, "date": "Wed, 25 Nov 2026 12:00:00 GMT", "content-digest": self.digest}
        path, mark, query = self.target.partition("?")
        values = headers | {
            "@method": self.method,
            "@target-uri": f"{self.scheme}://{self.host}{self.target}",
            "@authority": self.host,
            "@request-target": self.target,
            "@path": path,
            "@query": f"?{query}" if mark else "?",
        }
        created = "" if self.created is None else f";created={int(self.created.timestamp())}"
        inside = f"({' '.join(f'{chr(34)}{name}{chr(34)}' for name in self.covered)}){created}{self.more}"
        lines = [f'"{name}": {values[name]}' for name in self.covered]
        base = "\n".join([*lines, f'"@signature-params": {inside}']).encode()
        value = YOUNG.sign(base) if self.young else PRIVATE.sign(base, padding.PKCS1v15(), hashes.SHA256())
        both = [("signature-input", f"sig1={inside}"), ("signature", f"sig1=:{base64.b64encode(value).decode()}:")]
        return SignedRequest(self.method, self.target, [*headers.items(), *both], BODY)


def proof(request: SignedRequest, key: PublicKey = KEY, now: datetime = NOW) -> VerifiedRequest:
    return verify(request, parse_signature(request.headers), key, authorities=OURS, now=now)


def refused(request: SignedRequest, key: PublicKey = KEY, now: datetime = NOW) -> str:
    with pytest.raises(SignatureRefused) as caught:
        proof(request, key, now)
    return caught.value.reason


def with_header(request: SignedRequest, name: str, value: str) -> SignedRequest:
    return replace(request, headers=[(n, value if n == name else v) for n, v in request.headers])


@pytest.mark.parametrize(
    "signing",
    [
        Signing(),
        Signing(MASTODON),
        Signing(("content-digest", "@query", "@authority", "@path", "@method"), target="/inbox?a=b"),
        Signing(("@method", "@authority", "@path", "content-digest")),
        Signing(("@method", "@authority", "@request-target", "content-digest"), target="/inbox?a=b"),
        Signing(scheme="http", host="localhost:3000"),
        Signing(more=f';nonce="a\\"b\\\\c";tag="t";x;y=1;z=:AA==:;w=tok/en;keyid="{KEY_ID}"'),
        Signing(digest=content_digest(name="sha512")),
        Signing(digest=f"md5=:AA==:, {content_digest()}, {content_digest(name='sha512')}"),
    ],
)
def test_a_signature_over_the_whole_request_is_a_proof(signing: Signing) -> None:
    found = proof(signing.sign())
    assert (found.signer, found.key_id, found.body, found.key) == (ANN, KEY_ID, BODY, KEY.der)
    again = serialization.load_der_public_key(found.key)
    assert isinstance(again, rsa.RSAPublicKey)
    assert signature_holds(again, "rsa-sha256", found.signature, found.signing_string)


@pytest.mark.parametrize("algorithm", ["", ';alg="ed25519"'])
def test_an_ed25519_key_is_as_good(algorithm: str) -> None:
    request = Signing(more=f';keyid="{KEY_ID}"{algorithm}', young=True).sign()
    assert proof(request, YOUNG_KEY).signer == ANN


@pytest.mark.parametrize(
    ("algorithm", "key"), [("rsa-v1_5-sha256", YOUNG_KEY), ("ed25519", KEY), ("rsa-pss-sha512", KEY), ("none", KEY)]
)
def test_the_key_says_what_kind_it_is_not_the_message(algorithm: str, key: PublicKey) -> None:
    refused(Signing(more=f';keyid="{KEY_ID}";alg="{algorithm}"', young=key is YOUNG_KEY).sign(), key)


@pytest.mark.parametrize("left_out", ["@method", "@target-uri", "content-digest"])
def test_what_covers_less_is_refused(left_out: str) -> None:
    covered = tuple(name for name in MASTODON if name != left_out)
    assert "does not cover" in refused(Signing(covered).sign())


def test_a_query_must_be_covered_where_there_is_one() -> None:
    covered = ("@method", "@authority", "@path", "content-digest")
    assert "does not cover" in refused(Signing(covered, target="/inbox?a=b").sign())


def test_a_get_needs_no_digest() -> None:
    assert proof(Signing(("@method", "@target-uri"), method="GET").sign()).signer == ANN


def test_whatever_is_changed_afterwards_is_refused() -> None:
    request = Signing().sign()
    refused(replace(request, method="PUT"))
    refused(replace(request, target="/actor/inbox"))
    assert "body" in refused(replace(request, body=BODY + b" "))
    refused(with_header(request, "date", "Wed, 25 Nov 2026 12:00:01 GMT"))
    refused(with_header(request, "host", "localhost:3000"))
    refused(with_header(replace(request, body=b"x"), "content-digest", content_digest(b"x")))


def test_a_request_that_was_signed_for_another_host_is_refused() -> None:
    assert "another host" in refused(Signing(host="other.test").sign())


@pytest.mark.parametrize(("minutes", "holds"), [(0, True), (-59, True), (-61, False), (64, True), (66, False)], ids=str)
def test_it_holds_for_as_long_as_the_older_kind(minutes: int, holds: bool) -> None:
    request, now = Signing().sign(), NOW + timedelta(minutes=minutes)
    assert (proof(request, now=now).signer == ANN) if holds else refused(request, now=now)


def test_an_expiry_ends_it() -> None:
    expires = int((NOW + timedelta(minutes=1)).timestamp())
    request = Signing(more=f';expires={expires};keyid="{KEY_ID}"').sign()
    assert proof(request).valid_until == NOW + timedelta(minutes=1)
    assert "too old" in refused(request, now=NOW + timedelta(minutes=2))


@pytest.mark.parametrize(
    "headers",
    [
        {"signature-input": "sig1"},
        {"signature-input": 'sig1=("@method"'},
        {"signature-input": "sig1=();created=1"},
        {"signature-input": f'sig1=("@method" "@method");created=1;keyid="{KEY_ID}"'},
        {"signature-input": f'sig1=("@status");created=1;keyid="{KEY_ID}"'},
        {"signature-input": f'sig1=("@query-param";name="a");created=1;keyid="{KEY_ID}"'},
        {"signature-input": f'sig1=("Host");created=1;keyid="{KEY_ID}"'},
        {"signature-input": f'sig1=("host";sf);created=1;keyid="{KEY_ID}"'},
        {"signature-input": f'sig1=("@method");keyid="{KEY_ID}"'},
        {"signature-input": f'sig1=("@method");created=1.5;keyid="{KEY_ID}"'},
        {"signature-input": f'sig1=("@method");created="1";keyid="{KEY_ID}"'},
        {"signature-input": f'sig1=("@method");created=1;created=2;keyid="{KEY_ID}"'},
        {"signature-input": 'sig1=("@method");created=1'},
        {"signature-input": 'sig1=("@method");created=1;keyid="acct:ann@good.test"'},
        {"signature-input": f'sig1=("@method");created=1;keyid="{KEY_ID}", sig2=("@method")'},
        {"signature-input": f'sig1=("@method");created=1;keyid="{KEY_ID}"' + " " * 5_000},
        {"signature": "sig2=:AAAA:"},
        {"signature": "sig1=:AAAA:, sig2=:AAAA:"},
        {"signature": "sig1=AAAA"},
        {"signature": "sig1=:AAA:"},
        {"signature": "sig1=::"},
        {"signature": f"sig1=:{'AAAA' * 400}:"},
        {"signature": ""},
    ],
)
def test_what_is_malformed_or_double_is_refused(headers: dict[str, str]) -> None:
    good = Signing().sign()
    with pytest.raises(SignatureRefused):
        parse_signature([(name, headers.get(name, value)) for name, value in good.headers])
    with pytest.raises(SignatureRefused):
        parse_signature([*good.headers, *good.headers])


@pytest.mark.parametrize(
    "value", ["", "md5=:AA==:", "sha-256", "sha-256=::", f"{content_digest()}, {content_digest()}", content_digest(b"")]
)
def test_a_content_digest_that_says_nothing_of_the_body_is_refused(value: str) -> None:
    with pytest.raises(SignatureRefused):
        check_content_digest(value, BODY)


# RFC 9421, B.2: the test request, and the public key of B.1.4.
RFC_FIELDS = {
    "date": "Tue, 20 Apr 2021 02:07:55 GMT",
    "content-type": "application/json",
    "content-digest": "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm"
    "+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:",
    "content-length": "18",
}
RFC_ED25519 = "MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs="


def test_the_rfcs_own_ed25519_signature_holds() -> None:
    """B.2.6. The names of its keys are no URLs, so that is put right before it is read, and back afterwards."""
    told = 'sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473'
    value = "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:"
    read = read_message_signature(f'{told};keyid="https://x.test/"', value)
    read = replace(read, inside=read.inside.replace("https://x.test/", "test-key-ed25519"))
    (base,) = signature_bases(read, "POST", "/foo?param=Value&Pet=dog", "example.com", RFC_FIELDS)
    key = load_public_key(KEY_ID, ANN, f"-----BEGIN PUBLIC KEY-----\n{RFC_ED25519}\n-----END PUBLIC KEY-----")
    assert signature_holds(key.key, read.algorithm, read.signature, base)
    assert not signature_holds(key.key, read.algorithm, read.signature, base.replace(b"POST", b"GET"))


def test_the_rfcs_own_body_fits_its_digest() -> None:
    check_content_digest(RFC_FIELDS["content-digest"], b'{"hello": "world"}')


def test_everything_about_a_request_is_spelt_as_in_the_rfc() -> None:
    """B.2.3, full coverage, from the RFC's own text."""
    told = (
        'sig-b23=("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length")'
        ';created=1618884473;keyid="https://x.test/"'
    )
    read = read_message_signature(told, "sig-b23=:AAAA:")
    (base,) = signature_bases(read, "POST", "/foo?param=Value&Pet=dog", "example.com", RFC_FIELDS)
    assert base.decode().splitlines() == [
        '"date": Tue, 20 Apr 2021 02:07:55 GMT',
        '"@method": POST',
        '"@path": /foo',
        '"@query": ?param=Value&Pet=dog',
        '"@authority": example.com',
        '"content-type": application/json',
        f'"content-digest": {RFC_FIELDS["content-digest"]}',
        '"content-length": 18',
        f'"@signature-params": {told.removeprefix("sig-b23=")}',
    ]
