"""Our own signatures: the draft-cavage set that every peer known to us accepts."""

import base64
import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

ACTIVITY_MEDIA_TYPE: Final = "application/activity+json"
ACCEPT: Final = f'{ACTIVITY_MEDIA_TYPE}, application/ld+json; profile="https://www.w3.org/ns/activitystreams"'
_PADDING: Final = PKCS1v15()
_SHA256: Final = SHA256()


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A local actor's key pair in use: the id that peers find the public half under, and the private half."""

    key_id: str
    private_key: RSAPrivateKey = field(repr=False)


def sign_cavage(
    method: str, url: str, body: bytes | None, key_id: str, private_key: RSAPrivateKey, now: datetime
) -> dict[str, str]:
    """The headers to send with a request to `url`, which must be canonical (`guard.canonical_url`).

    With a body `(request-target) host date digest content-type` are signed, without one `(request-target) host date
    accept`. Sign again for each attempt and each redirect: peers hold the Date to as little as 60 s.
    """
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"Host": parts.netloc, "Date": format_datetime(now.astimezone(UTC), usegmt=True)}
    if body is None:
        headers["Accept"] = ACCEPT
    else:
        headers["Digest"] = f"SHA-256={base64.b64encode(hashlib.sha256(body).digest()).decode()}"
        headers["Content-Type"] = ACTIVITY_MEDIA_TYPE
    lines = [f"(request-target): {method.lower()} {target}"]
    lines += [f"{name.lower()}: {value}" for name, value in headers.items()]
    signature = private_key.sign("\n".join(lines).encode(), _PADDING, _SHA256)
    covered = " ".join(["(request-target)", *(name.lower() for name in headers)])
    headers["Signature"] = (
        f'keyId="{key_id}",algorithm="rsa-sha256",headers="{covered}",signature="{base64.b64encode(signature).decode()}"'
    )
    return headers
