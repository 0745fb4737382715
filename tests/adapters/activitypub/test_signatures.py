"""What proves who sent a request, and what does not (draft-cavage-http-signatures-12, as the Fediverse uses it)."""

import ast
import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from adapters.activitypub.signatures import (
    PublicKey,
    SignatureRefused,
    SignedRequest,
    VerifiedRequest,
    headers_from_bytes,
    load_public_key,
    parse_signature,
    verify,
)
from adapters.activitypub.signatures_keys import signature_holds
from adapters.activitypub.signatures_sign import sign_cavage

NOW = datetime(2026, 10, 14, 19, 6, 5, tzinfo=UTC)
ANN = "https://good.test/u/ann"
KEY_ID = f"{ANN}#main-key"
BODY = b'{"type":"Like"}'
OURS = frozenset({"our.test", "our.test:8443"})
SHA256 = hashes.SHA256()
PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
MASTODON = "host date content-type digest (request-target)"
PEERTUBE = "(request-target) host date digest"


def pem(key: PublicKeyTypes) -> str:
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.PEM, spki).decode()


KEY = load_public_key(KEY_ID, ANN, pem(PRIVATE.public_key()))


def digest(body: bytes = BODY) -> str:
    return "SHA-256=" + base64.b64encode(hashlib.sha256(body).digest()).decode()


def lines_of(values: dict[str, str], covered: str, method: str, target: str, times: dict[str, int]) -> bytes:
    special = {"(request-target)": f"{method.lower()} {target}"}
    special |= {f"({name})": str(value) for name, value in times.items()}
    return "\n".join(f"{name}: {({**values, **special})[name]}" for name in covered.split()).encode()


def signed(  # one keyword for each thing that a case varies
    covered: str = PEERTUBE,
    *,
    method: str = "POST",
    target: str = "/inbox",
    signed_target: str | None = None,
    parameters: str = ',algorithm="rsa-sha256"',
    changes: dict[str, str] | None = None,
    key: rsa.RSAPrivateKey = PRIVATE,
    body: bytes = BODY,
    hash_: hashes.HashAlgorithm = SHA256,
    times: dict[str, int] | None = None,
) -> SignedRequest:
    """A request signed properly over `covered`; `changes` are made before signing."""
    values = {
        "host": "our.test",
        "date": format_datetime(NOW, usegmt=True),
        "digest": digest(body),
        "content-type": "application/activity+json",
    } | (changes or {})
    message = lines_of(values, covered, method, signed_target or target, times or {})
    value = base64.b64encode(key.sign(message, padding.PKCS1v15(), hash_)).decode()
    given = "".join(f",{name}={seconds}" for name, seconds in (times or {}).items())
    header = f'keyId="{KEY_ID}"{parameters}{given},headers="{covered}",signature="{value}"'
    return SignedRequest(method, target, [*values.items(), ("signature", header)], body)


def proof(request: SignedRequest, key: PublicKey = KEY, now: datetime = NOW) -> VerifiedRequest:
    return verify(request, parse_signature(request.headers), key, authorities=OURS, now=now)


def refused(request: SignedRequest, key: PublicKey = KEY, now: datetime = NOW) -> str:
    with pytest.raises(SignatureRefused) as caught:
        proof(request, key, now)
    return caught.value.reason


def with_header(request: SignedRequest, name: str, value: str | None) -> SignedRequest:
    """The request with one header's value exchanged after signing, or taken away."""
    headers = [(n, v if n != name or value is None else value) for n, v in request.headers]
    kept = [(n, v) for n, v in headers if value is not None or n != name]
    return SignedRequest(request.method, request.target, kept, request.body)


@pytest.mark.parametrize(
    "covered",
    [f"{PEERTUBE} content-type", MASTODON, PEERTUBE],
    ids=["ours", "Mastodon's order", "PeerTube's set"],
)
def test_s01_any_order_of_a_sufficient_set_is_a_proof(covered: str) -> None:
    request = signed(covered)

    found = proof(request)

    assert (found.signer, found.key_id, found.body, found.key) == (ANN, KEY_ID, BODY, KEY.der)
    again = serialization.load_der_public_key(found.key)
    assert isinstance(again, rsa.RSAPublicKey)
    assert signature_holds(again, "rsa-sha256", found.signature, found.signing_string)


