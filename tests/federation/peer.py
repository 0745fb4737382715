"""A stub peer: one remote actor with a key, served over plain http on loopback, who signs and posts what tests hand it.

It signs by itself, so that a misreading of the specification in our own code can't agree with itself.
"""

import datetime as dt
import http.client
import json
import queue
import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import format_datetime
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import httpx
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PUBLIC = "https://www.w3.org/ns/activitystreams#Public"
CONTEXT = "https://www.w3.org/ns/activitystreams"
ANSWER_TIMEOUT_S = 30
ACTIVITY_JSON = "application/activity+json"
COVERED = "(request-target) host date digest content-type"


@dataclass
class Answer:
    """What a request was answered with."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> str:
        return json.loads(self.body)["error"]


@dataclass
class Peer:
    """An actor elsewhere; `got` holds what was posted to their inbox, `fetched` the paths that were asked
    for, `pages` what more there is to get: status, media type and JSON by path."""

    origin: str
    name: str
    key: rsa.RSAPrivateKey
    got: "queue.Queue[Any]" = field(default_factory=queue.Queue)
    fetched: list[str] = field(default_factory=list[str])
    answers: dict[str, int] = field(default_factory=dict[str, int])
    pages: dict[str, tuple[int, str, Any]] = field(default_factory=dict[str, tuple[int, str, Any]])
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    # Where it listens, as a name map takes it; its origin may be a name that is only mapped there.
    address: tuple[str, int] = ("127.0.0.1", 0)

    @property
    def actor(self) -> str:
        return f"{self.origin}/users/{self.name}"

    @property
    def key_id(self) -> str:
        return f"{self.actor}#main-key"

    @property
    def acct(self) -> str:
        return f"{self.name}@{urlsplit(self.origin).netloc}"

    def document(self) -> dict[str, Any]:
        pem = self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        return {
            "@context": [CONTEXT, "https://w3id.org/security/v1"],
            "id": self.actor,
            "type": "Person",
            "preferredUsername": self.name,
            "inbox": f"{self.actor}/inbox",
            "followers": f"{self.actor}/followers",
            "publicKey": {"id": self.key_id, "owner": self.actor, "publicKeyPem": pem},
        }

    def served(self, path: str) -> tuple[int, str, Any]:
        """Status, media type and JSON of a GET."""
        self.fetched.append(path)
        if path in self.answers:
            return self.answers[path], ACTIVITY_JSON, {}
        if path in self.pages:
            return self.pages[path]
        if path == f"/users/{self.name}":
            return 200, ACTIVITY_JSON, self.document()
        if path.startswith("/.well-known/webfinger?"):
            links = [{"rel": "self", "type": ACTIVITY_JSON, "href": self.actor}]
            return 200, "application/jrd+json", {"subject": f"acct:{self.acct}", "links": links}
        return 404, ACTIVITY_JSON, {}

    def new_key(self) -> None:
        """Another key under the same id, as after a rotation."""
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def note(self, text: str = "Hello", **more: Any) -> dict[str, Any]:
        """A new public Create of a Note."""
        uri = f"{self.actor}/notes/{next(self.numbers)}"
        addressed = {"to": [PUBLIC], "cc": [f"{self.actor}/followers"]}
        now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        note = {"id": uri, "type": "Note", "attributedTo": self.actor, "content": f"<p>{text}</p>", "published": now}
        return self.activity("Create", {**note, **addressed}, id=f"{uri}/activity", **{**addressed, **more})

    def publish(self, text: str = "Hello", **more: Any) -> str:
        """Let a new public Note be fetched; gives its id."""
        note = {"@context": CONTEXT, **self.note(text)["object"], **more}
        self.pages[urlsplit(note["id"]).path] = 200, ACTIVITY_JSON, note
        return note["id"]

    def publish_again(self, uri: str, **more: Any) -> None:
        """Let a Note that was published read otherwise."""
        path = urlsplit(uri).path
        status, kind, note = self.pages[path]
        self.pages[path] = status, kind, {**note, **more}

    def activity(self, kind: str, about: Any, **more: Any) -> dict[str, Any]:
        name = f"{self.actor}/activities/{next(self.numbers)}"
        return {"@context": CONTEXT, "id": name, "type": kind, "actor": self.actor, "object": about, **more}

    def accept(self, request: str, follower: str) -> dict[str, Any]:
        """The Accept of a Follow, naming it by its id."""
        return self.activity(
            "Accept", {"id": request, "type": "Follow", "actor": follower, "object": self.actor}, to=[follower]
        )

    def signed(
        self, url: str, body: bytes, *, at: dt.datetime | None = None, kind: str = ACTIVITY_JSON, covered: str = COVERED
    ) -> dict[str, str]:
        """The headers of a good request: signed (draft-cavage-12) at that time, over those lines."""
        parts = urlsplit(url)
        headers = {
            "Host": parts.netloc,
            "Date": format_datetime(at or dt.datetime.now(dt.UTC), usegmt=True),
            "Digest": f"SHA-256={b64encode(sha256(body).digest()).decode()}",
            "Content-Type": kind,
        }
        values = {name.lower(): value for name, value in headers.items()} | {"(request-target)": f"post {parts.path}"}
        return {**headers, "Signature": self._signature(values, covered)}

    def signed_get(
        self, url: str, *, at: dt.datetime | None = None, covered: str = "(request-target) host date"
    ) -> dict[str, str]:
        """The headers of a good GET: signed (draft-cavage-12) at that time, over those lines."""
        parts = urlsplit(url)
        headers = {
            "Host": parts.netloc,
            "Date": format_datetime(at or dt.datetime.now(dt.UTC), usegmt=True),
            "Accept": ACTIVITY_JSON,
        }
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        values = {name.lower(): value for name, value in headers.items()} | {"(request-target)": f"get {target}"}
        return {**headers, "Signature": self._signature(values, covered)}

    def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """GET signed, or with exactly the headers that are given."""
        return httpx.get(url, headers=self.signed_get(url) if headers is None else headers, timeout=ANSWER_TIMEOUT_S)

    def _signature(self, values: Mapping[str, str], covered: str) -> str:
        text = "\n".join(f"{name}: {values[name]}" for name in covered.split())
        signature = b64encode(self.key.sign(text.encode(), PKCS1v15(), SHA256())).decode()
        return f'keyId="{self.key_id}",algorithm="rsa-sha256",headers="{covered}",signature="{signature}"'

    def post(self, url: str, activity: Any, *, headers: Mapping[str, str] | None = None) -> Answer:
        """Post an activity (or bytes) signed, or with exactly the headers that are given."""
        body = activity if isinstance(activity, bytes) else json.dumps(activity).encode()
        return send(url, body, self.signed(url, body) if headers is None else headers)


def send(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """POST with these headers and no others but Content-Length."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=ANSWER_TIMEOUT_S)
    with closing(connection):
        connection.putrequest("POST", parts.path, skip_host="Host" in headers, skip_accept_encoding=True)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            connection.putheader(name, value)
        connection.endheaders()
        # Who is refused early need not be listened to: the answer is there all the same.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.send(body)
        response = connection.getresponse()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())


@contextmanager
def running_peer(name: str = "bob", host: str | None = None) -> Iterator[Peer]:
    """A peer that answers until the block ends; as `host`, for instances that have it in their name map."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    origin = f"http://{host or f'127.0.0.1:{server.server_port}'}"
    peer = Peer(origin, name, rsa.generate_private_key(public_exponent=65537, key_size=2048))
    peer.address = ("127.0.0.1", server.server_port)
    server.peer = peer  # pyright: ignore[reportAttributeAccessIssue]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="peer")
    thread.start()
    try:
        yield peer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 2  # so that a connection kept alive does not keep the test waiting at the end

    def do_GET(self) -> None:
        status, kind, document = self.server.peer.served(self.path)  # pyright: ignore[reportAttributeAccessIssue]
        self._answer(status, kind, json.dumps(document).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.peer.got.put(json.loads(body))  # pyright: ignore[reportAttributeAccessIssue]
        self._answer(202, ACTIVITY_JSON, b"")

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""
