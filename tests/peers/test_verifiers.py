"""Our signatures as Misskey's, PeerTube's and Fedify's own verifiers see them; tampered ones are refused."""

import base64
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from adapters.activitypub.documents import instance_actor_document
from adapters.activitypub.signatures import SignedRequest, load_public_key, parse_signature, verify
from adapters.activitypub.signatures_sign import sign_cavage
from tests.peers.node import Script

JUDGES = ("misskey", "peertube", "fedify")
INBOX = "https://b.test:8443/users/bob/inbox"
NOTE = "https://b.test/notes/1"
PAGE = "https://b.test/users/bob/outbox?page=true&max_id=7"
BODY = b'{"type":"Like","content":"\xc3\xa4"}'
OURS = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = OURS.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
ACTOR = instance_actor_document("https://our.test", "our.test", "our.test", PEM)
KEY_ID = "https://our.test/actor#main-key"


@dataclass(frozen=True)
class Request:
    """A request as it arrives."""

    method: str
    url: str
    body: bytes | None
    headers: dict[str, str] = field(default_factory=dict[str, str])

    def signed(self, ago: timedelta = timedelta()) -> "Request":
        now = datetime.now(UTC) - ago
        return replace(self, headers=sign_cavage(self.method, self.url, self.body, KEY_ID, OURS, now))

    def changed(self, **headers: str) -> "Request":
        return replace(self, headers=self.headers | headers)

    def judged(self, oracle: Script, judge: str) -> Any:
        body = None if self.body is None else base64.b64encode(self.body).decode()
        return oracle.ask(ask=judge, method=self.method, url=self.url, headers=self.headers, body=body, actor=ACTOR)


POST, GET, GET_PAGE = Request("POST", INBOX, BODY), Request("GET", NOTE, None), Request("GET", PAGE, None)


@pytest.mark.parametrize("judge", JUDGES)
@pytest.mark.parametrize("request_", [POST, GET], ids=["post", "get"])
def test_what_we_sign_is_accepted(oracle: Script, judge: str, request_: Request) -> None:
    assert request_.signed().judged(oracle, judge) == {"accepted": True}


# Fedify's verifier leaves the query out of (request-target), as Mitra's and Takahe's do.
@pytest.mark.parametrize("judge", ["misskey", "peertube"])
def test_the_query_is_signed_too(oracle: Script, judge: str) -> None:
    assert GET_PAGE.signed().judged(oracle, judge) == {"accepted": True}
    other = replace(GET_PAGE.signed(), url=PAGE.replace("max_id=7", "max_id=8"))
    assert other.judged(oracle, judge)["accepted"] is False


@pytest.mark.parametrize("judge", JUDGES)
@pytest.mark.parametrize(
    "tampered",
    [
        pytest.param(replace(POST.signed(), body=BODY + b" "), id="body"),
        pytest.param(replace(POST.signed(), url="https://b.test:8443/users/eve/inbox"), id="path"),
        pytest.param(replace(GET.signed(), url="https://b.test/notes/2"), id="path of a get"),
        pytest.param(replace(POST.signed(), method="PUT"), id="method"),
        pytest.param(POST.signed().changed(Host="c.test"), id="host"),
        pytest.param(GET.signed().changed(Host="c.test"), id="host of a get"),
        pytest.param(POST.signed().changed(Date=GET.signed(timedelta(seconds=7)).headers["Date"]), id="date"),
        pytest.param(POST.signed(timedelta(hours=13)), id="too old"),
        pytest.param(POST.signed().changed(**{"Content-Type": "text/html"}), id="type"),
        pytest.param(GET.signed().changed(Accept="text/html"), id="accept"),
    ],
)
def test_what_was_tampered_with_is_refused(oracle: Script, judge: str, tampered: Request) -> None:
    assert tampered.judged(oracle, judge)["accepted"] is False


@pytest.mark.parametrize("spec", ["rfc9421", "draft-cavage-http-signatures-12"])
@pytest.mark.parametrize("body", [BODY, None], ids=["post", "get"])
def test_what_fedify_signs_is_a_proof_to_us(oracle: Script, spec: str, body: bytes | None) -> None:
    url, method = "https://our.test/users/1/inbox", "GET" if body is None else "POST"
    sent = None if body is None else base64.b64encode(body).decode()
    answer = oracle.ask(ask="sign", spec=spec, method=method, url=url, body=sent, keyId="https://b.test/users/bob#key")
    assert "error" not in answer, answer
    request = SignedRequest(method, "/users/1/inbox", [*answer["headers"].items()], body or b"")
    key = load_public_key("https://b.test/users/bob#key", "https://b.test/users/bob", answer["pem"])
    ours, now = frozenset({"our.test"}), datetime.now(UTC)
    found = verify(request, parse_signature(request.headers), key, authorities=ours, now=now)
    assert found.signer == "https://b.test/users/bob"