def test_what_we_sign_we_accept() -> None:
    headers = sign_cavage("POST", "https://our.test/inbox", BODY, KEY_ID, PRIVATE, NOW)
    request = SignedRequest("POST", "/inbox", [(n.lower(), v) for n, v in headers.items()], BODY)
    assert proof(request).signer == ANN


def test_a_get_that_we_sign_needs_no_digest_and_keeps_its_port_and_query() -> None:
    headers = sign_cavage("GET", "https://our.test:8443/u/ann?page=1", None, KEY_ID, PRIVATE, NOW)
    request = SignedRequest("GET", "/u/ann?page=1", [(n.lower(), v) for n, v in headers.items()])
    assert headers["Host"] == "our.test:8443"
    assert proof(request).signing_string.startswith(b"(request-target): get /u/ann?page=1\nhost: our.test:8443\n")


def test_the_authorization_header_carries_a_signature_as_well() -> None:
    request = signed()
    headers = [("authorization", f"Signature {v}") if n == "signature" else (n, v) for n, v in request.headers]
    assert proof(SignedRequest("POST", "/inbox", headers, BODY)).signer == ANN


def test_header_bytes_become_text_without_loss() -> None:
    assert headers_from_bytes([(b"X-Name", b"caf\xe9")]) == [("x-name", "caf\xe9")]


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("signature", "")],
        [("signature", f'keyId="{KEY_ID}",signature="AAAA"')] * 2,
        [("signature", f'keyId="{KEY_ID}",keyId="{KEY_ID}",signature="AAAA"')],
        [("signature", f'keyId="{KEY_ID}",keyid="{KEY_ID}",signature="AAAA"')],
        [("signature", f'keyId="{KEY_ID}"')],
        [("signature", f'keyId="{KEY_ID}",signature="not base64"')],
        [("signature", f'keyId="{KEY_ID}",signature="AAAA",headers=""')],
        [("signature", f'keyId="{KEY_ID}",signature="AAAA",headers="date date"')],
        [("signature", f'keyId="{KEY_ID}",signature="AAAA" nonsense')],
        [("signature", f'keyId="{KEY_ID}",signature="AAAA",created="soon"')],
        [("signature", f'keyId="{KEY_ID}",signature="AAAA",x="{"y" * 4096}"')],
        [("signature", f'keyId="{KEY_ID}",signature="{base64.b64encode(b"x" * 1025).decode()}"')],
    ],
)
def test_s02_a_missing_second_or_malformed_signature_is_refused(headers: list[tuple[str, str]]) -> None:
    with pytest.raises(SignatureRefused):
        parse_signature(headers)


def test_s36_a_signature_input_rules_out_the_older_kind() -> None:
    with pytest.raises(SignatureRefused):
        parse_signature([*signed().headers, ("signature-input", 'sig1=("@method")')])


def test_s03_a_changed_body_is_refused() -> None:
    request = signed()
    assert "body" in refused(SignedRequest("POST", "/inbox", request.headers, b"{}"))


def test_s04_a_digest_that_is_not_signed_is_refused() -> None:
    assert "cover digest" in refused(signed("(request-target) host date"))


def test_s05_a_signed_digest_that_is_missing_is_refused() -> None:
    assert "digest is missing" in refused(with_header(signed(), "digest", None))


def test_s06_the_name_of_the_digest_may_be_in_lower_case() -> None:
    assert proof(signed(changes={"digest": digest().replace("SHA", "sha")}))


def test_s06_a_digest_of_another_kind_beside_it_does_not_matter() -> None:
    assert proof(signed(changes={"digest": f"MD5=abc,{digest()}"}))


@pytest.mark.parametrize(
    "value",
    [f"{digest()},{digest(b'x')}", f"{digest()},{digest()}", "MD5=abc", "SHA-512=abc", "SHA-256=???", ""],
)
def test_s06_two_sha_256_digests_or_none_are_refused(value: str) -> None:
    refused(signed(changes={"digest": value}))


@pytest.mark.parametrize("covered", ["date", "host date digest", "(request-target) host digest"])
def test_s07_a_signature_over_too_little_is_refused(covered: str) -> None:
    assert "cover" in refused(signed(covered))


def test_s07_no_list_of_headers_means_the_date_alone() -> None:
    assert parse_signature([("signature", f'keyId="{KEY_ID}",signature="AAAA"')]).headers == ("date",)


def test_s08_a_post_without_its_host_signed_is_refused() -> None:
    assert "cover host" in refused(signed("(request-target) date digest"))


@pytest.mark.parametrize("sent", ["other.test", "our.test"])
def test_s09_a_signature_for_another_host_is_refused_here(sent: str) -> None:
    refused(with_header(signed(changes={"host": "other.test"}), "host", sent))


def test_s10_a_signature_for_another_path_or_method_is_refused() -> None:
    request = signed()
    refused(SignedRequest("POST", "/ap/users/1/inbox", request.headers, BODY))
    get = signed("(request-target) host date digest", method="GET")
    refused(SignedRequest("POST", "/inbox", get.headers, BODY))


@pytest.mark.parametrize("age_minutes", [-59, 0, 59, 64])
def test_s11_a_clock_may_be_an_hour_off(age_minutes: int) -> None:
    found = proof(signed(), now=NOW + timedelta(minutes=age_minutes))
    assert found.valid_until == NOW + timedelta(minutes=65)


@pytest.mark.parametrize("age_minutes", [66, -65, 60 * 24])
def test_s11_more_than_that_is_refused(age_minutes: int) -> None:
    refused(signed(), now=NOW + timedelta(minutes=age_minutes))


@pytest.mark.parametrize("date", ["garbage", "", "Mon, 99 Foo 2026 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 -1200"])
def test_s11_a_date_that_cannot_be_read_is_refused(date: str) -> None:
    refused(signed(changes={"date": date}))


def test_s11_a_signed_date_that_is_missing_is_refused() -> None:
    assert "date is missing" in refused(with_header(signed(), "date", None))


def test_s12_a_created_time_that_is_not_signed_does_not_freshen_an_old_request() -> None:
    now = NOW + timedelta(days=2)
    request = signed(parameters=f',algorithm="hs2019",created={int(now.timestamp())}')
    assert "too old" in refused(request, now=now)


CREATED = "(request-target) (created) host digest"
EXPIRES = "(request-target) (created) (expires) host digest"
HS2019 = ',algorithm="hs2019"'


def test_a_signed_created_time_stands_in_for_the_date() -> None:
    assert proof(signed(CREATED, parameters=HS2019, times={"created": int(NOW.timestamp())}))


def test_a_signed_expiry_may_lengthen_the_life_to_twelve_hours() -> None:
    seconds = int(NOW.timestamp())
    request = signed(EXPIRES, parameters=HS2019, times={"created": seconds, "expires": seconds + 36_000})
    assert proof(request, now=NOW + timedelta(hours=9)).valid_until == NOW + timedelta(hours=10)


@pytest.mark.parametrize(
    ("created_hours", "expires_hours"), [(-1, -0.5), (-13, 720), (-2, -1)], ids=["past", "capped", "old"]
)
def test_s13_an_expiry_in_the_past_or_far_ahead_is_refused(created_hours: float, expires_hours: float) -> None:
    seconds = NOW.timestamp()
    times = {"created": int(seconds + created_hours * 3600), "expires": int(seconds + expires_hours * 3600)}
    refused(signed(EXPIRES, parameters=HS2019, times=times))


def test_an_expiry_does_not_lengthen_the_life_of_a_date() -> None:
    seconds = int(NOW.timestamp())
    request = signed(f"{PEERTUBE} (expires)", parameters=HS2019, times={"expires": seconds + 36_000})
    assert "too old" in refused(request, now=NOW + timedelta(hours=2))


def test_created_cannot_be_signed_under_rsa_sha256() -> None:
    assert "rsa-sha256" in refused(signed(CREATED, times={"created": int(NOW.timestamp())}))


@pytest.mark.parametrize("signed_target", ["/inbox?x=1", "/inbox"])
def test_s14_a_query_may_be_signed_or_left_out(signed_target: str) -> None:
    assert proof(signed(target="/inbox?x=1", signed_target=signed_target))


@pytest.mark.parametrize("algorithm", ["hmac-sha256", "none", "rsa-sha1", "ecdsa-sha256", "RSA-SHA256"])
def test_s15_an_algorithm_that_we_did_not_choose_is_refused(algorithm: str) -> None:
    assert "algorithm" in refused(signed(parameters=f',algorithm="{algorithm}"'))


def test_s15_an_hmac_under_the_public_key_is_not_a_signature() -> None:
    request = signed(parameters=HS2019)
    message = proof(request).signing_string
    forged = base64.b64encode(hmac.digest(pem(PRIVATE.public_key()).encode(), message, "sha256")).decode()
    header = f'keyId="{KEY_ID}",algorithm="hs2019",headers="{PEERTUBE}",signature="{forged}"'
    assert "fit" in refused(with_header(request, "signature", header))


@pytest.mark.parametrize(("parameters", "holds"), [("", True), (HS2019, True), (',algorithm="rsa-sha256"', False)])
def test_sha_512_is_tried_unless_sha_256_was_named(parameters: str, holds: bool) -> None:
    request = signed(parameters=parameters, hash_=hashes.SHA512())
    assert (proof(request) is not None) if holds else refused(request)


@pytest.mark.parametrize("key_id", ["acct:ann@good.test", "did:key:z6MkfakE", "", "ftp://good.test/k"])
def test_s21_a_key_id_that_is_no_url_is_refused(key_id: str) -> None:
    with pytest.raises(SignatureRefused):
        parse_signature([("signature", f'keyId="{key_id}",signature="AAAA"')])


def test_s16_another_keys_signature_does_not_fit() -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert "fit" in refused(signed(key=other))


def test_a_key_of_another_id_than_the_signature_names_is_refused() -> None:
    other = load_public_key("https://evil.test/k", "https://evil.test/u/mal", pem(PRIVATE.public_key()))
    assert "not the one" in refused(signed(), key=other)


@pytest.mark.parametrize("name", ["host", "date", "digest", "content-type"])
def test_s37_a_header_given_twice_is_refused(name: str) -> None:
    request = signed(f"{PEERTUBE} content-type")
    value = dict(request.headers)[name]
    assert "two" in refused(SignedRequest("POST", "/inbox", [*request.headers, (name, value)], BODY))


@pytest.mark.parametrize("value", ["our.test\n(request-target): post /inbox", "our.test\r\n folded", "our.test\0"])
def test_s37_control_characters_in_a_header_are_refused(value: str) -> None:
    assert "control" in refused(signed(changes={"host": value}))


def test_s37_a_header_that_is_not_bytes_is_refused() -> None:
    assert "bytes" in refused(signed(f"{PEERTUBE} x-name", changes={"x-name": "\u20ac"}))


def test_other_headers_given_twice_are_joined() -> None:
    request = signed(f"{PEERTUBE} x-name", changes={"x-name": "a, b"})
    headers = [pair for pair in request.headers if pair[0] != "x-name"] + [("x-name", " a"), ("x-name", "b ")]
    assert proof(SignedRequest("POST", "/inbox", headers, BODY))


def test_an_ed25519_key_verifies_as_what_it_is() -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    key = load_public_key(KEY_ID, ANN, pem(private.public_key()))
    request = signed(parameters=HS2019)
    value = base64.b64encode(private.sign(proof(request).signing_string)).decode()
    header = f'keyId="{KEY_ID}",algorithm="hs2019",headers="{PEERTUBE}",signature="{value}"'
    assert proof(with_header(request, "signature", header), key).key == key.der
    assert "fit" in refused(with_header(request, "signature", header.replace("hs2019", "rsa-sha256")), key)


def test_s39_nobody_but_the_verifier_makes_a_proof() -> None:
    """What was not verified cannot be stored: appending takes a VerifiedRequest, and one place makes them."""
    root = Path(__file__).parents[3]
    makers = {
        path.relative_to(root).as_posix()
        for package in ("domain", "projections", "adapters", "api", "workers")
        for path in (root / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("VerifiedRequest")
    }
    assert makers == {"adapters/activitypub/signatures.py"}
